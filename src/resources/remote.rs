//! Resources of another machine: what `rhaid monitor --serve` there answers, fetched here.

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::http::{Client, HttpOptions, Network, Request, Target, Transport};
use crate::metrics::{MachineInfo, ProcessUse, SystemUse};

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
    request: Request,
    last_number: Option<u64>,
}

impl RemoteMonitor {
    /// Prepares without asking anything.
    ///
    /// # Errors
    /// When the URL or the token cannot be used, in words.
    pub(super) fn new(remote: &RemoteTarget) -> Result<RemoteMonitor, String> {
        let url = format!("{}{REMOTE_PATH}", remote.url.trim_end_matches('/'));
        let wrong = |why: String| format!("the monitor's URL '{}' cannot be used: {why}", remote.url);
        if !url.contains("://") {
            return Err(wrong(format!("it lacks http:// or https://; write http://{}", remote.url)));
        }
        let target = Target::parse(&url).map_err(|error| wrong(error.to_string()))?;
        let transport = Transport::new(HttpOptions::default()).map_err(|error| wrong(error.to_string()))?;
        let mut request = Request::new(http::Method::GET, target);
        request.timeout = Some(TIMEOUT);
        if let Some(token) = &remote.token {
            let value = http::HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| "the monitor's token holds letters that a header cannot".to_owned())?;
            request.headers.insert(http::header::AUTHORIZATION, value);
        }
        Ok(RemoteMonitor {
            client: Client::new(Network::new(transport) as Rc<Network>),
            request,
            last_number: None,
        })
    }

    /// The newest sample; `None` when it is the one that was given last.
    ///
    /// # Errors
    /// When the monitor does not answer, or not what a monitor answers, in words.
    pub(super) async fn fetch(&mut self) -> Result<Option<RemoteSample>, String> {
        let exchange = self.client.send(self.request.clone()).await;
        let from = format!("the monitor at {}", self.request.target);
        if let Some(error) = &exchange.error {
            return Err(format!("{from} does not answer: {}", error.message));
        }
        match exchange.status {
            200 => {}
            401 | 403 => return Err(format!("{from} refuses the token (--target-monitor-token)")),
            status => return Err(format!("{from} answers with status {status}")),
        }
        let body = exchange.decoded_body().map_err(|error| format!("{from}: {}", error.message))?;
        let sample: RemoteSample = serde_json::from_slice(&body)
            .map_err(|error| format!("{from} does not answer as `rhaid monitor --serve` does: {error}"))?;
        let is_new = self.last_number != Some(sample.number);
        self.last_number = Some(sample.number);
        Ok(is_new.then_some(sample))
    }
}
