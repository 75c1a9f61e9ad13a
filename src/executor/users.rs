//! The `users` executor, Locust's: users are added evenly at the spawn rate and taken away at the same rate.

use super::curve::{Curve, Stretch};
use super::rule::Rule;

/// Users who come at the spawn rate and leave at it when the time of the run is over.
pub(super) fn rule(users: u64, spawn_rate: f64, run_time: Option<f64>) -> Rule {
    Rule { spawn_rate: Some(spawn_rate), ..Rule::users(curve(users, spawn_rate, run_time)) }
}

/// The first user at once, the others evenly after it; from `run_time` on they are taken away.
fn curve(users: u64, spawn_rate: f64, run_time: Option<f64>) -> Curve {
    let curve = Curve::new([ramp(0, users, spawn_rate)]);
    let full = curve.end().unwrap_or(0.0);
    match run_time {
        None => curve.then([Stretch::flat(users as f64, f64::INFINITY)]),
        Some(time) if time >= full => {
            curve.then([Stretch::flat(users as f64, time - full), ramp(users, 0, spawn_rate)])
        }
        Some(time) => {
            let curve = curve.until(time);
            // A user that is due at this very instant is not added any more.
            let there = ((1.0 + time * spawn_rate - 1e-6).floor() as u64).min(users);
            curve.then([ramp(there, 0, spawn_rate)])
        }
    }
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

/// From the users that there are to others, and then as long as the curve would have lasted at its full height;
/// `leave` is the rate at which they leave at the end, where they leave one by one.
pub(crate) fn change(
    from: u64,
    to: u64,
    rate: f64,
    old: &Curve,
    time: f64,
    leave: Option<f64>,
) -> Vec<Stretch> {
    let ramp = ramp(from, to, rate);
    // The old one's last descent is where its time is over, where it has one.
    let end = match leave {
        Some(_) => old.last_descent(),
        None => old.end(),
    };
    let Some(end) = end else { return vec![ramp, Stretch::flat(to as f64, f64::INFINITY)] };
    let left = (end - time - ramp.length).max(0.0);
    let mut stretches = vec![ramp, Stretch::flat(to as f64, left)];
    stretches.extend(leave.map(|rate| self::ramp(to, 0, rate)));
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_spaced_evenly_and_leave_as_they_came() {
        let curve = curve(5, 2.0, Some(4.0));
        let users: Vec<u64> = (0..14).map(|half| curve.users(f64::from(half) / 2.0 + 0.01)).collect();
        assert_eq!(users, [1, 2, 3, 4, 5, 5, 5, 5, 4, 3, 2, 1, 0, 0]);
        assert_eq!(curve.end(), Some(6.0));
    }

    #[test]
    fn a_run_may_end_before_all_users_are_there() {
        let curve = curve(100, 5.0, Some(0.7));
        assert_eq!(curve.users(0.69), 4);
        assert_eq!(curve.users(0.71), 3);
        assert_eq!(curve.end(), Some(0.7 + 3.0 / 5.0));
    }

    #[test]
    fn one_user_is_there_from_start_to_end() {
        let curve = curve(1, 1.0, Some(3.0));
        assert_eq!((curve.users(0.0), curve.users(2.99), curve.users(3.0)), (1, 1, 0));
        assert_eq!(super::curve(1, 1.0, None).users(1e6), 1);
    }
}
