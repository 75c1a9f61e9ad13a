//! What blocked worker threads, and when the process did not run: findings and sentences.
//!
//! Pure. Owns their wording. Leaves stalls of the target to `stall`.

use std::time::Duration;

use super::agents::agent_named;
use super::finding::{Finding, plural};
use crate::metrics::{BlockedFunction, BlockedSpan, BlockingStats, LostWorker};
use crate::text::format;

/// Fewer seconds than that without the generator are no reason for a stall.
const NOTEWORTHY: Duration = Duration::from_millis(500);

/// The findings, most important first.
pub(super) fn findings(stats: &BlockingStats) -> Vec<Finding> {
    standstill(stats).into_iter().chain(blocked(stats)).collect()
}

fn standstill(stats: &BlockingStats) -> Option<Finding> {
    let longest = stats.standstills.iter().max_by_key(|span| span.length)?;
    let more = stats.standstills.len() - 1;
    Some(Finding {
        kind: "standstill",
        at: Some(longest.at),
        until: Some(longest.at + longest.length),
        text: format!(
            "{} did not run for {}{}: the process was stopped, or the machine gave it no time; times of requests that \
             were in flight include this",
            longest.agent.as_deref().map_or_else(|| "rhaid".to_owned(), agent_named),
            seconds(longest.length),
            if more > 0 {
                format!(", and {} for a shorter time", plural(more as u64, "more time"))
            } else {
                String::new()
            }
        ),
    })
}

fn blocked(stats: &BlockingStats) -> Option<Finding> {
    let BlockedFunction { function, count, longest, agent, worker, vu, at } = stats.functions.first()?;
    let thread = match agent {
        Some(agent) => format!("worker thread {worker} of {}", agent_named(agent)),
        None => format!("worker thread {worker}"),
    };
    let whose = if *vu > 0 { format!(" (VU {vu})") } else { String::new() };
    let mut text = if function.is_empty() {
        format!("{thread} was blocked for {} outside of scripts", seconds(*longest))
    } else {
        format!("{function} blocked {thread} for {}{whose}", seconds(*longest))
    };
    if *count > 1 {
        text.push_str(&format!(", and {} for a shorter time", plural(*count - 1, "more time")));
    }
    let more = stats.functions.len() - 1;
    if more > 0 {
        text.push_str(&format!("; so did {}", plural(more as u64, "more function")));
    }
    text.push_str(": the other VUs of the thread had to wait, and their times include this");
    Some(Finding { kind: "blocked", at: Some(*at), until: Some(*at + *longest), text })
}

/// Whether the generator itself did not run, or not all of it, for a noteworthy part of this time.
pub(super) fn explains(stats: &BlockingStats, from_s: f64, to_s: f64) -> bool {
    let overlaps = |span: &BlockedSpan| {
        let (from, to) = (span.at.as_secs_f64(), (span.at + span.length).as_secs_f64());
        span.length >= NOTEWORTHY && from < to_s && from_s < to
    };
    stats.standstills.iter().chain(&stats.long_blocks).any(overlaps)
}

/// What is missing because a worker does not answer.
pub(crate) fn lost_worker(lost: &LostWorker) -> String {
    format!("{}: requests of its last interval are not counted", silent_worker(lost))
}

/// That a worker does not answer.
pub(crate) fn silent_worker(silent: &LostWorker) -> String {
    let LostWorker { worker, silent_for, vu, function } = silent;
    let doing = match vu {
        Some(0) => format!(" (in {function})"),
        Some(vu) => format!(" (VU {vu} is in {function})"),
        None => String::new(),
    };
    format!("worker {worker} has not answered for {}{doing}", seconds(*silent_for))
}

fn seconds(time: Duration) -> String {
    format::latency(time.as_micros() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn what_blocks_is_named_with_its_user_and_its_time() {
        let one = BlockedFunction {
            function: "'browse'".to_owned(),
            count: 3,
            longest: s(4.1),
            agent: None,
            worker: 1,
            vu: 7,
            at: s(12.0),
        };
        let other = BlockedFunction { function: "'buy'".to_owned(), longest: s(0.2), ..one.clone() };
        let of_agent = BlockedFunction { agent: Some("a2".into()), ..one.clone() };
        let stats = BlockingStats { functions: vec![of_agent], ..BlockingStats::default() };
        let text = findings(&stats).remove(0).text;
        assert!(
            text.starts_with("'browse' blocked worker thread 1 of agent 'a2' for 4.10s (VU 7)"),
            "{text}"
        );
        let stats = BlockingStats { functions: vec![one, other], ..BlockingStats::default() };
        let found = findings(&stats);
        assert_eq!(
            found.iter().map(Finding::sentence).collect::<Vec<_>>(),
            [
                "00:12-00:16 'browse' blocked worker thread 1 for 4.10s (VU 7), and 2 more times for a shorter time; so \
              did 1 more function: the other VUs of the thread had to wait, and their times include this"
            ]
        );
        assert!(findings(&BlockingStats::default()).is_empty());
    }

    #[test]
    fn a_process_that_stood_still_explains_the_stall_of_that_time() {
        let span = BlockedSpan { agent: None, at: s(10.0), length: s(5.0) };
        let stats = BlockingStats { standstills: vec![span.clone()], ..BlockingStats::default() };
        assert!(
            findings(&stats)[0].text.starts_with("rhaid did not run for 5.00s: "),
            "{:?}",
            findings(&stats)
        );
        assert!(explains(&stats, 11.0, 14.0) && explains(&stats, 8.0, 10.5) && explains(&stats, 14.0, 20.0));
        assert!(!explains(&stats, 5.0, 10.0) && !explains(&stats, 15.0, 16.0));
        let stood = BlockedSpan { agent: Some("a2".into()), ..span };
        let of_agent = BlockingStats { standstills: vec![stood], ..BlockingStats::default() };
        assert!(findings(&of_agent)[0].text.starts_with("agent 'a2' did not run for 5.00s: "));
        let short = BlockedSpan { agent: None, at: s(10.0), length: s(0.2) };
        assert!(!explains(
            &BlockingStats { long_blocks: vec![short], ..BlockingStats::default() },
            9.0,
            12.0
        ));
    }

    #[test]
    fn a_lost_worker_says_where_it_is_and_what_is_missing() {
        let lost =
            LostWorker { worker: 2, silent_for: s(41.0), vu: Some(7), function: "'browse'".to_owned() };
        assert_eq!(
            lost_worker(&lost),
            "worker 2 has not answered for 41.0s (VU 7 is in 'browse'): requests of its last interval are not counted"
        );
    }
}
