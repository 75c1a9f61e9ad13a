//! Parses `METRIC[{tag:value, …}]: AGG OP VALUE[UNIT] [over WINDOW] [in PHASE] [abort [after TIME]]`.
//!
//! Pure. Accepts k6 expressions unchanged. Invariant: a problem points at the faulty characters, and all
//! independent problems are reported at once.

use std::time::Duration;

use super::problem::Problem;
use super::{Aggregation, Operator, Quantity, Threshold};
use crate::metrics::builtin::CustomMetric;
use crate::metrics::builtin::{Metric, TagUse, find, names};
use crate::text::did_you_mean;
use crate::text::parse_duration;

/// Longest window; its seconds are kept in memory.
const LONGEST_WINDOW: Duration = Duration::from_secs(3600);

const AGGREGATIONS: [(&str, Aggregation); 8] = [
    ("avg", Aggregation::Avg),
    ("min", Aggregation::Min),
    ("med", Aggregation::Med),
    ("max", Aggregation::Max),
    ("count", Aggregation::Count),
    ("rate", Aggregation::Rate),
    ("sum", Aggregation::Sum),
    ("value", Aggregation::Value),
];

/// Longest first, so that `<=` is not read as `<`.
const COMPARISONS: [(&str, Operator); 7] = [
    ("===", Operator::Equal),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

/// Reads a threshold on a metric of the engine or one of `own`.
pub(super) fn parse(text: &str, own: &[CustomMetric]) -> Result<Threshold, Vec<Problem>> {
    let mut reader = Reader { text, at: 0, problems: Vec::new() };
    match reader.threshold(own) {
        Ok(threshold) if reader.problems.is_empty() => Ok(threshold),
        Ok(_) => Err(reader.problems),
        Err(problem) => {
            reader.problems.push(problem);
            Err(reader.problems)
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Bytes that are read.
    at: usize,
    /// Problems after which reading could go on.
    problems: Vec<Problem>,
}

/// The threshold for a name that other tools, or people, have for a metric.
fn instead_of(name: &str) -> Option<&'static str> {
    const NAMES: [(&[&str], &str); 9] = [
        (
            &[
                "errors",
                "error",
                "error_rate",
                "errors_rate",
                "failures",
                "failed",
                "fail_ratio",
                "fail_rate",
                "failure_rate",
            ],
            "http_req_failed: rate < 1%",
        ),
        (&["cpu", "cpu_usage", "cpu_percent", "process_cpu"], "target_cpu: max < 85%"),
        (&["memory", "mem", "ram", "rss", "memory_usage", "process_memory"], "target_memory: max < 1GB"),
        (&["p50", "median", "med"], "http_req_duration: p(50) < 100ms"),
        (&["p90"], "http_req_duration: p(90) < 150ms"),
        (
            &["p95", "latency", "duration", "response_time", "responsetime", "avg_response_time"],
            "http_req_duration: p(95) < 200ms",
        ),
        (&["p99"], "http_req_duration: p(99) < 500ms"),
        (
            &["rps", "throughput", "requests", "reqs", "requests_per_second", "current_rps", "total_rps"],
            "http_reqs: rate > 50/s",
        ),
        (&["check", "checks_rate", "success", "success_rate"], "checks: rate > 99%"),
    ];
    let wanted = name.to_lowercase().replace(['-', '.'], "_");
    NAMES.iter().find(|(names, _)| names.contains(&wanted.as_str())).map(|(_, expression)| *expression)
}

impl<'a> Reader<'a> {
    fn threshold(&mut self, own: &[CustomMetric]) -> Result<Threshold, Problem> {
        let (name, metric) = self.metric(own)?;
        let tags = self.tags(name, metric)?;
        self.spaces();
        if !self.take(":") {
            return Err(self.here("expected ':' after the metric, as in http_req_duration: p(95) < 200ms"));
        }
        self.spaces();
        let start = self.at;
        let aggregation = self.aggregation(name, metric)?;
        let comparison = self.comparison()?;
        let quantity = metric.map_or(Quantity::Number, |metric| metric.quantity_of(aggregation));
        let limit = self.limit(quantity, metric.is_some())?;
        let mut threshold = Threshold {
            metric: name.to_owned(),
            tags,
            aggregation,
            comparison,
            limit,
            quantity,
            window: None,
            phase: None,
            abort_after: None,
            if_measured: false,
            expression: String::new(),
        };
        self.clauses(&mut threshold)?;
        let written: Vec<&str> = self.text[start..].split_whitespace().collect();
        threshold.expression = written.join(" ");
        Ok(threshold)
    }

    fn metric(&mut self, own: &[CustomMetric]) -> Result<(&'a str, Option<Metric>), Problem> {
        self.spaces();
        let start = self.at;
        let name = self.word(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if name.is_empty() {
            return Err(self.here("expected the name of a metric, as in http_req_duration: p(95) < 200ms"));
        }
        let metric = find(name, own);
        if metric.is_none() {
            if let Some(expression) = instead_of(name) {
                let message = format!("unknown metric '{name}' — write {expression}");
                return Err(Problem::new(start, name.len(), message));
            }
            let hint = did_you_mean(name, names(own));
            let hint = if hint.is_empty() {
                format!(
                    "; docs/metrics.md lists the built-in metrics; declare a custom one at the top level of \
                     the script, as in let {name} = metrics::trend(\"{name}\")"
                )
            } else {
                hint
            };
            self.problems.push(Problem::new(start, name.len(), format!("unknown metric '{name}'{hint}")));
        }
        Ok((name, metric))
    }

    fn tags(&mut self, name: &str, metric: Option<Metric>) -> Result<Vec<(String, String)>, Problem> {
        let mut tags: Vec<(String, String)> = Vec::new();
        let open = self.at;
        if !self.take("{") {
            return Ok(tags);
        }
        loop {
            self.spaces();
            let start = self.at;
            let key = self.word(|c| !matches!(c, ':' | ',' | '{' | '}')).trim_end();
            if key.is_empty() {
                return Err(self.here("expected a tag, as in {name:/checkout}"));
            }
            if !self.take(":") {
                return Err(self.here(&format!("expected ':' and a value after the tag '{key}'")));
            }
            let value_at = self.at;
            let value = self.tag_value(open)?;
            match metric.map(|metric| check_tag(name, metric.tags(), key, &value)) {
                Some(Err((in_value, message))) if in_value => {
                    self.problems.push(Problem::new(value_at, self.at - value_at, message));
                }
                Some(Err((_, message))) => self.problems.push(Problem::new(start, key.len(), message)),
                _ if tags.iter().any(|(known, _)| known == key) => {
                    let message = format!("duplicate tag '{key}'; a sample has only one value of it");
                    self.problems.push(Problem::new(start, key.len(), message));
                }
                _ => tags.push((key.to_owned(), value)),
            }
            self.spaces();
            if self.take("}") {
                return Ok(tags);
            }
            if !self.take(",") {
                return Err(self.here("expected ',' and another tag, or '}'"));
            }
        }
    }

    /// The value of a tag: in quotes, or up to the comma or the brace that closes. Braces in it may be nested,
    /// as in `{name:/items/{id}}`.
    fn tag_value(&mut self, open: usize) -> Result<String, Problem> {
        self.spaces();
        let rest = &self.text[self.at..];
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let Some(end) = rest[1..].find(quote) else {
                return Err(Problem::new(self.at, rest.len(), "unclosed quote"));
            };
            self.at += end + 2;
            return Ok(rest[1..=end].to_owned());
        }
        let mut depth = 0;
        for (index, c) in rest.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    self.at += index;
                    let value = rest[..index].trim();
                    if value.is_empty() {
                        return Err(self.here("expected the value of the tag"));
                    }
                    return Ok(value.to_owned());
                }
                _ => {}
            }
        }
        Err(Problem::new(open, 1, "unclosed brace"))
    }

    fn aggregation(&mut self, name: &str, metric: Option<Metric>) -> Result<Aggregation, Problem> {
        let start = self.at;
        let word = self.word(|c| c.is_alphanumeric() || c == '.');
        self.spaces();
        let aggregation = if word == "p" {
            self.percentile()?
        } else if let Some((_, known)) = AGGREGATIONS.iter().find(|(known, _)| *known == word) {
            *known
        } else if word.is_empty() {
            return Err(self
                .here("expected a statistic of the metric: avg, min, med, max, p(95), count, rate or sum"));
        } else {
            return Err(Problem::new(start, word.len(), unknown_figure(word)));
        };
        let checked = metric.map_or(Ok(()), |metric| metric.check(name, aggregation));
        if let Err(message) = checked {
            self.problems.push(Problem::new(start, self.text[start..self.at].trim_end().len(), message));
        }
        Ok(aggregation)
    }

    fn percentile(&mut self) -> Result<Aggregation, Problem> {
        if !self.take("(") {
            return Err(self.here("expected the number of the percentile, as in p(95)"));
        }
        self.spaces();
        let start = self.at;
        let number = self.word(|c| !matches!(c, ')' | ' '));
        let percentile = number.parse::<f64>().ok().filter(|number| (0.0..=100.0).contains(number));
        let Some(percentile) = percentile else {
            let message =
                format!("'{number}' is not a percentile; use a number from 0 to 100, as in p(99.9)");
            return Err(Problem::new(start, number.len(), message));
        };
        self.spaces();
        if !self.take(")") {
            return Err(self.here("expected ')'"));
        }
        Ok(Aggregation::Percentile(percentile))
    }

    fn comparison(&mut self) -> Result<Operator, Problem> {
        self.spaces();
        for (sign, comparison) in COMPARISONS {
            if self.take(sign) {
                return Ok(comparison);
            }
        }
        let hint = if self.text[self.at..].starts_with('=') { " — did you mean '=='?" } else { "" };
        Err(self.here(&format!("expected a comparison: <, <=, >, >=, == or !={hint}")))
    }

    fn limit(&mut self, quantity: Quantity, is_known: bool) -> Result<f64, Problem> {
        self.spaces();
        let start = self.at;
        let token = self.word(|c| !c.is_whitespace());
        if token.is_empty() {
            return Err(self.here("expected a number"));
        }
        let number_length = number_length(token);
        let Some(number) = token[..number_length].parse::<f64>().ok().filter(|number| number.is_finite())
        else {
            return Err(Problem::new(start, token.len(), format!("'{token}' is not a number")));
        };
        let mut unit = &token[number_length..];
        let mut unit_at = start + number_length;
        let after = self.at;
        if unit.is_empty() {
            // As people write it: 5 %, 200 ms.
            self.spaces();
            unit_at = self.at;
            unit = self.word(|c| !c.is_whitespace());
            if matches!(unit, "over" | "in" | "abort") || unit.is_empty() {
                self.at = after;
                unit = "";
            }
        }
        match quantity.read(number, unit) {
            _ if !is_known => Ok(number),
            Ok(limit) => Ok(limit),
            Err(message) => {
                let is_apart = number_length == token.len();
                match quantity.read_compound(token).filter(|_| !is_apart) {
                    Some(limit) => Ok(limit),
                    None => {
                        let hint = if is_apart {
                            did_you_mean(unit, ["over", "in", "abort"])
                        } else {
                            String::new()
                        };
                        self.problems.push(Problem::new(unit_at, unit.len(), format!("{message}{hint}")));
                        Ok(number)
                    }
                }
            }
        }
    }

    fn clauses(&mut self, threshold: &mut Threshold) -> Result<(), Problem> {
        loop {
            self.spaces();
            let start = self.at;
            let word = self.word(|c| !c.is_whitespace());
            let twice = match word {
                "" => return Ok(()),
                "over" => threshold.window.replace(self.window()?).is_some(),
                "in" => threshold.phase.replace(self.phase()?).is_some(),
                "abort" => threshold.abort_after.replace(self.abort()?).is_some(),
                _ => {
                    let hint = did_you_mean(word, ["over", "in", "abort"]);
                    let message = format!(
                        "unexpected '{word}'{hint}; only over TIME, in PHASE, abort or abort after TIME can \
                         follow the value"
                    );
                    return Err(Problem::new(start, word.len(), message));
                }
            };
            if twice {
                return Err(Problem::new(start, word.len(), format!("duplicate '{word}'")));
            }
        }
    }

    fn window(&mut self) -> Result<Duration, Problem> {
        let (start, length, window) = self.duration("over")?;
        if window < Duration::from_secs(1) || window > LONGEST_WINDOW || window.subsec_nanos() != 0 {
            let message = "a window must be whole seconds, from 1s to 1h";
            return Err(Problem::new(start, length, message));
        }
        Ok(window)
    }

    fn phase(&mut self) -> Result<String, Problem> {
        self.spaces();
        let start = self.at;
        let rest = &self.text[start..];
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let Some(end) = rest[1..].find(quote) else {
                return Err(Problem::new(start, rest.len(), "unclosed quote"));
            };
            self.at += end + 2;
            return Ok(rest[1..=end].to_owned());
        }
        let phase = self.word(|c| !c.is_whitespace());
        if phase.is_empty() {
            return Err(
                self.here("expected a phase after 'in': ramp-up, steady, ramp-down or the name of a stage")
            );
        }
        Ok(phase.to_owned())
    }

    fn abort(&mut self) -> Result<Duration, Problem> {
        let before = self.at;
        self.spaces();
        if self.word(|c| !c.is_whitespace()) == "after" {
            return self.duration("after").map(|(_, _, time)| time);
        }
        self.at = before;
        Ok(Duration::ZERO)
    }

    /// A time after a word, with its place and length.
    fn duration(&mut self, word: &str) -> Result<(usize, usize, Duration), Problem> {
        self.spaces();
        let start = self.at;
        let text = self.word(|c| !c.is_whitespace());
        if text.is_empty() {
            return Err(self.here(&format!("expected a time after '{word}', as in {word} 30s")));
        }
        match parse_duration(text) {
            Ok(time) => Ok((start, text.len(), time)),
            Err(message) => Err(Problem::new(start, text.len(), message)),
        }
    }

    fn spaces(&mut self) {
        self.word(char::is_whitespace);
    }

    /// The characters from here on of which all are so.
    fn word(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn take(&mut self, sign: &str) -> bool {
        let is_there = self.text[self.at..].starts_with(sign);
        if is_there {
            self.at += sign.len();
        }
        is_there
    }

    fn here(&self, message: &str) -> Problem {
        let came = &self.text[self.at..];
        let length = came.chars().next().map_or(1, char::len_utf8);
        let end = if came.is_empty() { ", not the end" } else { "" };
        Problem::new(self.at, length, format!("{message}{end}"))
    }
}

fn unknown_figure(word: &str) -> String {
    let number = word.strip_prefix('p').filter(|number| number.parse::<f64>().is_ok());
    let hint = match word {
        "mean" | "average" => " — did you mean 'avg'?".to_owned(),
        "median" => " — did you mean 'med'?".to_owned(),
        _ => match number {
            Some(number) => format!(" — did you mean 'p({number})'?"),
            None => did_you_mean(word, AGGREGATIONS.iter().map(|(name, _)| *name)),
        },
    };
    format!("unknown statistic '{word}'{hint} (known: avg, min, med, max, p(N), count, rate, sum, value)")
}

/// Whether samples of a metric can be told apart by a tag; an error says whether its value is to blame, and why.
fn check_tag(metric: &str, usage: TagUse, key: &str, value: &str) -> Result<(), (bool, String)> {
    match usage {
        TagUse::No => Err((false, format!("'{metric}' has no tags: it is measured for the whole run"))),
        TagUse::Scenario if key != "scenario" => {
            Err((false, format!("'{metric}' has only the tag 'scenario', not '{key}'")))
        }
        TagUse::Request if key == "status" && value.parse::<u16>().is_err() => {
            Err((true, format!("'{value}' is not a status; use a number such as 503, or 0 for no response")))
        }
        TagUse::Request if key == "expected_response" && !matches!(value, "true" | "false") => {
            Err((true, "expected_response must be true or false".to_owned()))
        }
        TagUse::Any if matches!(key, "method" | "status" | "expected_response") => {
            Err((false, format!("'{key}' is a tag of requests; '{metric}' has none")))
        }
        TagUse::Scenario | TagUse::Request | TagUse::Any => Ok(()),
    }
}

/// How much of a token is its number: `1e3` is one, `5e` is not.
fn number_length(token: &str) -> usize {
    let bytes = token.as_bytes();
    let mut end = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let is_number = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_digit());
    while is_number(bytes.get(end)) || bytes.get(end) == Some(&b'.') {
        end += 1;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let mut exponent = end + 1 + sign;
        if is_number(bytes.get(exponent)) {
            while is_number(bytes.get(exponent)) {
                exponent += 1;
            }
            end = exponent;
        }
    }
    end
}

#[cfg(test)]
mod tests;
