//! Markdown for a comment on a pull request: verdict, what happened, thresholds, endpoints, errors.
//!
//! Pure. Owns what fits into a comment and how untrusted text is escaped. Leaves everything else to the other
//! reports. Invariants: less than 60,000 characters (a comment has 65,536); no name or message makes markup, mentions
//! anybody or refers to an issue.

use super::model::{Judgement, verdict_of};
use super::text::percentile_text;
use crate::analysis::Verdict;
use crate::analysis::agents;
use crate::analysis::capacity::{answer, failed, measured, outcome, saturated};
use crate::analysis::comparison::{
    amount, comparison_sentence, endpoint_name, judged_change, resolution_sentence, shown,
};
use crate::analysis::findings;
use crate::analysis::thresholds;
use crate::analysis::warnings::warnings;
use crate::analysis::{ChangeVerdict, Comparison, FigureComparison};
use crate::credentials::masked;
use crate::metrics::{AgentStats, EndpointStats, Percentile, Snapshot, ThresholdState, ThresholdStats};
use crate::plan::RunRecord;
use crate::text::format;
use crate::text::{clean_line, cut_middle};

const MOST_WARNINGS: usize = 40;
const MOST_LIMITS: usize = 40;
const MOST_STEPS: usize = 40;
const MOST_ENDPOINTS: usize = 40;
const MOST_AGENTS: usize = 40;
const MOST_ERRORS: usize = 10;
const MOST_COMPARED: usize = 20;

/// Columns of a name or a message.
const NAME_COLUMNS: usize = 120;

/// Columns of the verdict's reason.
const SENTENCE_COLUMNS: usize = 1_000;

/// Columns of what was found: two names and a message.
const FINDING_COLUMNS: usize = 400;

/// Maximum length of a comment; the rest is cut at the end of a line.
const MOST_BYTES: usize = 60_000;

/// A run as Markdown, in GitHub's dialect.
pub fn markdown(record: &RunRecord) -> String {
    compared_markdown(record, None)
}

/// The same with what changed since an earlier run.
pub fn compared_markdown(record: &RunRecord, comparison: Option<&Comparison>) -> String {
    let snapshot = &*record.snapshot;
    let sections = [
        head(record),
        what_happened(record),
        limit_table(snapshot),
        capacity(snapshot),
        comparison.map_or_else(String::new, comparison_part),
        endpoint_table(snapshot),
        agent_table(&snapshot.agents),
        checks(snapshot),
        errors(snapshot),
    ];
    let sections: Vec<String> = sections.into_iter().filter(|section| !section.is_empty()).collect();
    cut(sections.join("\n\n") + "\n")
}

/// The comparison of two runs as a comment of its own.
pub fn comparison_markdown(comparison: &Comparison) -> String {
    cut(comparison_part(comparison) + "\n")
}

fn comparison_part(comparison: &Comparison) -> String {
    let sign = if comparison.has_regression() { "❌" } else { "✅" };
    let part = if comparison.steady_only { "; steady phases only" } else { "" };
    let mut lines = vec![format!(
        "#### {sign} {} against {}{part}\n\n{}",
        text(&comparison.after.folder),
        text(&comparison.before.folder),
        within(&comparison_sentence(comparison), SENTENCE_COLUMNS)
    )];
    let warnings: Vec<String> =
        comparison.warnings.iter().map(|warning| format!("- ⚠️ {}", text(warning))).collect();
    if !warnings.is_empty() {
        lines.push(warnings.join("\n"));
    }
    let endpoints = shown(comparison, MOST_COMPARED);
    let rows = endpoints.iter().map(|endpoint| {
        let is_worse = endpoint.figures.iter().any(|figure| figure.verdict == ChangeVerdict::Worse);
        let mut cells = vec![if is_worse { "❌" } else { "" }.to_owned(), text(&endpoint_name(endpoint))];
        cells.extend(endpoint.figures.iter().map(compared_cell));
        row(&cells)
    });
    let columns = ["", "endpoint", "rate", "failed", "p50", "p95", "p99"];
    lines.push(table(&columns, rows.collect(), comparison.endpoints.len(), MOST_COMPARED));
    lines.push(within(&resolution_sentence(comparison), SENTENCE_COLUMNS));
    lines.retain(|line| !line.is_empty());
    lines.join("\n\n")
}

/// `20ms → 24ms (+20% worse)`.
fn compared_cell(figure: &FigureComparison) -> String {
    let (then, now) = (amount(figure.figure, figure.before), amount(figure.figure, figure.after));
    let change = judged_change(figure).map_or_else(String::new, |change| format!(" ({change})"));
    format!("{then} → {now}{change}")
}

fn head(record: &RunRecord) -> String {
    let RunRecord { info, snapshot, .. } = record;
    let (judgement, sentence) = verdict_of(record);
    let sign = match judgement {
        Judgement::Good => "✅",
        Judgement::Neutral => "⚪",
        Judgement::Warning => "⚠️",
        Judgement::Bad => "❌",
    };
    let host = info.host.as_ref().map_or_else(String::new, |host| format!(" → {}", text(host)));
    let label = info.origin.label.as_ref().map_or_else(String::new, |label| format!(" · {}", text(label)));
    let total = &snapshot.total;
    let mut facts = vec![
        format!(
            "**{}** request{}",
            format::count(total.requests),
            if total.requests == 1 { "" } else { "s" }
        ),
        format::run_length(snapshot.elapsed),
        format!("up to {}", format::plural(snapshot.users_max, "user")),
        format!("{}/s", format::rate(total.rate)),
    ];
    if let Some(share) = total.failed_share() {
        facts.push(format!("**{} %** failed", format::percent(share)));
    }
    for percentile in [Percentile::P50, Percentile::P95, Percentile::P99] {
        facts.push(format!("{} {}", percentile.name(), percentile_text(total.ok, percentile)));
    }
    format!(
        "### {sign} {}: {}{host}{label}\n\n{}\n\n{}",
        Verdict::of(record).words(),
        text(&info.name),
        within(&sentence, SENTENCE_COLUMNS),
        facts.join(" · ")
    )
}

/// Warnings about the figures, then the findings.
fn what_happened(record: &RunRecord) -> String {
    let warnings = warnings(&record.snapshot);
    let mut lines: Vec<String> = warnings
        .iter()
        .take(MOST_WARNINGS)
        .map(|warning| format!("- ⚠️ {}", within(&warning.join("; "), SENTENCE_COLUMNS)))
        .collect();
    if warnings.len() > MOST_WARNINGS {
        lines.push(format!("- {} more warnings are in the other reports.", warnings.len() - MOST_WARNINGS));
    }
    let findings = findings(record);
    lines
        .extend(findings.iter().map(|finding| format!("- {}", within(&finding.sentence(), FINDING_COLUMNS))));
    if lines.is_empty() { String::new() } else { format!("#### What happened\n\n{}", lines.join("\n")) }
}

fn limit_table(snapshot: &Snapshot) -> String {
    let row = |stats: &ThresholdStats| {
        let sign = if stats.state == ThresholdState::Holds { "✅" } else { "❌" };
        row(&[
            sign.to_owned(),
            text(&thresholds::whole(&stats.threshold)),
            thresholds::measured(stats),
            thresholds::margin(stats),
            thresholds::first_broken(stats),
        ])
    };
    let rows = snapshot.thresholds.iter().take(MOST_LIMITS).map(row).collect();
    table(&["", "threshold", "actual", "margin", "breached"], rows, snapshot.thresholds.len(), MOST_LIMITS)
}

/// A capacity search: its answer, and the highest rates tried.
fn capacity(snapshot: &Snapshot) -> String {
    let Some(capacity) = snapshot.capacity.as_deref() else { return String::new() };
    let (sentence, has_held) = answer(capacity);
    let steps = capacity.by_rate();
    let rows = steps.iter().skip(steps.len().saturating_sub(MOST_STEPS)).map(|step| {
        let mut outcome = outcome(step);
        if let Some(saturated) = saturated(step) {
            outcome.push_str(&format!(" ({saturated})"));
        }
        row(&[
            if step.why_not.is_none() { "✅" } else { "❌" }.to_owned(),
            format::rate(step.rate),
            format::rate(step.started_rate),
            format::rate(step.request_rate),
            failed(step),
            measured(capacity, step),
            outcome,
        ])
    });
    let columns = ["", "rate/s", "started/s", "requests/s", "failed", "actual", "outcome"];
    let body = table(&columns, rows.collect(), steps.len(), MOST_STEPS);
    let sign = if has_held { "✅" } else { "❌" };
    format!("#### {sign} Capacity\n\n{}\n\n{body}", within(&sentence, SENTENCE_COLUMNS)).trim_end().to_owned()
}

fn endpoint_table(snapshot: &Snapshot) -> String {
    let mut busiest: Vec<&EndpointStats> = snapshot.endpoints.iter().collect();
    busiest.sort_by_key(|stats| std::cmp::Reverse((stats.failures, stats.requests)));
    let shown = busiest.iter().take(MOST_ENDPOINTS).map(|stats| endpoint(stats, false));
    let total = (snapshot.total.requests > 0).then(|| endpoint(&snapshot.total, true));
    let rows: Vec<String> = shown.chain(total).collect();
    let columns = ["", "endpoint", "requests", "failed", "rate/s", "p50", "p95", "p99", "max"];
    let body = table(&columns, rows, busiest.len(), MOST_ENDPOINTS);
    folded(&format!("Endpoints ({})", busiest.len()), &body, busiest.len() <= MOST_ENDPOINTS / 4)
}

fn endpoint(stats: &EndpointStats, is_total: bool) -> String {
    let name = if is_total {
        "**Aggregated**".to_owned()
    } else {
        format!("{} {}", text(&stats.method), text(&stats.name))
    };
    let share =
        stats.failed_share().map_or_else(|| "-".to_owned(), |share| format!("{} %", format::percent(share)));
    row(&[
        if stats.failures > 0 { "❌" } else { "" }.to_owned(),
        name,
        format::count(stats.requests),
        share,
        format::rate(stats.rate),
        percentile_text(stats.ok, Percentile::P50),
        percentile_text(stats.ok, Percentile::P95),
        percentile_text(stats.ok, Percentile::P99),
        stats.ok.map_or_else(|| "-".to_owned(), |ok| format::latency(ok.max_us)),
    ])
}

/// The agents of a distributed run.
fn agent_table(all: &[AgentStats]) -> String {
    let (shown, _) = agents::shown(all, MOST_AGENTS);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let rows = shown.into_iter().map(|agent| {
        row(&[
            if agents::has_problem(agent) { "❌" } else { "" }.to_owned(),
            text(&agent.name),
            agents::state(agent),
            format::count(agent.users_max),
            format::count(agent.requests),
            or_dash(agents::cpu(agent)),
            or_dash(agents::clock(agent)),
            or_dash(agents::verdict(agent)),
        ])
    });
    let columns = ["", "agent", "state", "max users", "requests", "CPU", "clock offset", "generator"];
    let body = table(&columns, rows.collect(), all.len(), MOST_AGENTS);
    folded(&format!("Agents ({})", all.len()), &body, all.len() <= MOST_AGENTS / 4)
}

/// Checks that failed.
fn checks(snapshot: &Snapshot) -> String {
    let failed: Vec<_> = snapshot.checks.iter().filter(|(_, count)| count.fails > 0).collect();
    let rows = failed
        .iter()
        .take(MOST_ERRORS)
        .map(|(name, count)| row(&[text(name), format::count(count.passes), format::count(count.fails)]));
    table(&["failed checks", "passed", "failed"], rows.collect(), failed.len(), MOST_ERRORS)
}

fn errors(snapshot: &Snapshot) -> String {
    let requests = snapshot.failures.iter().take(MOST_ERRORS).map(|(key, group)| {
        let status = if key.status == 0 { String::new() } else { format!(" {}", key.status) };
        let message = group.messages.first().map(String::as_str).unwrap_or_default();
        row(&[
            format::count(group.count),
            format!("{}{status}", text(key.kind.as_str())),
            format!("{} {}", text(&key.method), text(&key.name)),
            text(message),
        ])
    });
    let scripts = snapshot.script_errors.iter().take(MOST_ERRORS).map(|group| {
        row(&[
            format::count(group.count),
            "script".to_owned(),
            text(&group.first.position),
            text(&group.first.message),
        ])
    });
    let rows: Vec<String> = requests.chain(scripts).collect();
    let more = |count: usize| count.saturating_sub(MOST_ERRORS);
    let left_out = more(snapshot.failures.len()) + more(snapshot.script_errors.len());
    let all = rows.len() + left_out;
    let shown = rows.len();
    table(&["count", "error", "location", "first message"], rows, all, shown)
}

/// A table with its header; `all` rows exist, of which at most `most` are in `rows`. Nothing without a row.
fn table(columns: &[&str], rows: Vec<String>, all: usize, most: usize) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let header = format!("| {} |", columns.join(" | "));
    // Names stand on the left, figures on the right.
    let is_name = |column: &&str| {
        matches!(
            *column,
            "" | "threshold"
                | "endpoint"
                | "agent"
                | "state"
                | "generator"
                | "failed checks"
                | "error"
                | "location"
                | "first message"
                | "outcome"
        )
    };
    let rule: Vec<&str> = columns.iter().map(|column| if is_name(column) { ":--" } else { "--:" }).collect();
    let mut lines = vec![header, format!("| {} |", rule.join(" | "))];
    lines.extend(rows);
    if all > most {
        lines.push(format!("\n{} more are in the other reports.", all - most));
    }
    lines.join("\n")
}

fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// A part that is opened by a click, unless it is short.
fn folded(title: &str, body: &str, is_open: bool) -> String {
    match (body.is_empty(), is_open) {
        (true, _) => String::new(),
        (false, true) => body.to_owned(),
        (false, false) => format!("<details><summary>{title}</summary>\n\n{body}\n\n</details>"),
    }
}

/// Untrusted text: one line, without credentials, with every special character as an entity.
fn text(text: &str) -> String {
    within(text, NAME_COLUMNS)
}

fn within(text: &str, columns: usize) -> String {
    let line = cut_middle(&clean_line(&masked(text)), columns, "…");
    let mut safe = String::with_capacity(line.len());
    let mut before = ' ';
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        // An underscore inside a word is one; at its border it makes what follows slanted.
        let is_inside = before.is_alphanumeric() && rest.peek().is_some_and(|next| next.is_alphanumeric());
        let has_meaning =
            matches!(c, '&' | '<' | '>' | '|' | '\\' | '`' | '*' | '~' | '[' | ']' | '#' | '@' | '$')
                || (c == '_' && !is_inside);
        if has_meaning {
            safe.push_str(&format!("&#{};", u32::from(c)));
        } else {
            safe.push(c);
        }
        before = c;
    }
    // A bare address would become a link.
    safe.replace("://", "&#58;//").replace("www.", "www&#46;")
}

fn cut(text: String) -> String {
    if text.len() <= MOST_BYTES {
        return text;
    }
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= MOST_BYTES).last().unwrap_or(0);
    let end = text[..end].rfind('\n').unwrap_or(end);
    let close = if text[..end].matches("<details>").count() > text[..end].matches("</details>").count() {
        "\n\n</details>"
    } else {
        ""
    };
    format!("{}{close}\n\nThe rest did not fit; it is in the other reports.\n", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, assert_golden};
    use crate::plan::EndedBy;

    #[test]
    fn a_run_in_a_comment() {
        let run = fixture::limited();
        assert_golden("run.md", &markdown(&fixture::record(EndedBy::RunTime, run.last().unwrap())));
        assert_golden("run_empty.md", &markdown(&fixture::record(EndedBy::RunTime, &fixture::empty())));
    }

    #[test]
    fn what_happened_and_what_makes_it_doubtful_is_told() {
        let mut run = fixture::finished();
        run.notes = vec!["scenario '@all': <b> 7 of 10\nsamples".to_owned(); MOST_WARNINGS];
        run.interrupted_requests = 1_200;
        run.series_folded = true;
        let whole = markdown(&fixture::record(EndedBy::RunTime, &run));
        let part = whole.split("#### What happened\n\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let lines: Vec<&str> = part.lines().collect();
        assert!(lines.iter().all(|line| line.starts_with("- ")), "{part}");
        assert!(lines[0].starts_with("- ⚠️ scenario '&#64;all': &#60;b&#62; 7 of 10"), "{part}");
        assert_eq!(lines[MOST_WARNINGS], "- 2 more warnings are in the other reports.");
        let found = findings(&fixture::record(EndedBy::RunTime, &run));
        assert!((1..=7).contains(&found.len()), "{found:?}");
        assert_eq!(lines.len(), MOST_WARNINGS + 1 + found.len(), "{part}");
        run.notes.truncate(0);
        let whole = markdown(&fixture::record(EndedBy::RunTime, &run));
        assert!(
            whole.contains(
                "- ⚠️ 1,200 requests had no response when the run stopped and are not counted\n\
                 - ⚠️ too many distinct request names: new ones are counted as (other); give requests"
            ),
            "{whole}"
        );
        // Nothing happened: nothing is said.
        assert!(what_happened(&fixture::record(EndedBy::RunTime, &fixture::empty())).is_empty());
    }

    #[test]
    fn agents_in_a_comment() {
        let mut run = fixture::distributed();
        run.agents[0].name = "a|<1>".to_owned();
        let whole = markdown(&fixture::record(EndedBy::RunTime, &run));
        for expected in [
            "|  | a&#124;&#60;1&#62; | done (lost 00:02-00:05) | 4 | 561 | 12 % of 2 cores | 0 ± 85µs | kept up |\n",
            "| ❌ | a3 | lost at 00:06 | 4 | 202 | 12 % of 2 cores | −1.5ms ± 110µs | kept up |\n",
            "|  | a4 | running | 0 | 0 | - | - | - |\n",
            "- ⚠️ agent 'a3' did not come back: what it had not reported is not counted\n",
        ] {
            assert!(whole.contains(expected), "{expected} in {whole}");
        }
    }

    #[test]
    fn a_search_in_a_comment() {
        let mut run = fixture::finished();
        run.capacity = Some(fixture::capacity().into());
        let whole = markdown(&fixture::record(EndedBy::CapacityFound, &run));
        let part = whole.split("#### ").nth(2).unwrap();
        assert!(
            part.starts_with(
                "✅ Capacity\n\n120.0/s held http_resp_time: p(95) &#60; 200ms with 0.25 % of requests failing, 140.0/s did not"
            ),
            "{part}"
        );
        for expected in [
            "| ✅ | 120.0 | 120.0 | 240.0 | 0.25 % | 95.5ms | held |\n",
            "| ❌ | 160.0 | 160.0 | 320.0 | 50.0 % | 810ms | the threshold was breached (the generator was saturated) |\n",
            "| ❌ | 170.0 | 170.0 | 340.0 | - | - | nothing was measured |\n",
        ] {
            assert!(part.contains(expected), "{expected} in {part}");
        }
        let many = (1..=100).map(|rate| fixture::capacity_step(f64::from(rate), Some(1.0), None));
        let many = crate::metrics::CapacityStats { steps: many.collect(), ..fixture::capacity() };
        run.capacity = Some(many.into());
        let whole = markdown(&fixture::record(EndedBy::CapacityFound, &run));
        assert!(whole.contains("| ✅ | 61.0 |") && !whole.contains("| ✅ | 60.0 |"), "the highest are there");
        assert!(whole.contains("60 more are in the other reports."), "{whole}");
    }

    #[test]
    fn what_changed_in_a_comment() {
        let comparison = crate::analysis::made_comparison("GET", "/a|b");
        assert_golden("comparison.md", &comparison_markdown(&comparison));
        let run = fixture::limited();
        let record = fixture::record(EndedBy::RunTime, run.last().unwrap());
        let whole = compared_markdown(&record, Some(&comparison));
        assert!(whole.contains(comparison_markdown(&comparison).trim_end()), "{whole}");
    }

    #[test]
    fn text_from_outside_stays_text() {
        let safe = text("@all #1 <script> [a](http://b) `c` |d| *e* _f_ ~g~ $h$ &amp;\n# i\u{1b}[2J");
        for c in ['@', '<', '[', ']', '`', '|', '*', '_', '~', '$', '\n', '\u{1b}'] {
            assert!(!safe.contains(c), "{c:?} in {safe}");
        }
        // `#` stands in entities only.
        assert!(safe.match_indices('#').all(|(at, _)| safe[..at].ends_with('&')), "{safe}");
        assert!(!safe.contains("http:"), "{safe}");
        assert!(text("token=abc").contains("&#42;&#42;&#42;"));
        assert_eq!(text("http_req_failed _a"), "http_req_failed &#95;a");
    }

    #[test]
    fn it_fits_into_a_comment_however_large_the_run() {
        let snapshot = fixture::many_endpoints(500, 2).pop().unwrap();
        let whole = markdown(&fixture::record(EndedBy::RunTime, &snapshot));
        assert!(
            whole.len() < MOST_BYTES && whole.contains("460 more are in the other reports."),
            "{}",
            whole.len()
        );
        assert!(whole.contains("<details><summary>Endpoints (500)</summary>"));
        let long = cut(format!("<details>\n{}", "é | x\n".repeat(20_000)));
        assert!(long.len() < MOST_BYTES + 200 && long.contains("</details>"), "{}", long.len());
    }
}
