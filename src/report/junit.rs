//! JUnit XML: a test case for each limit, each check and each endpoint with failures, as CI tools show them.
//!
//! Pure. Owns what is a failure there and what is only told. Invariants: the counts of a suite are those of its cases;
//! whatever a name or a message holds, the file is well-formed XML.

use std::time::Duration;

use super::markup::escape;
use super::text::figures_of;
use crate::analysis::Verdict;
use crate::analysis::capacity::{answer, failed, measured, outcome};
use crate::analysis::thresholds;
use crate::metrics::masked;
use crate::metrics::{CapacityStep, EndpointStats, Snapshot, ThresholdState, ThresholdStats};
use crate::plan::{EndedBy, RunInfo};
use crate::text::clean_line;
use crate::text::format;
use crate::text::utc;

/// Kinds of failure that an endpoint lists.
const MOST_KINDS: usize = 10;

/// A run as JUnit XML.
///
/// Limits that were not kept are failures. Failed checks and failed requests are failures unless a limit on
/// `checks` or `http_req_failed` says how many are too many; then they are only told. A run that could not be made
/// is an error.
pub fn junit(info: &RunInfo, ended_by: &EndedBy, snapshot: &Snapshot) -> String {
    let suites = [
        run(info, ended_by, snapshot),
        limit_suite(info, snapshot),
        capacity(info, snapshot),
        checks(info, snapshot),
        endpoints(info, snapshot),
    ];
    let suites: Vec<Suite> = suites.into_iter().filter(|suite| !suite.cases.is_empty()).collect();
    let sum = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
    let (tests, failures, errors) = (sum(Suite::tests), sum(Suite::failures), sum(Suite::errors));
    let name = attribute(&info.name);
    let time = seconds(snapshot.elapsed);
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    xml.push_str(&format!(
        "<testsuites name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{time}\">\n"
    ));
    // The form of JUnit has no zone; it is UTC.
    let timestamp = utc(info.started_at);
    let head = format!("timestamp=\"{}\" time=\"{time}\"", timestamp.trim_end_matches('Z'));
    suites.iter().for_each(|suite| suite.write(&head, &mut xml));
    xml.push_str("</testsuites>\n");
    xml
}

struct Suite {
    name: String,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    /// Seconds.
    time: String,
    outcome: Outcome,
    /// What is told besides.
    output: String,
}

enum Outcome {
    Passed,
    /// Its kind, a sentence, and more about it.
    Failed(&'static str, String, String),
    Error(&'static str, String),
}

impl Suite {
    fn new(info: &RunInfo, kind: &str, cases: Vec<Case>) -> Suite {
        Suite { name: format!("{}.{kind}", info.name), cases }
    }

    fn tests(&self) -> usize {
        self.cases.len()
    }

    fn failures(&self) -> usize {
        self.cases.iter().filter(|case| matches!(case.outcome, Outcome::Failed(..))).count()
    }

    fn errors(&self) -> usize {
        self.cases.iter().filter(|case| matches!(case.outcome, Outcome::Error(..))).count()
    }

    fn write(&self, head: &str, xml: &mut String) {
        let name = attribute(&self.name);
        let (tests, failures, errors) = (self.tests(), self.failures(), self.errors());
        xml.push_str(&format!(
            "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\" \
             {head}>\n"
        ));
        for case in &self.cases {
            let (case_name, time) = (attribute(&case.name), &case.time);
            xml.push_str(&format!("    <testcase classname=\"{name}\" name=\"{case_name}\" time=\"{time}\""));
            if matches!(case.outcome, Outcome::Passed) && case.output.is_empty() {
                xml.push_str("/>\n");
                continue;
            }
            xml.push_str(">\n");
            match &case.outcome {
                Outcome::Passed => {}
                Outcome::Failed(kind, sentence, more) => xml.push_str(&format!(
                    "      <failure type=\"{kind}\" message=\"{}\">{}</failure>\n",
                    attribute(sentence),
                    content(more)
                )),
                Outcome::Error(kind, sentence) => xml.push_str(&format!(
                    "      <error type=\"{kind}\" message=\"{}\">{}</error>\n",
                    attribute(sentence.lines().next().unwrap_or_default()),
                    content(sentence)
                )),
            }
            if !case.output.is_empty() {
                xml.push_str(&format!("      <system-out>{}</system-out>\n", content(&case.output)));
            }
            xml.push_str("    </testcase>\n");
        }
        xml.push_str("  </testsuite>\n");
    }
}

/// The run as a whole: whether it could be made.
fn run(info: &RunInfo, ended_by: &EndedBy, snapshot: &Snapshot) -> Suite {
    let outcome = match Verdict::of(ended_by, snapshot) {
        Verdict::SetupFailed(error) => Outcome::Error("setup", error.to_owned()),
        Verdict::Aborted(reason) => Outcome::Error("aborted", reason.to_owned()),
        Verdict::NoRequests => Outcome::Error("no requests", "zero requests is never a pass".to_owned()),
        Verdict::StoppedBySignal => Outcome::Error("signal", "a signal stopped the run".to_owned()),
        Verdict::Unfinished => Outcome::Error("unfinished", "the run was killed before its end".to_owned()),
        // Limits are cases of their own, and so is a search.
        Verdict::LimitsBroken(_, _)
        | Verdict::LimitsKept(_)
        | Verdict::NoLimitsSet
        | Verdict::Capacity(_) => nothing_done(snapshot).unwrap_or(Outcome::Passed),
    };
    let errors = snapshot.script_errors.iter().take(MOST_KINDS);
    let errors: Vec<String> = errors
        .map(|group| {
            let count = format::count(group.count);
            format!("script error ×{count}: {} {}", group.first.position, group.first.message)
        })
        .collect();
    let output = std::iter::once(figures_of(snapshot)).chain(errors).collect::<Vec<_>>().join("\n");
    let case = Case { name: "the run".to_owned(), time: seconds(snapshot.elapsed), outcome, output };
    Suite::new(info, "run", vec![case])
}

/// A run without an iteration that came to its end: whatever its limits say, it did nothing of what the script is for.
fn nothing_done(snapshot: &Snapshot) -> Option<Outcome> {
    let iterations = &snapshot.iterations;
    if iterations.completed > 0 || iterations.failed == 0 {
        return None;
    }
    let mut sentence = match iterations.failed {
        1 => "the only iteration failed".to_owned(),
        failed => format!("all {} iterations failed", format::count(failed)),
    };
    let first = snapshot.script_errors.iter().min_by_key(|group| group.first_seen);
    if let Some(error) = first.map(|group| &group.first) {
        sentence.push_str(&format!("; first script error: {} {}", error.position, error.message));
    }
    Some(Outcome::Failed(
        "iterations",
        sentence,
        first.map_or_else(String::new, |group| group.first.trace.clone()),
    ))
}

/// A search for the capacity: one case, since a rate that does not hold is what is searched for.
fn capacity(info: &RunInfo, snapshot: &Snapshot) -> Suite {
    let case = snapshot.capacity.as_deref().map(|capacity| {
        let (sentence, has_held) = answer(capacity);
        let step = |step: &CapacityStep| {
            let per_s = |rate: f64| format!("{}/s", format::rate(rate));
            format!(
                "{}: {}, measured {}, {} started, {} requests, {} failed{}",
                per_s(step.rate),
                outcome(step),
                measured(capacity, step),
                per_s(step.started_rate),
                per_s(step.request_rate),
                failed(step),
                if step.generator_saturated { ", the generator was saturated" } else { "" }
            )
        };
        let curve = capacity.by_rate().into_iter().map(step).collect::<Vec<_>>().join("\n");
        let (outcome, output) = if has_held {
            (Outcome::Passed, format!("{sentence}\n{curve}"))
        } else {
            (Outcome::Failed("capacity", sentence, curve), String::new())
        };
        Case { name: capacity.limit.clone(), time: seconds(snapshot.elapsed), outcome, output }
    });
    Suite::new(info, "capacity", case.into_iter().collect())
}

fn limit_suite(info: &RunInfo, snapshot: &Snapshot) -> Suite {
    let case = |stats: &ThresholdStats| Case {
        name: thresholds::whole(&stats.threshold),
        time: seconds(snapshot.elapsed),
        outcome: if stats.state == ThresholdState::Holds {
            Outcome::Passed
        } else {
            let more = format!(
                "measured {} over {}, limit {}, margin {}, broken at {}",
                thresholds::measured(stats),
                stats.threshold.scope(),
                thresholds::demanded(&stats.threshold),
                thresholds::margin(stats),
                thresholds::first_broken(stats)
            );
            Outcome::Failed("limit", thresholds::limit_sentence(stats), more)
        },
        output: String::new(),
    };
    Suite::new(info, "limits", snapshot.thresholds.iter().map(case).collect())
}

fn checks(info: &RunInfo, snapshot: &Snapshot) -> Suite {
    let is_limited = is_limited(snapshot, "checks");
    let cases = snapshot.checks.iter().map(|(name, count)| {
        let text = format!("{} passed, {} failed", format::count(count.passes), format::count(count.fails));
        let (outcome, output) = match count.fails {
            0 => (Outcome::Passed, String::new()),
            _ if is_limited => (Outcome::Passed, text),
            _ => (Outcome::Failed("check", text, String::new()), String::new()),
        };
        Case { name: name.to_string(), time: "0".to_owned(), outcome, output }
    });
    Suite::new(info, "checks", cases.collect())
}

/// Those with failures; the others are in other files.
fn endpoints(info: &RunInfo, snapshot: &Snapshot) -> Suite {
    let is_limited = is_limited(snapshot, "http_req_failed");
    let failing = snapshot.endpoints.iter().filter(|stats| stats.failures > 0);
    let cases = failing.map(|stats| {
        let share = stats.failed_share().map_or_else(|| "-".to_owned(), format::percent);
        let sentence = format!(
            "{} of {} failed ({share} %)",
            format::count(stats.failures),
            format::count(stats.requests)
        );
        let more = kinds(snapshot, stats);
        let (outcome, output) = if is_limited {
            (Outcome::Passed, format!("{sentence}\n{more}"))
        } else {
            (Outcome::Failed("requests", sentence, more), String::new())
        };
        let mean = stats.ok.map_or(0.0, |ok| ok.mean_us / 1e6);
        Case { name: format!("{} {}", stats.method, stats.name), time: format!("{mean:.6}"), outcome, output }
    });
    Suite::new(info, "endpoints", cases.collect())
}

fn kinds(snapshot: &Snapshot, stats: &EndpointStats) -> String {
    let its =
        snapshot.failures.iter().filter(|(key, _)| key.method == stats.method && key.name == stats.name);
    let line = |(key, group): &(crate::metrics::FailureKey, crate::metrics::FailureCount)| {
        let status = if key.status == 0 { String::new() } else { format!(" {}", key.status) };
        let message = group.messages.first().map(|message| format!(": {}", clean_line(message)));
        let message = message.unwrap_or_default();
        format!("{}{status} ×{}{message}", key.kind, group.count)
    };
    its.take(MOST_KINDS).map(line).collect::<Vec<_>>().join("\n")
}

/// Whether a limit says how much of something is too much.
fn is_limited(snapshot: &Snapshot, metric: &str) -> bool {
    snapshot.thresholds.iter().any(|stats| stats.threshold.metric == metric)
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// One line, for an attribute.
fn attribute(text: &str) -> String {
    escape(&clean_line(&masked(text)))
}

/// Lines, for the content of an element.
fn content(text: &str) -> String {
    let masked = masked(text);
    let lines: Vec<String> = masked.lines().map(|line| escape(&clean_line(line))).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, assert_golden};

    #[test]
    fn a_run_as_ci_tools_read_it() {
        let run = fixture::limited();
        assert_golden("junit.xml", &junit(&fixture::info(), &EndedBy::RunTime, run.last().unwrap()));
    }

    #[test]
    fn without_limits_failed_checks_and_requests_are_failures() {
        let xml = junit(&fixture::info(), &EndedBy::RunTime, &fixture::finished());
        assert!(
            xml.contains(
                "<testsuites name=\"shop\" tests=\"4\" failures=\"2\" errors=\"0\" time=\"12.400\">"
            ),
            "{xml}"
        );
        assert!(xml.contains("<failure type=\"check\" message=\"9 passed, 3 failed\">"), "{xml}");
        assert!(xml.contains("<failure type=\"requests\" message=\"4 of 4 failed (100 %)\">"), "{xml}");
        assert!(xml.contains("&lt;b&gt;out of memory&lt;/b&gt;") && !xml.contains('\u{1b}'), "{xml}");
    }

    #[test]
    fn a_search_is_a_case_that_fails_when_no_rate_held() {
        let case = |capacity| {
            let mut snapshot = fixture::partial_second();
            snapshot.capacity = Some(std::sync::Arc::new(capacity));
            junit(&fixture::info(), &EndedBy::CapacityFound, &snapshot)
        };
        let found = case(fixture::capacity());
        assert!(found.contains("tests=\"2\" failures=\"0\" errors=\"0\""), "{found}");
        for expected in [
            "<testcase classname=\"shop.capacity\" name=\"http_resp_time: p(95) &lt; 200ms\" time=\"0.400\">\n      \
             <system-out>120.0/s held http_resp_time: p(95) &lt; 200ms while 0.25 % of its requests failed, 140.0/s did not",
            "\n120.0/s: held, measured 95.5ms, 120.0/s started, 240.0/s requests, 0.25 % failed\n",
            "\n160.0/s: the limit is broken, measured 810ms, 160.0/s started, 320.0/s requests, 50.0 % failed, \
             the generator was saturated\n",
        ] {
            assert!(found.contains(expected), "{expected} in {found}");
        }
        let none = case(crate::metrics::CapacityStats { best: None, ..fixture::capacity() });
        assert!(none.contains("tests=\"2\" failures=\"1\" errors=\"0\""), "{none}");
        assert!(none.contains("<failure type=\"capacity\" message=\"no rate held http_resp_time"), "{none}");
    }

    #[test]
    fn a_run_whose_iterations_all_failed_is_a_failure() {
        let case = |completed, failed| {
            let mut snapshot = fixture::finished();
            (snapshot.iterations.completed, snapshot.iterations.failed) = (completed, failed);
            let xml = junit(&fixture::info(), &EndedBy::RunTime, &snapshot);
            let case = xml.split("name=\"the run\"").nth(1).unwrap().split("</testcase>").next().unwrap();
            (case.to_owned(), snapshot)
        };
        let (all, snapshot) = case(0, 1_234);
        let first = snapshot.script_errors.iter().min_by_key(|group| group.first_seen).unwrap();
        let message = format!(
            "<failure type=\"iterations\" message=\"all 1,234 iterations failed; first script error: {} {}\">",
            attribute(&first.first.position),
            attribute(&first.first.message)
        );
        assert!(all.contains(&message), "{message} in {all}");
        assert!(case(0, 1).0.contains("message=\"the only iteration failed; "));
        for (completed, failed) in [(1, 1_234), (0, 0)] {
            assert!(!case(completed, failed).0.contains("<failure"), "{completed} {failed}");
        }
    }

    #[test]
    fn a_run_that_could_not_be_made_is_an_error() {
        for (ended_by, kind) in [
            (EndedBy::SetupFailed("a.rhai:1:1: <no>\n  1 | x".into()), "setup"),
            (EndedBy::Aborted("a & b".into()), "aborted"),
            (EndedBy::Signal, "signal"),
            (EndedBy::RunTime, "no requests"),
        ] {
            let snapshot = if kind == "no requests" { fixture::empty() } else { fixture::partial_second() };
            let xml = junit(&fixture::info(), &ended_by, &snapshot);
            assert!(
                xml.contains(&format!("<error type=\"{kind}\"")) && xml.contains("errors=\"1\""),
                "{xml}"
            );
        }
    }
}
