//! The limits that a built-in profile sets where the script sets none.

use super::ThresholdText;

/// Which profile's limits are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileLimits {
    /// `load`, `spike`, `endurance`, `all`.
    Usual,
    /// `stress`: more load, so more patience.
    Stress,
}

/// The usual targets of a service. Those of the target process only when one is watched: without data
/// they would fail. A limit of the script on the same figure takes the place of one of these.
pub fn profile_limits(limits: ProfileLimits, target_is_watched: bool) -> Vec<ThresholdText> {
    let p95 = match limits {
        ProfileLimits::Usual => "http_req_duration: p(95) < 200ms",
        ProfileLimits::Stress => "http_req_duration: p(95) < 300ms",
    };
    let mut texts =
        vec!["http_req_duration: p(50) < 100ms", p95, "http_reqs: rate > 50/s", "http_req_failed: rate < 1%"];
    if target_is_watched {
        texts.extend(["target_cpu: avg < 85%", "target_memory: max < 1GB"]);
    }
    texts.into_iter().map(|text| ThresholdText::new(text, "--profile")).collect()
}
