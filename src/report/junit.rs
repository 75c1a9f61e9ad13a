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
use crate::analysis::verdict::earliest_error;
use crate::credentials::masked;
use crate::metrics::{CapacityStep, EndpointStats, Protocol, Snapshot, ThresholdState, ThresholdStats};
use crate::plan::RunRecord;
use crate::text::format;
use crate::text::utc::utc;
use crate::text::{clean_line, clean_lines};

/// Kinds of failure that an endpoint lists.
const MOST_KINDS: usize = 10;

/// A run as JUnit XML.
///
/// It has a failure or an error exactly when the run did not pass. Thresholds that were not met are failures. Where a
/// threshold on `checks` or `http_req_failed` says how many failed ones are too many, they are only reported; those that no
/// threshold judges are failures in a run that failed, and skipped in another. A run that could not be made is an error.
pub fn junit(record: &RunRecord) -> String {
    let RunRecord { info, snapshot, .. } = record;
    let suites = [
        ("run", run(record)),
        ("thresholds", limit_cases(snapshot)),
        ("capacity", capacity(snapshot)),
        ("checks", checks(record)),
        ("endpoints", endpoints(record)),
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
    xml(&report)
}

/// What is no character of XML has been left out of all texts by then.
fn xml(report: &Report) -> String {
    report.to_string().expect("writing text to memory does not fail")
}

/// A run that could not be made, as JUnit XML: one test case with the error.
pub fn refused_junit(script: &str, why: &str) -> String {
    let name = line(&format!("{script}.run"));
    let first = why.lines().next().unwrap_or_default();
    let status = status(NonSuccessKind::Error, "not run", &format!("the run was not made: {first}"), why);
    let mut case = case("the run", Duration::ZERO, status);
    case.set_classname(name.as_str());
    let mut suite = TestSuite::new(name.as_str());
    suite.add_test_case(case);
    let mut report = Report::new(line(script));
    report.add_test_suite(suite);
    xml(&report)
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

/// The run as a whole: whether it could be made, and whether anything but its thresholds failed it.
fn run(record: &RunRecord) -> Vec<TestCase> {
    let snapshot = &*record.snapshot;
    let reason = Verdict::reason(record).unwrap_or_default();
    let error = |kind, more: &str| status(NonSuccessKind::Error, kind, &reason, more);
    let failure = |kind, more: &str| status(NonSuccessKind::Failure, kind, &reason, more);
    let status = match Verdict::of(record) {
        Verdict::SetupFailed(why) => error("setup", why),
        Verdict::Aborted(why) => error("aborted", why),
        Verdict::AgentsLost(why) => error("agents lost", why),
        Verdict::NoRequests => error("no requests", first_trace(snapshot)),
        Verdict::StoppedBySignal => {
            status(NonSuccessKind::Error, "signal", "a signal stopped the run", "a signal stopped the run")
        }
        Verdict::Unfinished => {
            let sentence = "the run was killed before its end";
            status(NonSuccessKind::Error, "unfinished", sentence, sentence)
        }
        Verdict::NothingSucceeded(broken) => failure(broken.kind(), first_trace(snapshot)),
        Verdict::Errors => failure("errors", first_trace(snapshot)),
        Verdict::Regression(_) => failure("regression", ""),
        Verdict::WorkerLost => error("worker", ""),
        Verdict::Incomplete(missing) => error("results", missing),
        // Thresholds are cases of their own, and so is a capacity search.
        Verdict::ThresholdsBreached(_, _)
        | Verdict::ThresholdsMet(_)
        | Verdict::TrialPassed
        | Verdict::NoThresholdsSet
        | Verdict::Capacity(_) => TestCaseStatus::success(),
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

/// Where the first script error comes from.
fn first_trace(snapshot: &Snapshot) -> &str {
    earliest_error(snapshot).map_or("", |group| &group.first.trace)
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
                capacity::saturated(step).map_or_else(String::new, |saturated| format!(", {saturated}"))
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

/// What a check or an endpoint with failures is.
enum Failing {
    /// A threshold says how many are too many.
    Judged,
    /// Nothing does, in a run that failed.
    Failed,
    /// Nothing does, in a run that did not fail: a failure would contradict the exit code, and it is no success.
    Unjudged,
}

impl Failing {
    fn of(is_judged: bool, record: &RunRecord) -> Failing {
        match (is_judged, Verdict::passes(record)) {
            (true, _) => Failing::Judged,
            (false, false) => Failing::Failed,
            (false, true) => Failing::Unjudged,
        }
    }

    fn case(self, name: &str, time: Duration, kind: &str, sentence: &str, more: &str) -> TestCase {
        match self {
            Failing::Judged => passed(name, time, &format!("{sentence}\n{more}")),
            Failing::Failed => failed(name, time, kind, sentence, more),
            Failing::Unjudged => {
                let mut status = TestCaseStatus::skipped();
                status.set_type(kind).set_message(line(&format!("{sentence}; no threshold judges it")));
                if !more.is_empty() {
                    status.set_description(lines(more));
                }
                case(name, time, status)
            }
        }
    }
}

fn checks(record: &RunRecord) -> Vec<TestCase> {
    let snapshot = &*record.snapshot;
    let cases = snapshot.checks.iter().map(|(name, count)| {
        let text = format!("{} passed, {} failed", format::count(count.passes), format::count(count.fails));
        if count.fails == 0 {
            return passed(name, Duration::ZERO, "");
        }
        let is_judged = is_judged(snapshot, "checks", &[("check", name), ("name", name)]);
        Failing::of(is_judged, record).case(name, Duration::ZERO, "check", &text, "")
    });
    cases.collect()
}

/// Those with failures; the others are in other files.
fn endpoints(record: &RunRecord) -> Vec<TestCase> {
    let snapshot = &*record.snapshot;
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
        let metric = match stats.protocol {
            Protocol::Http => "http_req_failed",
            Protocol::WebSocket => "ws_req_failed",
            Protocol::Call => "call_failed",
        };
        let is_judged = is_judged(snapshot, metric, &[("method", &stats.method), ("name", &stats.name)]);
        Failing::of(is_judged, record).case(&name, mean, "requests", &sentence, &kinds(snapshot, stats))
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

/// Whether a threshold on this metric covers everything with these tags: it selects by nothing else. One that selects
/// by more, such as a scenario, says nothing about the rest.
fn is_judged(snapshot: &Snapshot, metric: &str, tags: &[(&str, &str)]) -> bool {
    let covers = |(key, value): &(String, String)| tags.contains(&(key.as_str(), value.as_str()));
    let thresholds = snapshot.thresholds.iter().map(|stats| &stats.threshold);
    thresholds
        .filter(|threshold| threshold.metric == metric)
        .any(|threshold| threshold.tags.iter().all(covers))
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
    fn without_limits_failed_checks_and_requests_fail_a_run_that_is_to_fail_on_errors() {
        let mut record = fixture::record(EndedBy::RunTime, &fixture::finished());
        let lenient = junit(&record);
        assert!(
            lenient
                .contains("<testsuites name=\"shop\" tests=\"4\" skipped=\"2\" failures=\"0\" errors=\"0\""),
            "{lenient}"
        );
        let mut info = (*record.info).clone();
        info.fails_on.errors = true;
        record.info = info.into();
        let xml = junit(&record);
        assert!(
            xml.contains(
                "<testsuites name=\"shop\" tests=\"4\" skipped=\"0\" failures=\"3\" errors=\"0\" time=\"12.400\">"
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
            snapshot.iterations.interrupted = 0;
            let xml = junit(&fixture::record(EndedBy::RunTime, &snapshot));
            let case = xml.split("name=\"the run\"").nth(1).unwrap().split("</testcase>").next().unwrap();
            (case.to_owned(), snapshot)
        };
        let (all, snapshot) = case(0, 1_234);
        let first = snapshot.script_errors.iter().min_by_key(|group| group.first_seen).unwrap();
        let message = format!(
            "<failure message=\"all 1,234 iterations failed; first script error: {}: {}\" type=\"iterations\">",
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
            (EndedBy::AgentsLost("no agent was left".into()), "agents lost"),
            (EndedBy::Signal, "signal"),
            (EndedBy::RunTime, "no requests"),
        ] {
            let snapshot = if kind == "no requests" { fixture::empty() } else { fixture::partial_second() };
            let xml = junit(&fixture::record(ended_by.clone(), &snapshot));
            assert!(xml.contains(&format!(" type=\"{kind}\"")) && xml.contains("errors=\"1\""), "{xml}");
        }
    }
}
