//! One run among many of the same test. Pure data.

use std::time::Duration;

use super::finding::plural;
use crate::text::format_duration;

/// The headline figures of one run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TrendPoint {
    /// Name of its folder.
    pub folder: String,
    /// Name of the script.
    pub name: String,
    /// When it started; UTC, RFC 3339.
    pub started_at: String,
    /// Maximum number of virtual users planned; `None` if the run does not record it.
    pub users: Option<u64>,
    /// Most virtual users that ran; `None` if the run does not record it.
    pub users_max: Option<u64>,
    /// Planned duration in seconds, and planned number of iterations; `None` where there was none, or it is not recorded.
    pub planned: (Option<f64>, Option<u64>),
    /// The load profile it was run with.
    pub profile: Option<String>,
    /// Address of its report from where the trend is shown; `None` without one.
    pub report: Option<String>,
    /// Requests.
    pub requests: u64,
    /// Requests per second over the whole run.
    pub rate: f64,
    /// Share of failed requests; `None` without a request.
    pub failed_share: Option<f64>,
    /// Service time of successful requests in milliseconds: median, 95th and 99th percentile; `None` without one.
    pub latency_ms: Option<[f64; 3]>,
    /// Whether it passed; `None` if it had no thresholds and did not fail without any, or did not finish.
    pub passed: Option<bool>,
    /// Hash of the commit of its script, if recorded.
    pub commit: Option<String>,
    /// How its setup differs from the previous run of this test, profile and load (script, load, host, machine), as sentences.
    pub unlike: Vec<String>,
}

impl TrendPoint {
    /// Whether both were made with the same script, profile and load, so that one line may join them.
    pub fn is_alike(&self, other: &TrendPoint) -> bool {
        (&self.name, &self.profile, self.users, self.planned)
            == (&other.name, &other.profile, other.users, other.planned)
    }

    /// The profile and load: `stress, 200 users, 5m`; empty where neither is known.
    pub fn load(&self) -> String {
        let (seconds, iterations) = self.planned;
        let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let parts = [
            self.profile.clone(),
            self.users.map(|users| plural(users, "user")),
            time.map(format_duration),
            iterations.map(|count| plural(count, "iteration")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
