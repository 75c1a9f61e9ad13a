//! JUnit XML: a test case for each threshold, each check and each endpoint with failures, as CI tools show them.
//!
//! Pure. Owns what counts as a failure and what is only reported. Invariants: the counts of a suite match its cases;
//! whatever a name or a message holds, the file is well-formed XML.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::text::figures_of;
use crate::analysis::Verdict;
use crate::analysis::capacity::{self, answer, measured, outcome};
use crate::analysis::thresholds;
use crate::credentials::masked;
use crate::metrics::{CapacityStep, EndpointStats, Snapshot, ThresholdState, ThresholdStats};
use crate::plan::{EndedBy, RunRecord};
use crate::text::format;
use crate::text::utc::utc;
use crate::text::{clean_line, clean_lines};

/// Kinds of failure that an endpoint lists.
const MOST_KINDS: usize = 10;

/// A run as JUnit XML.
///
/// Thresholds that were not met are failures. Failed checks and failed requests are failures unless a threshold on
/// `checks` or `http_req_failed` says how many are too many; then they are only reported. A run that could not be made
/// is an error.
pub fn junit(record: &RunRecord) -> String {
    let (RunRecord { info, snapshot, .. }, ended_by) = (record, record.ended_by());
    let suites = [
        ("run", run(ended_by, snapshot)),
        ("thresholds", limit_cases(snapshot)),
        ("capacity", capacity(snapshot)),
        ("checks", checks(snapshot)),
        ("endpoints", endpoints(snapshot)),
    ];
    let mut report = Report::new(line(&info.name));
    report.set_time(snapshot.elapsed);
    // The form of JUnit has no zone; it is UTC.
    let timestamp = utc(info.started_at);
    for (kind, cases) in suites.into_iter().filter(|(_, cases)| !cases.is_empty()) {
        let name = line(&format!("{}.{kind}", info.name));
        let mut suite = TestSuite::new(name.as_str());
        suite.set_time(snapshot.elapsed);
        suite.extra.insert("timestamp".into(), timestamp.trim_end_matches('Z').into());
        for mut case in cases {
            case.set_classname(name.as_str());
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    report.to_string().expect("writing text to memory does not fail")
}

fn passed(name: &str, time: Duration, output: &str) -> TestCase {
    let mut case = case(name, time, TestCaseStatus::success());
    if !output.is_empty() {
        case.set_system_out(lines(output));
    }
    case
}

/// Its kind, a sentence, and more about it.
fn failed(name: &str, time: Duration, kind: &str, sentence: &str, more: &str) -> TestCase {
    case(name, time, status(NonSuccessKind::Failure, kind, sentence, more))
}

fn case(name: &str, time: Duration, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(line(name), status);
    case.set_time(time);
    case
}

fn status(kind: NonSuccessKind, ty: &str, sentence: &str, more: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(ty).set_message(line(sentence));
    if !more.is_empty() {
        status.set_description(lines(more));
    }
    status
}

/// The run as a whole: whether it could be made.
fn run(ended_by: &EndedBy, snapshot: &Snapshot) -> Vec<TestCase> {
    let error = |kind, sentence: &str| {
        let first = sentence.lines().next().unwrap_or_default();
        status(NonSuccessKind::Error, kind, first, sentence)
    };
    let status = match Verdict::of(ended_by, snapshot) {
        Verdict::SetupFailed(why) => error("setup", why),
        Verdict::Aborted(reason) => error("aborted", reason),
        Verdict::NoRequests => error("no requests", "zero requests is never a pass"),
        Verdict::StoppedBySignal => error("signal", "a signal stopped the run"),
        Verdict::Unfinished => error("unfinished", "the run was killed before its end"),
        // Thresholds are cases of their own, and so is a capacity search.
        Verdict::ThresholdsBreached(_, _)
        | Verdict::ThresholdsMet(_)
        | Verdict::NoThresholdsSet
        | Verdict::Capacity(_) => nothing_done(snapshot).unwrap_or_else(TestCaseStatus::success),
    };
    let errors = snapshot.script_errors.iter().take(MOST_KINDS);
    let errors = errors.map(|group| {
        let count = format::count(group.count);
        format!("script error ×{count}: {} {}", group.first.position, group.first.message)
    });
    let output = std::iter::once(figures_of(snapshot)).chain(errors).collect::<Vec<_>>().join("\n");
    let mut case = case("the run", snapshot.elapsed, status);
    case.set_system_out(lines(&output));
    vec![case]
}

/// A run without a completed iteration: whatever its thresholds say, the script did not do its job.
fn nothing_done(snapshot: &Snapshot) -> Option<TestCaseStatus> {
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
    let trace = first.map_or("", |group| &group.first.trace);
    Some(status(NonSuccessKind::Failure, "iterations", &sentence, trace))
}

/// A capacity search is one case, since finding a rate that does not hold is its purpose.
fn capacity(snapshot: &Snapshot) -> Vec<TestCase> {
    let case = snapshot.capacity.as_deref().map(|capacity| {
        let (sentence, has_held) = answer(capacity);
        let step = |step: &CapacityStep| {
            let per_s = |rate: f64| format!("{}/s", format::rate(rate));
            format!(
                "{}: {}, actual {}, {} started, {} requests, {} failed{}",
                per_s(step.rate),
                outcome(step),
                measured(capacity, step),
                per_s(step.started_rate),
                per_s(step.request_rate),
                capacity::failed(step),
                if step.generator_saturated { ", the generator was saturated" } else { "" }
            )
        };
        let curve = capacity.by_rate().into_iter().map(step).collect::<Vec<_>>().join("\n");
        if has_held {
            passed(&capacity.limit, snapshot.elapsed, &format!("{sentence}\n{curve}"))
        } else {
            failed(&capacity.limit, snapshot.elapsed, "capacity", &sentence, &curve)
        }
    });
    case.into_iter().collect()
}

fn limit_cases(snapshot: &Snapshot) -> Vec<TestCase> {
    let case = |stats: &ThresholdStats| {
        let name = thresholds::whole(&stats.threshold);
        if stats.state == ThresholdState::Holds {
            return passed(&name, snapshot.elapsed, "");
        }
        let more = format!(
            "actual {}, scope {}, threshold {}, margin {}, first breached at {}",
            thresholds::measured(stats),
            stats.threshold.scope(),
            thresholds::demanded(&stats.threshold),
            thresholds::margin(stats),
            thresholds::first_broken(stats)
        );
        failed(&name, snapshot.elapsed, "threshold", &thresholds::limit_sentence(stats), &more)
    };
    snapshot.thresholds.iter().map(case).collect()
}

fn checks(snapshot: &Snapshot) -> Vec<TestCase> {
    let is_limited = is_limited(snapshot, "checks");
    let cases = snapshot.checks.iter().map(|(name, count)| {
        let text = format!("{} passed, {} failed", format::count(count.passes), format::count(count.fails));
        match count.fails {
            0 => passed(name, Duration::ZERO, ""),
            _ if is_limited => passed(name, Duration::ZERO, &text),
            _ => failed(name, Duration::ZERO, "check", &text, ""),
        }
    });
    cases.collect()
}

/// Those with failures; the others are in other files.
fn endpoints(snapshot: &Snapshot) -> Vec<TestCase> {
    let is_limited = is_limited(snapshot, "http_req_failed");
    let failing = snapshot.endpoints.iter().filter(|stats| stats.failures > 0);
    let cases = failing.map(|stats| {
        let name = format!("{} {}", stats.method, stats.name);
        let mean =
            Duration::try_from_secs_f64(stats.ok.map_or(0.0, |ok| ok.mean_us / 1e6)).unwrap_or_default();
        let share = stats.failed_share().map_or_else(|| "-".to_owned(), format::percent);
        let sentence = format!(
            "{} of {} failed ({share} %)",
            format::count(stats.failures),
            format::count(stats.requests)
        );
        let more = kinds(snapshot, stats);
        if is_limited {
            passed(&name, mean, &format!("{sentence}\n{more}"))
        } else {
            failed(&name, mean, "requests", &sentence, &more)
        }
    });
    cases.collect()
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

/// Whether a threshold says how much of something is too much.
fn is_limited(snapshot: &Snapshot, metric: &str) -> bool {
    snapshot.thresholds.iter().any(|stats| stats.threshold.metric == metric)
}

/// One line, for a name or a message.
fn line(text: &str) -> String {
    clean_line(&masked(text))
}

/// Several lines, for details.
fn lines(text: &str) -> String {
    clean_lines(&masked(text)).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, assert_golden};
    use crate::plan::EndedBy;

    #[test]
    fn a_run_as_ci_tools_read_it() {
        let run = fixture::limited();
        assert_golden("junit.xml", &junit(&fixture::record(EndedBy::RunTime, run.last().unwrap())));
    }

    #[test]
    fn without_limits_failed_checks_and_requests_are_failures() {
        let xml = junit(&fixture::record(EndedBy::RunTime, &fixture::finished()));
        assert!(
            xml.contains(
                "<testsuites name=\"shop\" tests=\"4\" skipped=\"0\" failures=\"2\" errors=\"0\" time=\"12.400\">"
            ),
            "{xml}"
        );
        assert!(xml.contains("<failure message=\"9 passed, 3 failed\" type=\"check\"/>"), "{xml}");
        assert!(xml.contains("<failure message=\"4 of 4 failed (100 %)\" type=\"requests\">"), "{xml}");
        assert!(xml.contains("&lt;b&gt;out of memory&lt;/b&gt;") && !xml.contains('\u{1b}'), "{xml}");
    }

    #[test]
    fn a_search_is_a_case_that_fails_when_no_rate_held() {
        let case = |capacity| {
            let mut snapshot = fixture::partial_second();
            snapshot.capacity = Some(std::sync::Arc::new(capacity));
            junit(&fixture::record(EndedBy::CapacityFound, &snapshot))
        };
        let found = case(fixture::capacity());
        assert!(found.contains("tests=\"2\" skipped=\"0\" failures=\"0\" errors=\"0\""), "{found}");
        for expected in [
            "<testcase name=\"http_resp_time: p(95) &lt; 200ms\" classname=\"shop.capacity\" time=\"0.400\">\n            \
             <system-out>120.0/s held http_resp_time: p(95) &lt; 200ms with 0.25 % of requests failing, 140.0/s did not",
            "\n120.0/s: held, actual 95.5ms, 120.0/s started, 240.0/s requests, 0.25 % failed\n",
            "\n160.0/s: the threshold was breached, actual 810ms, 160.0/s started, 320.0/s requests, 50.0 % failed, \
             the generator was saturated\n",
        ] {
            assert!(found.contains(expected), "{expected} in {found}");
        }
        let none = case(crate::metrics::CapacityStats { best: None, ..fixture::capacity() });
        assert!(none.contains("tests=\"2\" skipped=\"0\" failures=\"1\" errors=\"0\""), "{none}");
        assert!(none.contains("<failure message=\"no rate held http_resp_time"), "{none}");
    }

    #[test]
    fn a_run_whose_iterations_all_failed_is_a_failure() {
        let case = |completed, failed| {
            let mut snapshot = fixture::finished();
            (snapshot.iterations.completed, snapshot.iterations.failed) = (completed, failed);
            let xml = junit(&fixture::record(EndedBy::RunTime, &snapshot));
            let case = xml.split("name=\"the run\"").nth(1).unwrap().split("</testcase>").next().unwrap();
            (case.to_owned(), snapshot)
        };
        let (all, snapshot) = case(0, 1_234);
        let first = snapshot.script_errors.iter().min_by_key(|group| group.first_seen).unwrap();
        let message = format!(
            "<failure message=\"all 1,234 iterations failed; first script error: {} {}\" type=\"iterations\">",
            first.first.position,
            first.first.message.replace('\'', "&apos;")
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
            let xml = junit(&fixture::record(ended_by.clone(), &snapshot));
            assert!(xml.contains(&format!(" type=\"{kind}\">")) && xml.contains("errors=\"1\""), "{xml}");
        }
    }
}
