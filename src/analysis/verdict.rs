//! The verdict on a run: the one decision that every output and the exit code follow. Pure.

use super::blocking::lost_worker;
use super::capacity::answer;
use super::finding::plural;
use super::thresholds::{demanded, limit_sentence, measured};
use crate::metrics::{Aggregation, ErrorKind, FailureKey, ScriptErrorCount, Snapshot, ThresholdStats};
use crate::plan::{EndedBy, RunRecord};
use crate::text::{cut_middle, format};

/// The overall result of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict<'a> {
    /// `setup` failed with this error, so no load was made.
    SetupFailed(&'a str),
    /// The script ended the run for this reason.
    Aborted(&'a str),
    /// Agents of a distributed run were lost, or left, and for this reason it did not go on.
    AgentsLost(&'a str),
    /// A signal ended the run early.
    StoppedBySignal,
    /// The run was killed or is still running: the results have no end.
    Unfinished,
    /// No request completed: nothing was measured.
    NoRequests,
    /// Requests completed or iterations ended, and all of them failed.
    NothingSucceeded(Broken),
    /// Thresholds were breached or had no data: how many, out of how many.
    ThresholdsBreached(usize, usize),
    /// Requests, scripts or, in a trial, checks failed, and any failure counts.
    Errors,
    /// Something is worse than the baseline, and that counts: this is.
    Regression(&'a str),
    /// A worker thread stopped answering, so what it counted last is missing: no success can be certain.
    WorkerLost,
    /// All went well, and this is missing of the results that were asked for.
    Incomplete(&'a str),
    /// All thresholds were met: how many there were.
    ThresholdsMet(usize),
    /// A capacity search is over: whether any rate held.
    Capacity(bool),
    /// A trial in which nothing failed.
    TrialPassed,
    /// The run is complete, but it has no thresholds to pass or fail.
    NoThresholdsSet,
}

/// What failed whenever it was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Broken {
    /// Every request.
    Requests,
    /// Every iteration that ended.
    Iterations,
    /// Every `on_start`, so no iteration began.
    Starts,
}

impl Broken {
    /// What has failed as a whole, if anything has.
    fn of(snapshot: &Snapshot) -> Option<Broken> {
        let (total, iterations) = (&snapshot.total, &snapshot.iterations);
        if total.requests > 0 && total.failures >= total.requests {
            Some(Broken::Requests)
        } else if iterations.completed == 0 && iterations.failed > 0 {
            Some(Broken::Iterations)
        } else if iterations.started == 0 && !snapshot.script_errors.is_empty() {
            Some(Broken::Starts)
        } else {
            None
        }
    }

    /// A short stable word.
    pub fn kind(self) -> &'static str {
        match self {
            Broken::Requests => "requests",
            Broken::Iterations => "iterations",
            Broken::Starts => "on_start",
        }
    }

    /// That nothing succeeded, with the cause: text of the run in it is not escaped.
    pub(crate) fn sentence(self, snapshot: &Snapshot) -> String {
        let (all, cause) = match self {
            Broken::Requests => {
                let all = all_failed(snapshot.total.requests, "request");
                // Why nothing was reached comes first: it explains all the rest.
                if let Some(message) = unreached(snapshot).map(|(message, _)| message) {
                    return format!("{message}; {all}");
                }
                let first =
                    snapshot.failures.first().map(|(key, group)| failure(key, group.messages.first()));
                (all, first)
            }
            Broken::Iterations => {
                let iterations = &snapshot.iterations;
                let all = match iterations.interrupted {
                    0 => all_failed(iterations.failed, "iteration"),
                    interrupted => format!(
                        "no iteration completed: {} failed, {} were interrupted",
                        format::count(iterations.failed),
                        format::count(interrupted)
                    ),
                };
                (all, first_script_error(snapshot))
            }
            Broken::Starts => ("no iteration began".to_owned(), first_script_error(snapshot)),
        };
        cause.map_or_else(|| all.clone(), |cause| format!("{all}; {cause}"))
    }
}

fn all_failed(count: u64, noun: &str) -> String {
    match count {
        1 => format!("the only {noun} failed"),
        count => format!("all {} failed", plural(count, noun)),
    }
}

/// The most frequent failure: `refused GET /: no connection to 127.0.0.1:9`.
fn failure(key: &FailureKey, message: Option<&String>) -> String {
    let status = if key.status == 0 { String::new() } else { format!(" {}", key.status) };
    let text = format!("{}{status} {} {}", key.kind, key.method, key.name);
    match message.and_then(|message| message.lines().next()) {
        Some(message) => format!("{text}: {}", cut_middle(message, 160, "…")),
        None => text,
    }
}

/// Why requests did not even reach the target, and how many: the most frequent message, where most failures are of
/// this kind.
fn unreached(snapshot: &Snapshot) -> Option<(String, u64)> {
    let is_unreached =
        |key: &FailureKey| matches!(key.kind, ErrorKind::Refused | ErrorKind::Dns | ErrorKind::Tls);
    let unreached = || snapshot.failures.iter().filter(|(key, _)| is_unreached(key));
    let count: u64 = unreached().map(|(_, group)| group.count).sum();
    let (key, group) = unreached().max_by_key(|(_, group)| group.count)?;
    let message = group.messages.first().and_then(|message| message.lines().next());
    let message = message.map_or_else(|| cause(key), |message| cut_middle(message, 160, "…"));
    (count * 2 > snapshot.total.failures).then_some((message, count))
}

/// The same as a sentence of a verdict: `connection refused by 127.0.0.1:9 (120 of 200 requests)`.
pub(crate) fn unreached_sentence(snapshot: &Snapshot) -> Option<String> {
    let (message, count) = unreached(snapshot)?;
    Some(format!("{message}, {} of {}", format::count(count), plural(snapshot.total.requests, "request")))
}

/// What a failure is called in a sentence: `HTTP 500`, `connection refused`.
fn cause(key: &FailureKey) -> String {
    match (&key.kind, key.status) {
        (ErrorKind::Refused, _) => "connection refused".to_owned(),
        (ErrorKind::Dns, _) => "host name not resolved".to_owned(),
        (ErrorKind::Reset, _) => "connection reset".to_owned(),
        (ErrorKind::Tls, _) => "TLS handshake failed".to_owned(),
        (ErrorKind::Expect, status @ 1..400) => format!("HTTP {status}, but not as expected"),
        (ErrorKind::Status | ErrorKind::Expect, status @ 1..) => format!("HTTP {status}"),
        (kind, 0) => kind.to_string(),
        (kind, status) => format!("{kind}, HTTP {status}"),
    }
}

/// A threshold that was not met, as part of a sentence. That of all failed requests says which failed, and why:
/// `9.9 % of requests failed (threshold < 1 %), all of them POST /analyze: HTTP 500`.
pub(crate) fn breach(stats: &ThresholdStats, snapshot: &Snapshot) -> String {
    let threshold = &stats.threshold;
    let is_of_all = (threshold.metric.as_str(), threshold.aggregation)
        == ("http_req_failed", Aggregation::Rate)
        && threshold.tags.is_empty()
        && threshold.window.is_none()
        && threshold.phase.is_none()
        && stats.measured.is_some();
    let Some((key, group)) = snapshot.failures.first().filter(|_| is_of_all) else {
        return limit_sentence(stats);
    };
    let all = snapshot.total.failures;
    let share = group.count as f64 / all.max(1) as f64;
    let part = match (group.count, all) {
        (_, 1) => String::new(),
        (count, all) if count >= all => "all of them ".to_owned(),
        _ if share >= 0.5 => format!("{} % of them ", format::percent(share)),
        (count, all) => format!("most often ({} of {}) ", format::count(count), format::count(all)),
    };
    format!(
        "{} of requests failed (threshold {}), {part}{} {}: {}",
        measured(stats),
        demanded(threshold),
        key.method,
        key.name,
        cause(key)
    )
}

/// The script error that came first.
pub(crate) fn earliest_error(snapshot: &Snapshot) -> Option<&ScriptErrorCount> {
    snapshot.script_errors.iter().min_by_key(|group| group.first_seen)
}

fn first_script_error(snapshot: &Snapshot) -> Option<String> {
    let first = &earliest_error(snapshot)?.first;
    let message = first.message.lines().next().unwrap_or_default();
    let message = cut_middle(message, 160, "…");
    Some(match first.position.as_str() {
        "" => format!("first script error: {message}"),
        position => format!("first script error: {position}: {message}"),
    })
}

impl<'a> Verdict<'a> {
    /// The verdict on a run.
    pub fn of(record: &'a RunRecord) -> Self {
        match record.ended_by() {
            EndedBy::SetupFailed(error) => Verdict::SetupFailed(error),
            EndedBy::Aborted(reason) => Verdict::Aborted(reason),
            EndedBy::AgentsLost(reason) => Verdict::AgentsLost(reason),
            EndedBy::Signal => Verdict::StoppedBySignal,
            EndedBy::Unfinished => Verdict::Unfinished,
            EndedBy::RunTime
            | EndedBy::CapacityFound
            | EndedBy::Iterations
            | EndedBy::UsersGone
            | EndedBy::Stopped
            | EndedBy::Threshold(_) => Verdict::on_figures(record),
        }
    }

    /// The verdict on what was measured, however the run ended.
    fn on_figures(record: &'a RunRecord) -> Self {
        let snapshot = &*record.snapshot;
        if snapshot.total.requests == 0 {
            return Verdict::NoRequests;
        }
        if let Some(broken) = Broken::of(snapshot) {
            return Verdict::NothingSucceeded(broken);
        }
        let found = snapshot.capacity.as_ref().map(|capacity| capacity.best.is_some());
        if found == Some(false) {
            return Verdict::Capacity(false);
        }
        let (broken, all) = (snapshot.broken_thresholds().count(), snapshot.thresholds.len());
        if found.is_none() && broken > 0 {
            return Verdict::ThresholdsBreached(broken, all);
        }
        if counted_errors(record).is_some() {
            return Verdict::Errors;
        }
        if let Some(worse) = record.regression.as_deref().filter(|_| record.info.fails_on.regressions) {
            return Verdict::Regression(worse);
        }
        if !snapshot.blocking.lost_workers.is_empty() {
            return Verdict::WorkerLost;
        }
        if let Some(missing) = &record.incomplete {
            return Verdict::Incomplete(missing);
        }
        match (found, all) {
            (Some(_), _) => Verdict::Capacity(true),
            (None, 0) if record.info.is_trial => Verdict::TrialPassed,
            (None, 0) => Verdict::NoThresholdsSet,
            (None, all) => Verdict::ThresholdsMet(all),
        }
    }

    /// Whether the run may be called a success: nothing that was demanded of it was missed. One that was stopped early
    /// is judged by what there is.
    pub fn passes(record: &RunRecord) -> bool {
        match Verdict::of(record) {
            Verdict::StoppedBySignal => Verdict::on_figures(record).is_good(),
            verdict => verdict.is_good(),
        }
    }

    pub(crate) fn is_good(self) -> bool {
        match self {
            Verdict::ThresholdsMet(_)
            | Verdict::Capacity(true)
            | Verdict::TrialPassed
            | Verdict::NoThresholdsSet => true,
            Verdict::SetupFailed(_)
            | Verdict::Aborted(_)
            | Verdict::AgentsLost(_)
            | Verdict::StoppedBySignal
            | Verdict::Unfinished
            | Verdict::NoRequests
            | Verdict::NothingSucceeded(_)
            | Verdict::ThresholdsBreached(_, _)
            | Verdict::Errors
            | Verdict::Regression(_)
            | Verdict::WorkerLost
            | Verdict::Incomplete(_)
            | Verdict::Capacity(false) => false,
        }
    }

    /// Its reason, for all outputs; `None` where the figures say it all. Text of the run in it is not escaped.
    pub fn reason(record: &RunRecord) -> Option<String> {
        let snapshot = &*record.snapshot;
        let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        let verdict = Verdict::of(record);
        let reason = match verdict {
            Verdict::SetupFailed(error) => Some(first_line(error)),
            Verdict::Aborted(reason) | Verdict::AgentsLost(reason) => Some(first_line(reason)),
            Verdict::StoppedBySignal | Verdict::Unfinished | Verdict::NoThresholdsSet => None,
            Verdict::NoRequests => Some(no_requests(record)),
            Verdict::NothingSucceeded(broken) => Some(broken.sentence(snapshot)),
            Verdict::ThresholdsBreached(_, _) => {
                let broken = snapshot.broken_thresholds().map(|stats| breach(stats, snapshot));
                Some(broken.collect::<Vec<_>>().join("; "))
            }
            Verdict::Errors => {
                let errors = counted_errors(record).unwrap_or_default();
                Some(format!("{errors}; any error fails this run"))
            }
            Verdict::Regression(worse) => Some(worse.to_owned()),
            Verdict::WorkerLost => snapshot.blocking.lost_workers.first().map(lost_worker),
            Verdict::Incomplete(missing) => {
                Some(format!("its results are not complete: {}", first_line(missing)))
            }
            Verdict::TrialPassed => Some("nothing failed; a trial does not evaluate thresholds".to_owned()),
            Verdict::ThresholdsMet(1) => Some("the threshold was met".to_owned()),
            Verdict::ThresholdsMet(_) => Some("all thresholds were met".to_owned()),
            Verdict::Capacity(_) => snapshot.capacity.as_deref().map(|capacity| answer(capacity).0),
        };
        match verdict {
            // They have said it, or say why nothing of it matters.
            Verdict::SetupFailed(_) | Verdict::NoRequests | Verdict::NothingSucceeded(_) => reason,
            _ => {
                let parts: Vec<String> = unreached_sentence(snapshot).into_iter().chain(reason).collect();
                (!parts.is_empty()).then(|| parts.join("; "))
            }
        }
    }

    /// The verdict in capital letters, as every output shows it.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::SetupFailed(_) => "SETUP FAILED",
            Verdict::Aborted(_) => "ABORTED",
            Verdict::AgentsLost(_) => "AGENTS LOST",
            Verdict::StoppedBySignal => "STOPPED by signal",
            Verdict::Unfinished => "NOT FINISHED",
            Verdict::NoRequests => "NO REQUESTS",
            Verdict::NothingSucceeded(_)
            | Verdict::ThresholdsBreached(_, _)
            | Verdict::Errors
            | Verdict::Regression(_)
            | Verdict::WorkerLost
            | Verdict::Incomplete(_)
            | Verdict::Capacity(false) => "FAILED",
            Verdict::ThresholdsMet(_) | Verdict::TrialPassed => "PASSED",
            Verdict::Capacity(true) => "CAPACITY",
            Verdict::NoThresholdsSet => "NO THRESHOLDS SET",
        }
    }
}

/// That nothing was measured, and why not, where that is known.
pub(crate) fn no_requests(record: &RunRecord) -> String {
    let none = "zero requests is never a pass";
    let snapshot = &*record.snapshot;
    let why = Broken::of(snapshot).map(|broken| broken.sentence(snapshot)).or_else(|| why_none(record));
    why.map_or_else(|| none.to_owned(), |why| format!("{none}; {why}"))
}

/// Why no request was counted although nothing failed.
fn why_none(record: &RunRecord) -> Option<String> {
    let RunRecord { info, snapshot, .. } = record;
    let iterations = &snapshot.iterations;
    let end = format::run_length(snapshot.elapsed);
    if snapshot.interrupted_requests > 0 {
        let waited = plural(snapshot.interrupted_requests, "request");
        return Some(format!("{waited} still waited for a response at the end ({end})"));
    }
    if iterations.completed > 0 {
        return Some(format!("{} completed without one", plural(iterations.completed, "iteration")));
    }
    if iterations.started > 0 {
        let begun = plural(iterations.started, "iteration");
        return Some(format!("{begun} had begun and made none until the end ({end})"));
    }
    if snapshot.elapsed.is_zero() {
        return None;
    }
    if snapshot.users_max > 0 {
        let has_start = info.files.iter().any(|(_, text)| text.contains("on_start"));
        let cause = if has_start { ": on_start had not ended" } else { "" };
        return Some(format!("no iteration had begun at the end ({end}){cause}"));
    }
    Some(format!(
        "no scenario had begun at the end ({end}); when they begin is set by start_time, after, rates and stages"
    ))
}

/// The failures that count as one of the run, in a sentence; `None` where there are none, or they do not count.
pub(crate) fn counted_errors(record: &RunRecord) -> Option<String> {
    let (info, snapshot) = (&record.info, &record.snapshot);
    if !info.fails_on.errors && !info.is_trial {
        return None;
    }
    let scripts = snapshot.script_errors.iter().map(|group| group.count).sum();
    let checks = snapshot.checks.iter().map(|(_, count)| count.fails).sum();
    let all = [
        (snapshot.total.failures, "failed request"),
        (scripts, "script error"),
        (if info.is_trial { checks } else { 0 }, "failed check"),
    ];
    let told: Vec<String> =
        all.into_iter().filter(|(count, _)| *count > 0).map(|(count, noun)| plural(count, noun)).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::metrics::{FailureCount, LostWorker};

    /// A run of so many requests of which so many failed, and its completed, failed and interrupted iterations.
    fn record((requests, failures): (u64, u64), iterations: [u64; 3]) -> RunRecord {
        let mut snapshot = fixture::finished();
        snapshot.thresholds.clear();
        snapshot.script_errors.truncate(1);
        (snapshot.total.requests, snapshot.total.failures) = (requests, failures);
        let sums = &mut snapshot.iterations;
        [sums.completed, sums.failed, sums.interrupted] = iterations;
        sums.started = iterations.iter().sum();
        fixture::record(EndedBy::RunTime, &snapshot)
    }

    #[test]
    fn a_run_in_which_nothing_succeeded_has_failed() {
        for (requests, iterations, expected) in [
            ((5, 5), [5, 0, 0], Verdict::NothingSucceeded(Broken::Requests)),
            ((5, 4), [5, 0, 0], Verdict::NoThresholdsSet),
            ((5, 0), [0, 9, 0], Verdict::NothingSucceeded(Broken::Iterations)),
            ((5, 0), [1, 9, 0], Verdict::NoThresholdsSet),
            ((5, 0), [0, 9, 9], Verdict::NothingSucceeded(Broken::Iterations)),
            // One iteration that lasts as long as the run is no failure.
            ((5, 0), [0, 0, 9], Verdict::NoThresholdsSet),
            ((5, 0), [0, 0, 0], Verdict::NothingSucceeded(Broken::Starts)),
            ((0, 0), [0, 9, 0], Verdict::NoRequests),
        ] {
            let record = record(requests, iterations);
            assert_eq!(Verdict::of(&record), expected, "{requests:?} {iterations:?}");
            assert_eq!(Verdict::passes(&record), expected == Verdict::NoThresholdsSet);
        }
    }

    #[test]
    fn what_failed_wins_over_thresholds_that_are_met() {
        let mut broken = record((5, 5), [5, 0, 0]);
        let mut snapshot = (*broken.snapshot).clone();
        let mut met = fixture::limit("http_req_duration: p(95) < 1s", Some(3.0));
        met.state = crate::metrics::ThresholdState::Holds;
        snapshot.thresholds = vec![met];
        broken.snapshot = snapshot.into();
        assert_eq!(Verdict::of(&broken), Verdict::NothingSucceeded(Broken::Requests));
        assert!(Broken::Requests.sentence(&broken.snapshot).starts_with("all 5 requests failed; "));
    }

    #[test]
    fn errors_and_regressions_fail_a_run_that_is_to_fail_on_them() {
        let mut run = record((5, 1), [5, 0, 0]);
        run.regression = Some("p95 of all requests +40%".to_owned());
        assert!(Verdict::passes(&run));
        let mut info = (*run.info).clone();
        info.fails_on.regressions = true;
        run.info = info.clone().into();
        assert_eq!(Verdict::of(&run), Verdict::Regression("p95 of all requests +40%"));
        info.fails_on.errors = true;
        run.info = info.into();
        assert_eq!(Verdict::of(&run), Verdict::Errors);
        assert!(counted_errors(&run).unwrap().starts_with("1 failed request, "));
    }

    #[test]
    fn a_run_that_lost_a_worker_is_no_success() {
        let mut run = record((5, 0), [5, 0, 0]);
        let mut snapshot = (*run.snapshot).clone();
        let mut lost = LostWorker::default();
        (lost.worker, lost.silent_for) = (1, std::time::Duration::from_secs(41));
        snapshot.blocking.lost_workers.push(lost);
        run.snapshot = snapshot.into();
        assert_eq!((Verdict::of(&run), Verdict::passes(&run)), (Verdict::WorkerLost, false));
        assert!(Verdict::reason(&run).unwrap().starts_with("worker 1 has not answered for 41"));
    }

    #[test]
    fn a_stopped_run_is_judged_by_what_there_is() {
        for (failures, passes) in [(1, true), (5, false)] {
            let mut run = record((5, failures), [5, 0, 0]);
            run.ended_by = Some(EndedBy::Signal);
            assert_eq!((Verdict::of(&run), Verdict::passes(&run)), (Verdict::StoppedBySignal, passes));
        }
    }

    /// The reason for a run of 200 requests with these groups of failures, with a threshold on failed ones that is
    /// breached or none.
    fn reason(groups: &[(ErrorKind, u16, u64, &str)], is_breached: bool) -> Option<String> {
        let failures = groups.iter().map(|(.., count, _)| count).sum();
        let mut run = record((200, failures), [200, 0, 0]);
        let mut snapshot = (*run.snapshot).clone();
        let (key, group) = snapshot.failures[0].clone();
        snapshot.failures = groups
            .iter()
            .map(|(kind, status, count, message)| {
                let key = FailureKey {
                    kind: kind.clone(),
                    status: *status,
                    name: format!("/{kind}").into(),
                    ..key.clone()
                };
                let group =
                    FailureCount { count: *count, messages: vec![(*message).to_owned()], ..group.clone() };
                (key, group)
            })
            .collect();
        if is_breached {
            let mut limit = fixture::limit("http_req_failed: rate < 1%", Some(failures as f64 / 200.0));
            limit.state = crate::metrics::ThresholdState::Broken;
            snapshot.thresholds = vec![limit];
        }
        run.snapshot = std::sync::Arc::new(snapshot);
        Verdict::reason(&run)
    }

    #[test]
    fn what_was_not_reached_is_said_first() {
        let refused = "connection refused by 127.0.0.1:9 (is the server running there?)";
        let down = [(ErrorKind::Refused, 0, 120, refused), (ErrorKind::Status, 500, 4, "500")];
        let expected = format!("{refused}, 120 of 200 requests");
        assert_eq!(reason(&down, false), Some(expected.clone()));
        let breached = reason(&down, true).unwrap();
        assert!(
            breached.starts_with(&format!("{expected}; 62.0 % of requests failed (threshold < 1 %), ")),
            "{breached}"
        );
        let all = [(ErrorKind::Dns, 0, 200, "cannot resolve 'nosuch'")];
        assert_eq!(reason(&all, true).unwrap(), "cannot resolve 'nosuch'; all 200 requests failed");
        // A few among others that failed for another reason are not the cause.
        let few = [(ErrorKind::Status, 500, 40, "500"), (ErrorKind::Refused, 0, 4, refused)];
        assert_eq!(reason(&few, false), None);
    }

    #[test]
    fn a_breach_by_failures_names_where_and_why() {
        let told = |groups: &[(ErrorKind, u16, u64, &str)]| reason(groups, true).unwrap();
        assert_eq!(
            told(&[(ErrorKind::Status, 500, 40, "500")]).split_once("), ").unwrap().1,
            "all of them GET /status: HTTP 500"
        );
        let two = told(&[(ErrorKind::Timeout, 0, 30, "late"), (ErrorKind::Expect, 200, 10, "no")]);
        assert!(two.ends_with("75.0 % of them GET /timeout: timeout"), "{two}");
        let expect = told(&[(ErrorKind::Expect, 500, 40, "expected 200")]);
        assert!(
            expect.ends_with("all of them GET /expect: HTTP 500"),
            "not as if 500 had been expected: {expect}"
        );
        let odd = told(&[(ErrorKind::Expect, 200, 40, "expected 201")]);
        assert!(odd.ends_with(": HTTP 200, but not as expected"), "{odd}");
    }
}
