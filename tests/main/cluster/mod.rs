//! A run on several agents: real processes, a real `nats-server`, and a server that has counted for itself.

mod losses;
mod namespaces;
mod one_run;
mod sharing;
mod signals;
mod strangers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::support::cluster::{Agent, Nats, RawClient, Wire, coordinating, coordinator, url};
use crate::support::{Output, RunDir, Running, Sandbox, Server, wait_until};

/// The users that each agent has told of, with a line of the script that ends in `user ID`.
fn users_of_agents(stderr: &str) -> BTreeMap<String, BTreeSet<u64>> {
    let mut users: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for line in stderr.lines() {
        let Some((before, user)) = line.rsplit_once(": user ") else { continue };
        let agent = before.rsplit(' ').next().unwrap().to_owned();
        let is_new = users.entry(agent).or_default().insert(user.parse().unwrap());
        assert!(is_new, "{line}");
    }
    users
}

/// How many users each agent has told of, in the order of their names.
fn counts(users: &BTreeMap<String, BTreeSet<u64>>) -> Vec<(&str, usize)> {
    users.iter().map(|(agent, users)| (agent.as_str(), users.len())).collect()
}

/// The last part of the paths below a prefix that the server has seen, as often as it has seen them.
fn last_parts(server: &Server, prefix: &str) -> Vec<String> {
    let seen = server.seen();
    let parts = seen.iter().filter_map(|seen| seen.path.strip_prefix(prefix));
    parts.map(str::to_owned).collect()
}

/// Requests of the run's total.
fn requests(run: &RunDir) -> u64 {
    run.json()["total"]["requests"].as_u64().unwrap()
}

/// Fails the test unless there is a row of history for each second, from the first to the last.
#[track_caller]
fn history_has_no_hole(run: &RunDir) {
    let rows = run.csv("stats_history.csv");
    let seconds: Vec<u64> = rows
        .iter()
        .filter(|row| row["Name"] == "Aggregated")
        .map(|row| row["Timestamp"].parse().unwrap())
        .collect();
    assert!(seconds.len() >= 3, "{seconds:?}");
    // Times are cut to seconds: of two rows a second apart, one may seem to be two later, and the next none.
    let first = seconds[0];
    let is_near = |(at, second): (usize, &u64)| second.abs_diff(first + at as u64) <= 1;
    assert!(seconds.iter().enumerate().all(is_near), "{seconds:?}");
    // The last one may be of the moment in which the load ended.
    let dry: Vec<_> = rows[..rows.len() - 1]
        .iter()
        .filter(|row| row["Requests/s"].parse::<f64>().unwrap() == 0.0)
        .collect();
    assert!(dry.is_empty(), "{dry:?}");
    let timeline = run.csv("timeline.csv");
    // Whoever is late or lost, a rate is one of whole seconds: of more than one where the coordinator was killed.
    let other: Vec<_> =
        timeline[..timeline.len() - 1].iter().filter(|row| !row["length_s"].ends_with(".000")).collect();
    assert!(other.is_empty(), "{other:?}");
    let most = timeline.iter().map(|row| row["users_peak"].parse::<u64>().unwrap()).max();
    assert_eq!(run.json()["metrics"]["vus_max"]["values"]["value"].as_u64(), most);
}

/// Fails the test unless each request is in the second of the history in which the server has seen it, as far as that can be told:
/// a second of the history may end a little late.
#[track_caller]
fn counted_when_seen(run: &RunDir, server: &Server) {
    const A_LITTLE: f64 = 0.6;
    let log = std::fs::read_to_string(run.0.join("latency.hlog")).unwrap();
    let (_, start) = log.split_once("#[StartTime: ").unwrap();
    let start: f64 = start.split(' ').next().unwrap().parse().unwrap();
    let (now, here) = (SystemTime::now().duration_since(UNIX_EPOCH).unwrap(), Instant::now());
    let seen: Vec<f64> = server
        .seen()
        .into_iter()
        .map(|seen| now.as_secs_f64() - (here - seen.at).as_secs_f64() - start)
        .collect();
    let seen_until = |at: f64| seen.iter().filter(|&&seen| seen < at).count() as i64;
    let rows = run.csv("timeline.csv");
    let mut counted = 0;
    for row in &rows {
        let at: f64 = row["elapsed_s"].parse().unwrap();
        counted += row["requests"].parse::<i64>().unwrap();
        let range = seen_until(at - A_LITTLE)..=seen_until(at + A_LITTLE);
        assert!(range.contains(&counted), "{counted} until {at}, and not {range:?}: {rows:#?}");
    }
}

/// Whether the run's report says when something happened.
fn has_mark(run: &RunDir, part: &str) -> bool {
    let json = run.json();
    json["marks"].as_array().unwrap().iter().any(|mark| mark["text"].as_str().unwrap().contains(part))
}
