//! One run among many of the same test. Pure data.

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
    /// How its setup differs from the previous run of this test (script, load, host, machine), as sentences.
    pub unlike: Vec<String>,
}
