//! Follows a curve of users on one worker: starts and stops them as the curve rises and falls.
//!
//! Users have seats, numbered from 0; a user is wanted when its seat is below the curve, so the youngest leave
//! first. Which seats are on which worker, `share` says. Nothing is sent when a user starts: each worker computes it.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::lane::Lane;

/// Starts and stops this worker's users until it is given up.
pub(crate) async fn follow(lane: Rc<Lane>) {
    let mut wanted = 0;
    // Seats whose user was on its way out when it was wanted again.
    let mut again: BTreeSet<u64> = BTreeSet::new();
    let (mut seats, mut dealt) = (lane.seats(), lane.dealt());
    loop {
        let (schedule, now) = (lane.schedule(), lane.now());
        let time = schedule.time(now);
        let users = schedule.curve.users(time);
        let is_end = users == 0 && !schedule.curve.wants_users_after(time);
        let mut coming = seats.own(wanted, users);
        if lane.dealt() != dealt {
            let had = seats.own(0, wanted);
            (seats, dealt) = (lane.seats(), lane.dealt());
            let has = seats.own(0, users);
            for &seat in had.iter().rev().filter(|seat| has.binary_search(seat).is_err()) {
                again.remove(&seat);
                lane.worker.dismiss_user(lane.user_id(seat), lane.rule.grace, is_end);
            }
            coming = has.into_iter().filter(|seat| had.binary_search(seat).is_err()).collect();
        }
        for seat in coming {
            if lane.has_user(seat) && lane.worker.keep_user(lane.user_id(seat)) {
                again.insert(seat);
            } else {
                lane.start_user(seat, None);
            }
        }
        for seat in seats.own(users, wanted).into_iter().rev() {
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
