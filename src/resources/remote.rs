//! Resources of another machine, fetched from a `rhaid monitor --serve` running there.

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

/// Address and token of a monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTarget {
    /// Base URL, such as `http://10.0.0.7:8090`.
    pub url: String,
    /// Its token, if it requires one.
    pub token: Option<String>,
}

/// What a monitor answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemoteSample {
    /// Counts its samples, so that one is not taken twice.
    pub number: u64,
    /// Its machine.
    pub machine: MachineInfo,
    /// A description of the process it monitors.
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
    /// If the URL or the token cannot be used, with the reason.
    pub(super) fn new(remote: &RemoteTarget) -> Result<RemoteMonitor, String> {
        let mut url = outbound::parse_url(&remote.url)
            .map_err(|why| format!("the monitor's URL '{}' cannot be used: {why}", remote.url))?;
        url.set_path(&format!("{}{REMOTE_PATH}", url.path().trim_end_matches('/')));
        let authorization =
            remote.token.as_ref().map(|token| HeaderValue::from_str(&format!("Bearer {token}")));
        let authorization = authorization
            .transpose()
            .map_err(|_| "the monitor's token has characters that are not allowed in a header".to_owned())?;
        // A monitor stands beside the target, and load goes there directly too.
        let client = Client::new(TIMEOUT, Proxies::Ignored)?;
        Ok(RemoteMonitor { client, url, authorization, last_number: None })
    }

    /// The newest sample; `None` when it is the one that was given last.
    ///
    /// # Errors
    /// If the monitor cannot be reached or does not respond like a monitor, with the reason.
    pub(super) fn fetch(&mut self) -> Result<Option<RemoteSample>, String> {
        // Without user and password.
        let from = format!("the monitor at {}", self.url.origin().ascii_serialization());
        let answer = self.client.get(&self.url, self.authorization.as_ref());
        let answer = answer.map_err(|why| format!("{from} cannot be reached: {why}"))?;
        match answer.status {
            200 => {}
            401 | 403 => return Err(format!("{from} rejected the token (--target-monitor-token)")),
            status => return Err(format!("{from} responded with status {status}")),
        }
        let sample: RemoteSample = serde_json::from_slice(&answer.body)
            .map_err(|error| format!("{from} is not a `rhaid monitor --serve`: {error}"))?;
        let is_new = self.last_number != Some(sample.number);
        self.last_number = Some(sample.number);
        Ok(is_new.then_some(sample))
    }
}
