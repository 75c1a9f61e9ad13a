//! One run among many of the same test. Pure data.

/// The headline of one run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TrendPoint {
    /// Name of its folder.
    pub folder: String,
    /// Name of the script.
    pub name: String,
    /// When it began; UTC, RFC 3339.
    pub started_at: String,
    /// Most virtual users it was to have; `None` for a run that does not say.
    pub users: Option<u64>,
    /// Requests.
    pub requests: u64,
    /// Requests per second over the whole run.
    pub rate: f64,
    /// Share of failed requests; `None` without a request.
    pub failed_share: Option<f64>,
    /// Service time of the successes, milliseconds: median, 95th and 99th percentile; `None` without a success.
    pub latency_ms: Option<[f64; 3]>,
    /// Whether all its thresholds held; `None` when it had none, or was cut off.
    pub passed: Option<bool>,
    /// Hash of the commit that its script was of, if it says so.
    pub commit: Option<String>,
    /// What it was made with that the run of this test before it was not: script, load, host, machine; in words.
    pub unlike: Vec<String>,
}
