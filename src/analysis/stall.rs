//! Stalls: periods with almost no responses although many requests were in flight.
//!
//! Pure: a function of the seconds of a run. Owns where a stall begins and ends; leaves what else happened to
//! `findings`. Invariant: a stall covers at least one second with a tenth of the usual responses, or fewer.
//!
//! Seconds of the run and the stall have no edge in common. A stall from 6.4 to 8.4 s leaves one empty second,
//! a second before with some responses, and one after with all that waited. How long the slowest of those
//! took says how long the stall was.

use std::time::Duration;

use super::blocking;
use super::finding::{Finding, is_loaded, plural};
use crate::metrics::{BlockingStats, HistoryPoint};
use crate::text::format;

/// See the module's description.
pub(crate) struct Stall {
    /// When it began, seconds since the start of the load.
    from_s: f64,
    /// When it ended.
    to_s: f64,
    /// Responses received in its whole seconds.
    responses: u64,
    in_flight: u64,
}

impl Stall {
    pub(crate) fn finding(&self) -> Finding {
        // The edges are estimates; parts of a second would pretend to more.
        let from = self.from_s.round().max(0.0);
        let to = self.to_s.round().max(from + 1.0);
        Finding {
            kind: "stall",
            at: Some(Duration::from_secs_f64(from)),
            until: Some(Duration::from_secs_f64(to)),
            text: format!(
                "stall: {} in {} s, up to {} requests in flight",
                plural(self.responses, "response"),
                to - from,
                format::count(self.in_flight)
            ),
        }
    }

    /// Whether it was the generator that stood still.
    pub(crate) fn is_explained_by(&self, stats: &BlockingStats) -> bool {
        blocking::explains(stats, self.from_s, self.to_s)
    }

    /// Whether a second lies in it or in the three seconds after, in which what waited comes back.
    pub(crate) fn is_near(&self, point: &HistoryPoint) -> bool {
        point.at.as_secs_f64() > self.from_s.floor() && begin_s(point) < self.to_s + 3.0
    }
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn begin_s(point: &HistoryPoint) -> f64 {
    point.at.saturating_sub(point.length).as_secs_f64()
}

fn rate(point: &HistoryPoint) -> f64 {
    let seconds = point.length.as_secs_f64();
    if seconds > 0.0 { point.total.requests.max(0) as f64 / seconds } else { 0.0 }
}

/// The longest first.
pub(crate) fn stalls(points: &[&HistoryPoint]) -> Vec<Stall> {
    let loaded = || points.iter().filter(|point| point.users > 0 && is_loaded(point.phase));
    let (Some(typical), Some(in_flight)) =
        (median(loaded().map(|point| rate(point))), median(loaded().map(|point| point.in_flight as f64)))
    else {
        return Vec::new();
    };
    // Of a few requests a second, none in a second is no event.
    if typical < 5.0 {
        return Vec::new();
    }
    // Users without much think time always wait for something; then more than all of them cannot.
    let is_prompt = in_flight / typical < 0.5;
    let is_stalled = |point: &HistoryPoint| {
        let waiting = point.in_flight as f64;
        let is_much = waiting >= in_flight * 2.0 || (is_prompt && waiting >= point.users as f64 * 0.8);
        is_loaded(point.phase)
            && point.length >= Duration::from_millis(500)
            && rate(point) <= typical * 0.1
            && waiting >= 3.0
            && is_much
    };
    let mut stalls = Vec::new();
    let mut index = 0;
    while index < points.len() {
        let length = points[index..].iter().take_while(|point| is_stalled(point)).count();
        if length > 0 {
            stalls.push(stall(points, index, index + length, typical));
        }
        index += length + 1;
    }
    stalls.sort_by(|a: &Stall, b: &Stall| (b.to_s - b.from_s).total_cmp(&(a.to_s - a.from_s)));
    stalls
}

/// The stall whose empty seconds are those from `first` to before `end`.
fn stall(points: &[&HistoryPoint], first: usize, end: usize, typical: f64) -> Stall {
    let empty = &points[first..end];
    let (from_s, to_s) = (begin_s(empty[0]), empty[empty.len() - 1].at.as_secs_f64());
    let mut stall = Stall {
        from_s,
        to_s,
        responses: empty.iter().map(|point| point.total.requests.max(0) as u64).sum(),
        in_flight: empty.iter().map(|point| point.in_flight).max().unwrap_or(0),
    };
    let Some(next) = points.get(end) else { return stall };
    let longest_s = next.total.ok.map_or(0.0, |ok| ok.max_us as f64 / 1e6);
    // What waited through the stall took longer than its empty seconds.
    if longest_s <= to_s - from_s {
        return stall;
    }
    let before = first.checked_sub(1).and_then(|before| points.get(before));
    let full = before.map_or(1.0, |before| (rate(before) / typical).clamp(0.0, 1.0));
    let begun = before.map_or(from_s, |before| from_s - (1.0 - full) * before.length.as_secs_f64());
    // It ended in the next second, so it began within these.
    let (earliest, latest) = (to_s - longest_s, next.at.as_secs_f64() - longest_s);
    stall.from_s = begun.max(earliest).min(latest.max(earliest)).min(from_s).max(0.0);
    stall.to_s = (stall.from_s + longest_s).clamp(to_s, next.at.as_secs_f64());
    stall
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Load, Verdict};
    use crate::metrics::Phase;

    /// Sentences on 30 seconds with these in their middle: responses, how long the slowest took, in flight.
    fn told(middle: &[(u64, u64, u64)]) -> Vec<String> {
        let mut load = Load::new();
        let even = (100, 20_000, 4);
        let seconds = std::iter::repeat_n(even, 6).chain(middle.iter().copied());
        let mut last = None;
        for (requests, longest_us, in_flight) in seconds.chain(std::iter::repeat_n(even, 20)) {
            for i in 0..requests {
                let us = if i < 40 { longest_us } else { 20_000 };
                load.request("browse", ("GET", "/a"), us, Verdict::Ok);
            }
            last = Some(load.close_with(1_000, Phase::Steady, 40, in_flight));
        }
        let history = last.unwrap().history.since(0);
        let points: Vec<&HistoryPoint> = history.iter().map(|point| &**point).collect();
        stalls(&points).iter().map(|stall| stall.finding().sentence()).collect()
    }

    #[test]
    fn a_burst_of_late_responses_ends_the_stall_and_belongs_to_it() {
        // Two seconds from a little before 6 on: the second with the burst has two fifths of the usual.
        let told = told(&[(0, 0, 40), (40, 2_000_000, 4)]);
        assert_eq!(told, ["00:06-00:08 stall: 0 responses in 2 s, up to 40 requests in flight"]);
    }

    #[test]
    fn edges_between_seconds_are_found() {
        // From 6.4 to 8.4.
        assert_eq!(
            told(&[(40, 20_000, 40), (0, 0, 40), (100, 2_000_000, 4)]),
            ["00:06-00:08 stall: 0 responses in 2 s, up to 40 requests in flight"]
        );
        // From 6.8 to 8.8.
        assert_eq!(
            told(&[(80, 20_000, 40), (0, 0, 40), (60, 2_000_000, 4)]),
            ["00:07-00:09 stall: 0 responses in 2 s, up to 40 requests in flight"]
        );
    }

    #[test]
    fn empty_seconds_alone_are_a_stall_and_slow_ones_alone_are_none() {
        assert_eq!(
            told(&[(0, 0, 40), (3, 20_000, 40), (0, 0, 40)]),
            ["00:06-00:09 stall: 3 responses in 3 s, up to 40 requests in flight"]
        );
        assert_eq!(told(&[(90, 900_000, 40), (90, 900_000, 40)]), Vec::<String>::new());
    }

    #[test]
    fn users_who_always_wait_for_something_can_stall_too() {
        let stalls_of = |users, usual, us, stalled: u64| {
            let mut load = Load::new();
            let mut last = None;
            for second in 0..30 {
                let is_stalled = (10..13).contains(&second);
                for _ in 0..if is_stalled { 0 } else { 100 } {
                    load.request("browse", ("GET", "/a"), us, Verdict::Ok);
                }
                let in_flight = if is_stalled { stalled } else { usual };
                last = Some(load.close_with(1_000, Phase::Steady, users, in_flight));
            }
            let history = last.unwrap().history.since(0);
            let points: Vec<&HistoryPoint> = history.iter().map(|point| &**point).collect();
            stalls(&points).len()
        };
        assert_eq!(stalls_of(20, 15, 150_000, 20), 1, "all 20 wait, where 15 of them do at any time");
        assert_eq!(stalls_of(20, 15, 150_000, 9), 0, "fewer than usual wait: nobody asked for anything");
        assert_eq!(
            stalls_of(100, 90, 900_000, 100),
            0,
            "whoever always waits for a second tells little by it"
        );
    }
}
