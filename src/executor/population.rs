//! Follows a curve of users on one worker: starts and stops them as the curve rises and falls.
//!
//! Users have seats, numbered from 0; a user is wanted when its seat is below the curve, so the youngest leave
//! first. Seat *k* is on worker *k* mod *workers*. Nothing is sent when a user starts: each worker computes it.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::lane::{Lane, Part};

/// The seats below `seats` that are on one worker, ascending.
pub(crate) fn own_seats(from: u64, to: u64, part: Part) -> impl DoubleEndedIterator<Item = u64> {
    let (worker, workers) = (part.worker as u64, part.workers as u64);
    // The first seat of this worker that is not below `from`.
    let first = from + (worker + workers - from % workers) % workers;
    let count = to.saturating_sub(first).div_ceil(workers);
    (0..count).map(move |k| first + k * workers)
}

/// Starts and stops this worker's users until it is given up.
pub(crate) async fn follow(lane: Rc<Lane>) {
    let mut wanted = 0;
    // Seats whose user was on its way out when it was wanted again.
    let mut again: BTreeSet<u64> = BTreeSet::new();
    loop {
        let (schedule, now) = (lane.schedule(), lane.now());
        let time = schedule.time(now);
        let users = schedule.curve.users(time);
        for seat in own_seats(wanted, users, lane.part) {
            if lane.has_user(seat) && lane.worker.keep_user(lane.user_id(seat)) {
                again.insert(seat);
            } else {
                lane.start_user(seat, None);
            }
        }
        let is_end = users == 0 && !schedule.curve.wants_users_after(time);
        for seat in own_seats(users, wanted, lane.part).rev() {
            again.remove(&seat);
            lane.worker.dismiss_user(lane.user_id(seat), lane.rule.grace, is_end);
        }
        wanted = users;
        again.retain(|&seat| {
            let is_gone = !lane.has_user(seat);
            if is_gone {
                lane.start_user(seat, None);
            }
            !is_gone
        });
        if !lane.has_users() && !schedule.is_paused && !schedule.curve.wants_users_after(time) {
            lane.tell_idle();
        }
        let next = schedule.curve.next_change(time).map(|time| schedule.moment(time));
        tokio::select! {
            () = lane.sleep_until(next) => {}
            () = lane.changed.notified() => {}
            () = lane.user_left.notified() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seat_is_on_one_worker() {
        for (from, to, workers) in [(0, 0, 2), (0, 1, 2), (0, 7, 3), (3, 11, 4), (5, 5, 2), (9, 4, 2)] {
            let own = |worker| own_seats(from, to, Part { worker, workers });
            let mut all: Vec<u64> = (0..workers).flat_map(own).collect();
            all.sort_unstable();
            assert_eq!(all, (from..to).collect::<Vec<_>>(), "{from}..{to} on {workers} workers");
            for worker in 0..workers {
                assert!(own(worker).all(|seat| seat % workers as u64 == worker as u64));
            }
        }
    }
}
