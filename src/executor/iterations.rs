//! The executors `per-vu-iterations` and `shared-iterations`, k6's: all users at once, until the iterations are done.

use super::curve::{Curve, Stretch};

/// All users are there from the start; what is not done when the time is over is cut off. They leave by
/// themselves when no iteration is left for them.
pub(crate) fn curve(vus: u64, max_seconds: f64) -> Curve {
    Curve::new([Stretch::flat(vus as f64, max_seconds)])
}
