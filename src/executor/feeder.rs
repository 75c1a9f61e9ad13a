//! Keeps an open lane in users on one worker: those that are there from the start, and one more whenever an
//! iteration is due and nobody has taken it.
//!
//! Of the iterations that are due and for this process, its worker *k* looks after every *workers*-th, so that no two
//! workers start a user for the same one, and as many are started at once as iterations wait.

use std::rc::Rc;

use super::lane::Lane;
use crate::plan::{Late, Open};

/// After how many iterations in a row others get their turn on this thread.
const IN_A_ROW: u32 = 64;

/// Starts users as they are needed, ends the lane when its schedule ends, and goes on until it is given up.
pub(crate) async fn feed(lane: Rc<Lane>) {
    let Some(mut pacer) = lane.pacer() else { return };
    let Open { pre_allocated_vus, late, .. } = lane.rule.open().cloned().unwrap_or_default();
    for _ in lane.seats().own(0, pre_allocated_vus) {
        lane.add_user(None);
    }
    let (workers, mut next) = (lane.part.share.here() as u64, lane.part.here() as u64);
    let mut in_a_row = 0;
    let mut is_cut = false;
    loop {
        let (schedule, now) = (lane.schedule(), lane.now());
        // What has been taken needs nobody; the first of this worker's own that has not is looked after next.
        let taken = lane.common().taken();
        if taken > next {
            next += (taken - next).div_ceil(workers) * workers;
        }
        let due = lane.due_at(next, &mut pacer);
        match due {
            Some(due) if due <= now => {
                match late {
                    Late::Queue => {
                        lane.add_user(None);
                    }
                    Late::Drop => lane.take_or_drop(next),
                }
                next += workers;
                in_a_row += 1;
                if in_a_row == IN_A_ROW {
                    in_a_row = 0;
                    tokio::task::yield_now().await;
                }
                continue;
            }
            _ => in_a_row = 0,
        }
        let end = schedule.end().filter(|_| !schedule.is_paused);
        let mut wake = due.or(end);
        if let Some(end) = end.filter(|&end| end <= now) {
            lane.end();
            let cut = end + lane.last_grace();
            if cut <= now && !is_cut {
                is_cut = true;
                lane.stop_users(Some(std::time::Duration::ZERO));
            }
            wake = (!is_cut).then_some(cut);
            if !lane.has_users() {
                lane.tell_idle();
            }
        } else {
            is_cut = false;
        }
        tokio::select! {
            () = lane.sleep_until(wake) => {}
            () = lane.changed.notified() => {}
            () = lane.user_left.notified(), if end.is_some_and(|end| end <= now) => {}
        }
    }
}
