//! The `users` executor, Locust's: users are added evenly at the spawn rate, and leave at the end of the run.

use std::time::Duration;

use super::curve::{Curve, Stretch};
use super::rule::Rule;

/// Users who come at the spawn rate and leave when the time of the run is over, or one by one in its last part.
pub(super) fn rule(users: u64, spawn_rate: f64, run_time: Option<f64>, ramp_down: Option<Duration>) -> Rule {
    let ramp_down = ramp_down.map(|time| time.as_secs_f64());
    let curve = curve(users, spawn_rate, run_time, ramp_down);
    Rule { spawn_rate: Some(spawn_rate), ramp_down, ..Rule::users(curve) }
}

/// The first user at once, the others evenly after it.
fn curve(users: u64, spawn_rate: f64, run_time: Option<f64>, ramp_down: Option<f64>) -> Curve {
    let curve = Curve::new([ramp(0, users, spawn_rate), Stretch::flat(users as f64, f64::INFINITY)]);
    match run_time {
        None => curve,
        Some(time) => leave(&curve, time, ramp_down),
    }
}

/// The curve up to the end of the run, in whose last part the users that are there then leave one by one.
fn leave(curve: &Curve, end: f64, ramp_down: Option<f64>) -> Curve {
    let Some(down) = ramp_down else { return curve.until(end) };
    let begin = (end - down).max(0.0);
    let there = curve.users(begin) as f64;
    curve.until(begin).then([Stretch::new(there, 0.0, end - begin)])
}

/// From one number of users to another, the first one at once.
fn ramp(from: u64, to: u64, rate: f64) -> Stretch {
    let (from, to) = (from as f64, to as f64);
    let first = if to > from {
        from + 1.0
    } else if to < from {
        from - 1.0
    } else {
        from
    };
    Stretch::new(first, to, (to - first).abs() / rate)
}

/// From the users that there are to others, and then as long as the old curve would have lasted; with `ramp_down`, they
/// leave in so many seconds at its end, if that has not begun.
pub(crate) fn change(
    from: u64,
    to: u64,
    rate: f64,
    old: &Curve,
    time: f64,
    ramp_down: Option<f64>,
) -> Vec<Stretch> {
    let curve = Curve::new([ramp(from, to, rate), Stretch::flat(to as f64, f64::INFINITY)]);
    let Some(end) = old.end() else { return curve.rest(0.0) };
    let left = (end - time).max(0.0);
    leave(&curve, left, ramp_down.map(|down| down.min(left))).rest(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_spaced_evenly_and_all_leave_at_the_end() {
        let curve = curve(5, 2.0, Some(4.0), None);
        let users: Vec<u64> = (0..10).map(|half| curve.users(f64::from(half) / 2.0 + 0.01)).collect();
        assert_eq!(users, [1, 2, 3, 4, 5, 5, 5, 5, 0, 0]);
        assert_eq!(curve.end(), Some(4.0), "it takes as long as it is to take");
    }

    #[test]
    fn a_ramp_down_is_the_last_part_of_the_run() {
        let curve = curve(4, 100.0, Some(6.0), Some(2.0));
        let users: Vec<u64> = (0..13).map(|half| curve.users(f64::from(half) / 2.0 + 0.01)).collect();
        assert_eq!(users, [2, 4, 4, 4, 4, 4, 4, 4, 4, 3, 2, 1, 0]);
        assert_eq!(curve.end(), Some(6.0));
    }

    #[test]
    fn a_run_may_end_before_all_users_are_there() {
        let curve = curve(100, 5.0, Some(0.7), None);
        assert_eq!((curve.users(0.69), curve.users(0.7), curve.end()), (4, 0, Some(0.7)));
        let curve = super::curve(100, 5.0, Some(0.7), Some(0.7));
        assert_eq!((curve.users(0.01), curve.users(0.7), curve.end()), (1, 0, Some(0.7)));
    }

    #[test]
    fn another_number_of_users_does_not_make_the_run_longer() {
        let old = curve(5, 2.0, Some(10.0), Some(2.0));
        let length = |stretches: Vec<Stretch>| stretches.iter().map(|stretch| stretch.length).sum::<f64>();
        for (to, time) in [(500, 3.0), (1, 3.0), (500, 9.0), (0, 0.0)] {
            let left = 10.0 - time;
            assert!(
                (length(change(5, to, 2.0, &old, time, Some(2.0))) - left).abs() < 1e-9,
                "{to} at {time}"
            );
            assert!((length(change(5, to, 2.0, &old, time, None)) - left).abs() < 1e-9, "{to} at {time}");
        }
    }

    #[test]
    fn one_user_is_there_from_start_to_end() {
        let curve = curve(1, 1.0, Some(3.0), None);
        assert_eq!((curve.users(0.0), curve.users(2.99), curve.users(3.0)), (1, 1, 0));
        assert_eq!(super::curve(1, 1.0, None, None).users(1e6), 1);
    }
}
