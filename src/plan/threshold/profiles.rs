//! The limits that a built-in profile sets where nobody sets others.

use super::ThresholdText;
use crate::plan::Profile;

impl Profile {
    /// The usual targets of a service, for a load of this kind. Those of the target's process count only when one
    /// is watched: without data they would fail. A limit on the same figure takes the place of one of these.
    pub fn limits(self) -> Vec<ThresholdText> {
        let p95 = match self {
            // More load, so more patience.
            Profile::Stress => "http_req_duration: p(95) < 300ms",
            Profile::Load | Profile::Spike | Profile::Endurance => "http_req_duration: p(95) < 200ms",
        };
        let always =
            ["http_req_duration: p(50) < 100ms", p95, "http_reqs: rate > 50/s", "http_req_failed: rate < 1%"];
        let if_measured = ["target_cpu: avg < 85%", "target_memory: max < 1GB"];
        let place = format!("--profile {}", self.name());
        let text = |text: &str, if_measured| ThresholdText {
            if_measured,
            ..ThresholdText::new(text, place.clone())
        };
        let always = always.into_iter().map(|limit| text(limit, false));
        always.chain(if_measured.into_iter().map(|limit| text(limit, true))).collect()
    }
}
