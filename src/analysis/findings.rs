//! What happened in a run, found automatically: at most seven sentences, each with its time.
//!
//! Pure: a function of the snapshot and the plan. Owns the rules and their wording. Invariant: a
//! finding states figures of the run; when nothing happened there is none.

use std::time::Duration;

use super::agents;
use super::blocking;
use super::finding::{Finding, is_loaded, plural};
use super::leak::{leak, steady_memory};
use super::stall::{Stall, median, stalls};
use crate::metrics::{Blame, EndpointStats, HistoryPoint, Percentile, Snapshot};
use crate::plan::{EndedBy, RunRecord};
use crate::text::format;

/// Maximum number of findings reported.
const MOST: usize = 7;

/// A start delay above this at the 99th percentile makes the figures unreliable.
const LATE_US: u64 = 10_000;

/// Fewest requests with which tail percentiles mean something.
const FEW_REQUESTS: u64 = 100;

/// Share of failed requests above which an endpoint is reported as failing.
const FAILING_SHARE: f64 = 0.05;

/// Maximum number of failing endpoints reported.
const MOST_FAILING: usize = 2;

/// The most important findings of a run, in the order of their time; those about the whole run come last. Every
/// output shows the same list.
pub fn findings(record: &RunRecord) -> Vec<Finding> {
    let snapshot = &*record.snapshot;
    let history = snapshot.history.since(0);
    let points: Vec<&HistoryPoint> = history.iter().map(|point| &**point).collect();
    let mut stalls = stalls(&points);
    // Not the target's.
    stalls.retain(|stall| !stall.is_explained_by(&snapshot.blocking));
    let mut all = Vec::new();
    all.extend(unfinished(record));
    all.extend(agents::ended(record));
    all.extend(agents::findings(&snapshot.agents));
    all.extend(blocking::findings(&snapshot.blocking));
    all.extend(stalls.iter().take(2).map(|stall| stall.finding()));
    all.extend(failing(snapshot));
    all.extend(leak(&steady_memory(snapshot)));
    all.extend(generator(snapshot));
    all.extend(burst(snapshot, &points));
    all.extend(knee(&points, &stalls));
    all.extend(load(record));
    all.extend(first_error(snapshot).filter(|_| !is_first_failure_told(snapshot)));
    all.extend(few_samples(snapshot));
    all.truncate(MOST);
    all.sort_by_key(|finding| finding.at.map_or((true, Duration::ZERO), |at| (false, at)));
    all
}

/// Seconds in which the last stall is looked for while a run goes on.
const RECENT_SECONDS: usize = 600;

/// The last stall of the target so far, for the live display.
pub(crate) fn last_stall(snapshot: &Snapshot) -> Option<Finding> {
    let recent = snapshot.history.since(snapshot.history.len().saturating_sub(RECENT_SECONDS));
    let points: Vec<&HistoryPoint> = recent.iter().map(|point| &**point).collect();
    let mut stalls = stalls(&points);
    stalls.retain(|stall| !stall.is_explained_by(&snapshot.blocking));
    stalls.iter().map(Stall::finding).max_by_key(|finding| finding.at)
}

fn unfinished(record: &RunRecord) -> Option<Finding> {
    (record.ended_by == Some(EndedBy::Unfinished)).then(|| Finding {
        kind: "unfinished",
        at: Some(record.snapshot.elapsed),
        until: None,
        text: "the recording ends here: the run was killed or is still running".to_owned(),
    })
}

fn endpoint_name(stats: &EndpointStats) -> String {
    format!("{} {}", stats.method, stats.name)
}

/// Whether the endpoint of the first failure is already reported as failing.
fn is_first_failure_told(snapshot: &Snapshot) -> bool {
    let first = snapshot.failures.iter().min_by_key(|(_, group)| group.first_seen).map(|(key, _)| key);
    first.is_some_and(|key| {
        let mut named = failing_endpoints(snapshot).into_iter().take(MOST_FAILING);
        named.any(|stats| key.method == stats.method && key.name == stats.name)
    })
}

/// The endpoints that fail often, most failures first.
fn failing_endpoints(snapshot: &Snapshot) -> Vec<&EndpointStats> {
    let is_failing = |stats: &&EndpointStats| {
        stats.failures >= 5 && stats.failed_share().is_some_and(|share| share >= FAILING_SHARE)
    };
    let mut endpoints: Vec<&EndpointStats> = snapshot.endpoints.iter().filter(is_failing).collect();
    endpoints.sort_by_key(|stats| std::cmp::Reverse(stats.failures));
    endpoints
}

/// The two endpoints with the most failures among those that fail often.
fn failing(snapshot: &Snapshot) -> Vec<Finding> {
    let endpoints = failing_endpoints(snapshot);
    let more = endpoints.len().saturating_sub(MOST_FAILING);
    let sentence = |(index, stats): (usize, &&EndpointStats)| {
        let share = stats.failed_share().unwrap_or(0.0);
        let mut text = format!(
            "{} failed {} % of the time ({} of {}){}",
            endpoint_name(stats),
            format::percent(share),
            format::count(stats.failures),
            format::count(stats.requests),
            cause(snapshot, stats).map(|cause| format!(": {cause}")).unwrap_or_default()
        );
        if index + 1 == MOST_FAILING && more > 0 {
            text.push_str(&format!("; {} with many failures", plural(more as u64, "more endpoint")));
        }
        Finding { kind: "failing", at: first_failure(snapshot, stats), until: None, text }
    };
    endpoints.iter().take(MOST_FAILING).enumerate().map(sentence).collect()
}

/// The most frequent cause of an endpoint's failures.
fn cause(snapshot: &Snapshot, stats: &EndpointStats) -> Option<String> {
    let of_endpoint = |method: &str, name: &str| method == &*stats.method && name == &*stats.name;
    let (key, _) = snapshot.failures.iter().find(|(key, _)| of_endpoint(&key.method, &key.name))?;
    Some(match key.status {
        0 => key.kind.to_string(),
        status => format!("{} {status}", key.kind),
    })
}

fn first_failure(snapshot: &Snapshot, stats: &EndpointStats) -> Option<Duration> {
    let of_endpoint =
        snapshot.failures.iter().filter(|(key, _)| key.method == stats.method && key.name == stats.name);
    let first = of_endpoint.map(|(_, group)| group.first_seen).min()?;
    Some(first.duration_since(snapshot.started_at).unwrap_or_default())
}

fn generator(snapshot: &Snapshot) -> Option<Finding> {
    let late =
        snapshot.iterations.lag.filter(|lag| lag.count >= FEW_REQUESTS)?.percentile_us(Percentile::P99);
    let blame = snapshot.generator.blame();
    let agents = blame.and_then(|blame| agents::held_up(snapshot, blame));
    let generator = agents.unwrap_or_else(|| "the load generator".to_owned());
    let who = match blame {
        Some(Blame::Others) => format!("other programs on the machine held up {generator}"),
        Some(Blame::Quota) => format!("the CPU quota held up {generator}"),
        Some(Blame::Itself | Blame::Unknown) => format!("{generator} fell behind"),
        // It was on time itself: whoever was to start the iteration was not done with the one before.
        None => "users were still busy when their next iteration was due".to_owned(),
    };
    (late > LATE_US).then(|| Finding {
        kind: "generator",
        at: None,
        until: None,
        text: format!(
            "{who}: 1 % of iterations started more than {} late; response times include this delay",
            format::latency(late)
        ),
    })
}

/// Most of the failures in a short part of the run.
fn burst(snapshot: &Snapshot, points: &[&HistoryPoint]) -> Option<Finding> {
    let all = snapshot.total.failures;
    if all < 20 || points.len() < 10 {
        return None;
    }
    let longest = (points.len() / 5).clamp(1, 30);
    let failures = |point: &HistoryPoint| point.total.failures.max(0) as u64;
    // The shortest stretch that holds seven tenths of them.
    let (from, to, count) = (1..=longest).find_map(|length| {
        let windows = points.windows(length).map(|window| {
            let first = window[0].at.saturating_sub(window[0].length);
            (first, window[length - 1].at, window.iter().map(|point| failures(point)).sum::<u64>())
        });
        windows.max_by_key(|&(_, _, count)| count).filter(|&(_, _, count)| count * 10 >= all * 7)
    })?;
    let kinds = snapshot.failures.first().map(|(key, _)| match key.status {
        0 => key.kind.to_string(),
        status => format!("{} {status}", key.kind),
    });
    Some(Finding {
        kind: "burst",
        at: Some(from),
        until: Some(to),
        text: format!(
            "burst of failures: {} of {}{}",
            format::count(count),
            format::count(all),
            kinds.map(|kind| format!(", mostly {kind}")).unwrap_or_default()
        ),
    })
}

/// The number of users above which p95 is more than twice its value under light load.
fn knee(points: &[&HistoryPoint], stalls: &[Stall]) -> Option<Finding> {
    let near_stall = |point: &HistoryPoint| stalls.iter().any(|stall| stall.is_near(point));
    let mut by_users: Vec<(u64, f64)> = points
        .iter()
        .filter(|point| point.users > 0 && is_loaded(point.phase) && !near_stall(point))
        .filter_map(|point| {
            let ok = point.total.ok.filter(|ok| ok.count >= 5)?;
            Some((point.users, ok.percentile_us(Percentile::P95) as f64))
        })
        .collect();
    by_users.sort_by_key(|&(users, _)| users);
    let (fewest, most) = (by_users.first()?.0, by_users.last()?.0);
    if by_users.len() < 10 || most < fewest * 3 {
        return None;
    }
    let level = |step: u64| fewest + (most - fewest) * step / 8;
    let p95 = |from: u64, to: u64| {
        let within: Vec<f64> = by_users
            .iter()
            .filter(|&&(users, _)| users >= from && users <= to)
            .map(|&(_, p95)| p95)
            .collect();
        if within.len() < 2 { None } else { median(within.into_iter()) }
    };
    let calm = p95(fewest, level(2))?;
    let busy = p95(level(7), most)?;
    let is_above = |step: u64| p95(level(step), level(step + 1)).is_none_or(|p95| p95 > calm * 2.0);
    if busy <= calm * 2.0 {
        return None;
    }
    let step = (2..8).find(|&step| (step..8).all(is_above))?;
    let users = level(step);
    let at = points.iter().find(|point| point.users >= users).map(|point| point.at);
    Some(Finding {
        kind: "knee",
        at,
        until: None,
        text: format!(
            "p95 rises with load: about {} below {} users, {} at {}",
            format::latency(calm.round() as u64),
            format::count(users),
            format::latency(busy.round() as u64),
            format::count(most)
        ),
    })
}

/// Less load than planned.
fn load(record: &RunRecord) -> Option<Finding> {
    let RunRecord { info, snapshot, .. } = record;
    let came_to_its_time = record.ended_by == Some(EndedBy::RunTime);
    // A rate starts as many users as it needs, and executors that follow one another never have all of theirs at once:
    // of those, the plan is what was wanted at some moment.
    let all_at_once = info.executors.iter().all(|executor| executor == "users");
    let wanted = snapshot.history.since(0).iter().map(|point| point.users_target).max().unwrap_or(0);
    let planned = if all_at_once { info.users } else { wanted };
    let is_less = snapshot.total.requests > 0 && snapshot.users_max < planned;
    (came_to_its_time && is_less).then(|| Finding {
        kind: "load",
        at: None,
        until: None,
        text: format!(
            "load below plan: at most {} of {} users ran at the same time",
            format::count(snapshot.users_max),
            format::count(planned)
        ),
    })
}

fn first_error(snapshot: &Snapshot) -> Option<Finding> {
    let (key, group) = snapshot.failures.iter().min_by_key(|(_, group)| group.first_seen)?;
    let status = if key.status == 0 { String::new() } else { format!(" {}", key.status) };
    let message = group.messages.first().and_then(|message| message.lines().next()).unwrap_or_default();
    Some(Finding {
        kind: "first-error",
        at: Some(group.first_seen.duration_since(snapshot.started_at).unwrap_or_default()),
        until: None,
        text: format!(
            "first failure: {} {}, {}{status}: {}",
            key.method,
            key.name,
            key.kind,
            crate::text::cut_middle(message, 160, "…")
        ),
    })
}

fn few_samples(snapshot: &Snapshot) -> Option<Finding> {
    let requests = snapshot.total.requests;
    (requests > 0 && requests < FEW_REQUESTS).then(|| Finding {
        kind: "few-samples",
        at: None,
        until: None,
        text: format!("only {}: too few for p99 and higher percentiles", plural(requests, "request")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, Load, Verdict};
    use crate::metrics::Phase;

    fn kinds(snapshot: &Snapshot) -> Vec<&'static str> {
        let found = findings(&fixture::record(EndedBy::RunTime, snapshot));
        found.iter().map(|finding| finding.kind).collect()
    }

    fn second(load: &mut Load, requests: u64, us: u64, users: u64, in_flight: u64) -> Snapshot {
        for i in 0..requests {
            load.request("browse", ("GET", "/a"), us + i * 10, Verdict::Ok);
        }
        load.close_with(1_000, Phase::Steady, users, in_flight)
    }

    #[test]
    fn an_even_run_has_no_findings() {
        let mut load = Load::new();
        let mut last = None;
        for _ in 0..30 {
            last = Some(second(&mut load, 50, 5_000, 10, 2));
        }
        assert_eq!(kinds(&last.unwrap()), Vec::<&str>::new());
    }

    #[test]
    fn a_stall_is_told_with_its_seconds() {
        let mut load = Load::new();
        let mut last = None;
        for at in 0..30 {
            last = Some(match at {
                9 => second(&mut load, 1, 5_000, 10, 9),
                10 => second(&mut load, 0, 5_000, 10, 10),
                _ => second(&mut load, 50, 5_000, 10, 2),
            });
        }
        let found = findings(&fixture::record(None, &last.unwrap()));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].sentence(), "00:09-00:11 stall: 1 response in 2 s, up to 10 requests in flight");
    }

    #[test]
    fn a_knee_is_told_with_its_users() {
        let mut load = Load::new();
        let mut last = None;
        for at in 1..=40_u64 {
            let users = (at * 2).min(60);
            let us = if users > 40 { 20_000 } else { 5_000 };
            last = Some(second(&mut load, 50, us, users, users / 5));
        }
        let found = findings(&fixture::record(None, &last.unwrap()));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].text.contains("below 38 users") || found[0].text.contains("below 45 users"),
            "{found:?}"
        );
        assert!(found[0].text.contains("at 60"), "{found:?}");
    }

    #[test]
    fn failures_are_told_by_endpoint_and_by_time() {
        let mut load = Load::new();
        let mut last = None;
        for at in 0..40 {
            if at == 20 || at == 21 {
                for _ in 0..30 {
                    load.request("buy", ("GET", "/b"), 9_000, Verdict::Failed(503, "status", "503"));
                }
            }
            last = Some(second(&mut load, 50, 5_000, 10, 2));
        }
        let found = findings(&fixture::record(None, &last.unwrap()));
        let kinds: Vec<_> = found.iter().map(|finding| finding.kind).collect();
        assert_eq!(kinds, ["failing", "burst"], "the first failure is not told twice: {found:?}");
        assert!(
            found[0].text.starts_with("GET /b failed 100 % of the time (60 of 60): status 503"),
            "{found:?}"
        );
        assert!(found[1].sentence().starts_with("00:20-00:22 burst of failures: 60 of 60"), "{found:?}");
    }

    #[test]
    fn a_first_failure_that_no_other_finding_names_stays() {
        let mut load = Load::new();
        load.request("buy", ("GET", "/seldom"), 9_000, Verdict::Failed(503, "status", "503"));
        for _ in 0..10 {
            second(&mut load, 50, 5_000, 10, 2);
        }
        for _ in 0..30 {
            load.request("buy", ("GET", "/b"), 9_000, Verdict::Failed(503, "status", "503"));
        }
        let mut snapshot = second(&mut load, 50, 5_000, 10, 2);
        let (key, seldom) = &mut snapshot.failures[1];
        assert_eq!(&*key.name, "/seldom");
        seldom.first_seen = fixture::started_at();
        let found = findings(&fixture::record(None, &snapshot));
        let first = found.iter().find(|finding| finding.kind == "first-error").unwrap();
        assert!(first.text.starts_with("first failure: GET /seldom, "), "{found:?}");
    }

    #[test]
    fn little_is_told_of_little() {
        let mut load = Load::new();
        let snapshot = second(&mut load, 5, 5_000, 10, 1);
        assert_eq!(kinds(&snapshot), ["few-samples"]);
        assert_eq!(kinds(&fixture::empty()), Vec::<&str>::new());
    }
}
