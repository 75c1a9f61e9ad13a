//! Resources of another machine: what `rhaid monitor --serve` there answers, fetched here.

use std::time::Duration;

use http::HeaderValue;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::metrics::{MachineInfo, ProcessUse, SystemUse};
use crate::outbound::{self, Client, Proxies};

/// The path under which a monitor serves its last sample.
pub const REMOTE_PATH: &str = "/sample";

/// How long an answer may take: it must be here before the next one is asked for.
const TIMEOUT: Duration = Duration::from_millis(900);

/// Where a monitor serves, and what it wants to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTarget {
    /// Base URL, such as `http://10.0.0.7:8090`.
    pub url: String,
    /// Its token, if it asks for one.
    pub token: Option<String>,
}

/// What a monitor answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemoteSample {
    /// Counts its samples, so that one is not taken twice.
    pub number: u64,
    /// Its machine.
    pub machine: MachineInfo,
    /// The process it watches, in words.
    pub target: Option<String>,
    /// What its machine does.
    pub system: SystemUse,
    /// What the process it watches does.
    pub process: Option<ProcessUse>,
}

/// Fetches from one monitor.
pub(super) struct RemoteMonitor {
    client: Client,
    url: Url,
    authorization: Option<HeaderValue>,
    last_number: Option<u64>,
}

impl RemoteMonitor {
    /// Prepares without asking anything.
    ///
    /// # Errors
    /// When the URL or the token cannot be used, in words.
    pub(super) fn new(remote: &RemoteTarget) -> Result<RemoteMonitor, String> {
        let mut url = outbound::parse_url(&remote.url)
            .map_err(|why| format!("the monitor's URL '{}' cannot be used: {why}", remote.url))?;
        url.set_path(&format!("{}{REMOTE_PATH}", url.path().trim_end_matches('/')));
        let authorization =
            remote.token.as_ref().map(|token| HeaderValue::from_str(&format!("Bearer {token}")));
        let authorization = authorization
            .transpose()
            .map_err(|_| "the monitor's token holds letters that a header cannot".to_owned())?;
        // A monitor stands beside the target, and load goes there directly too.
        let client = Client::new(TIMEOUT, Proxies::Ignored)?;
        Ok(RemoteMonitor { client, url, authorization, last_number: None })
    }

    /// The newest sample; `None` when it is the one that was given last.
    ///
    /// # Errors
    /// When the monitor does not answer, or not what a monitor answers, in words.
    pub(super) fn fetch(&mut self) -> Result<Option<RemoteSample>, String> {
        // Without user and password.
        let from = format!("the monitor at {}", self.url.origin().ascii_serialization());
        let answer = self.client.get(&self.url, self.authorization.as_ref());
        let answer = answer.map_err(|why| format!("{from} does not answer: {why}"))?;
        match answer.status {
            200 => {}
            401 | 403 => return Err(format!("{from} refuses the token (--target-monitor-token)")),
            status => return Err(format!("{from} answers with status {status}")),
        }
        let sample: RemoteSample = serde_json::from_slice(&answer.body)
            .map_err(|error| format!("{from} does not answer as `rhaid monitor --serve` does: {error}"))?;
        let is_new = self.last_number != Some(sample.number);
        self.last_number = Some(sample.number);
        Ok(is_new.then_some(sample))
    }
}
