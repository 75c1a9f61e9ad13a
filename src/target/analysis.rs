//! The demo application's code analysis: simple line heuristics and a score.
//!
//! Owns the rules and the scoring. Leaves requests, JSON errors and counting to `routes`.
//!
//! Invariant: pure, linear in the source and deterministic, so a load test can check an answer by value.

use serde::Serialize;

/// A line longer than this many characters is an issue.
const LONG_LINE: usize = 100;
/// A line indented deeper than this many levels (of four columns) is an issue.
const DEEP_NESTING: usize = 4;
/// Columns of one indentation level, and of a tab.
const INDENT: usize = 4;
/// Lines that every source is credited with, so that one finding does not condemn a snippet.
const CREDIT: f64 = 10.0;

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Issue {
    /// Line it was found on, from 1.
    pub(super) line: usize,
    /// Short stable name of the rule.
    pub(super) rule: &'static str,
    /// What is wrong, for a person.
    pub(super) message: String,
}

/// The answer to one analysis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Analysis {
    /// 0 (every line is in a bad way) to 100 (nothing found), with one decimal.
    pub(super) score: f64,
    /// Number of lines of the source.
    pub(super) lines: usize,
    /// Findings in the order of the lines.
    pub(super) issues: Vec<Issue>,
}

/// Analyzes `source`. `language` (any case) selects the rules that are about one language; without it all apply.
///
/// The score is `100 × n / (n + w)`, where `n` is the number of lines plus a credit of ten and `w` the summed weight
/// of the issues.
pub(super) fn analyze(source: &str, language: Option<&str>) -> Analysis {
    let speaks = |name: &str| language.is_none_or(|language| language.eq_ignore_ascii_case(name));
    let (rust, python) = (speaks("rust"), speaks("python"));

    let mut issues = Vec::new();
    let mut weight = 0.0;
    let mut lines = 0;
    let mut was_deep = false;
    for (index, text) in source.lines().enumerate() {
        lines = index + 1;
        let mut report = |rule, rule_weight: f64, message: String| {
            weight += rule_weight;
            issues.push(Issue { line: index + 1, rule, message });
        };

        let length = text.chars().count();
        if length > LONG_LINE {
            report("long-line", 1.0, format!("{length} characters; keep lines within {LONG_LINE}"));
        }
        if let Some(marker) = ["TODO", "FIXME", "XXX"].into_iter().find(|marker| text.contains(marker)) {
            report("todo", 0.5, format!("{marker} left in the code"));
        }
        if rust && text.contains(".unwrap()") {
            report("unwrap", 2.0, "`unwrap` panics on the unexpected; handle the error".to_owned());
        }
        if python && text.trim() == "except:" {
            report("bare-except", 2.0, "a bare `except` hides every error; name the exception".to_owned());
        }
        // A blank line neither starts nor ends a deep block, and only the line that enters one is reported.
        if !text.trim().is_empty() {
            let levels = indentation(text);
            let deep = levels > DEEP_NESTING;
            if deep && !was_deep {
                report(
                    "deep-nesting",
                    3.0,
                    format!("{levels} levels deep; keep nesting within {DEEP_NESTING}"),
                );
            }
            was_deep = deep;
        }
    }

    let size = lines as f64 + CREDIT;
    let score = (1_000.0 * size / (size + weight)).round() / 10.0;
    Analysis { score, lines, issues }
}

/// Whole indentation levels in front of a line.
fn indentation(text: &str) -> usize {
    let columns: usize = text
        .chars()
        .take_while(|c| matches!(c, ' ' | '\t'))
        .map(|c| if c == '\t' { INDENT } else { 1 })
        .sum();
    columns / INDENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, language: Option<&str>, score: f64, expected: &[(usize, &str)]) {
        let found = analyze(source, language);
        let issues: Vec<_> = found.issues.iter().map(|issue| (issue.line, issue.rule)).collect();
        assert_eq!(issues, expected, "{source:?}");
        assert_eq!(found.score, score, "{source:?}");
        assert_eq!(found.lines, source.lines().count());
    }

    #[test]
    fn each_rule_finds_its_line_and_costs_its_weight() {
        check("", None, 100.0, &[]);
        check("fn main() {}\n", None, 100.0, &[]);
        check("ok\n// TODO: more\n", None, 96.0, &[(2, "todo")]);
        check("let a = b.unwrap();", None, 84.6, &[(1, "unwrap")]);
        check("try:\n  go()\nexcept:\n  pass", None, 87.5, &[(3, "bare-except")]);
        check(&"é".repeat(LONG_LINE), None, 100.0, &[]);
        check(&"é".repeat(LONG_LINE + 1), None, 91.7, &[(1, "long-line")]);
    }

    #[test]
    fn a_language_selects_its_rules() {
        check("a.unwrap()\nexcept:", Some("Rust"), 85.7, &[(1, "unwrap")]);
        check("a.unwrap()\nexcept:", Some("python"), 85.7, &[(2, "bare-except")]);
        check("a.unwrap()\nexcept:", Some("go"), 100.0, &[]);
    }

    #[test]
    fn a_deep_block_is_reported_once_where_it_is_entered() {
        let deep = " ".repeat(INDENT * (DEEP_NESTING + 1));
        check(
            &format!("{deep}a\n\n{deep}b\nc\n\t\t\t\t\td"),
            None,
            71.4,
            &[(1, "deep-nesting"), (5, "deep-nesting")],
        );
        check(&format!("{}a", &deep[1..]), None, 100.0, &[]);
    }

    #[test]
    fn one_line_may_break_several_rules() {
        let line = format!("x.unwrap(); // FIXME {}", "-".repeat(LONG_LINE));
        check(&line, None, 75.9, &[(1, "long-line"), (1, "todo"), (1, "unwrap")]);
    }
}
