//! HTTP state shared by all worker threads of a run.
//!
//! Owns the checked settings: prepared headers, fixed addresses, proxy rule, TLS. Leaves what belongs to a
//! thread to [`Network`](super::Network). Invariant: `Send + Sync`, and never changed after it was built.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

use super::headers::Defaults;
use super::options::HttpOptions;
use super::proxy::ProxyRule;
use super::resolver::MAX_NAMES;
use super::setup_error::SetupError;
use super::tls::Tls;

/// HTTP state shared by all worker threads of a run: TLS configuration, prepared headers, settings. Built once.
pub struct Transport {
    pub(super) options: HttpOptions,
    pub(super) defaults: Defaults,
    pub(super) proxies: ProxyRule,
    pub(super) tls: Tls,
    /// The addresses that the settings give to names.
    pub(super) fixed: HashMap<String, Vec<Address>>,
    pub(super) turns: Turns,
}

/// Where a connection may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) ip: IpAddr,
    /// Instead of the URL's.
    pub(super) port: Option<u16>,
}

/// Whose turn it is among the addresses of each name, over all threads: a thread with a single user must not go to the
/// first one as all others do.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<Box<str>, Arc<AtomicUsize>>>);

impl Turns {
    /// The counter of a name.
    pub(super) fn of(&self, name: &str) -> Arc<AtomicUsize> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = turns.get(name) {
            return known.clone();
        }
        if turns.len() >= MAX_NAMES {
            turns.clear();
        }
        turns.entry(name.into()).or_default().clone()
    }
}

impl Transport {
    /// Checks the settings and prepares what every request needs. Reads `ca_file` and `client_cert`, so that a
    /// bad file is told before a run begins; does no other I/O.
    pub fn new(options: HttpOptions) -> Result<Arc<Transport>, SetupError> {
        let mut fixed = HashMap::new();
        for (name, address) in &options.resolve {
            let list = address.split(',').map(|one| {
                let invalid = || SetupError::Resolve { name: name.clone(), address: one.trim().to_owned() };
                parse_address(one).ok_or_else(invalid)
            });
            fixed.insert(name.to_ascii_lowercase(), list.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(Arc::new(Transport {
            defaults: Defaults::new(&options.user_agent, &options.headers)?,
            proxies: ProxyRule::new(&options.proxy)?,
            tls: Tls::new(&options)?,
            fixed,
            turns: Turns::default(),
            options,
        }))
    }

    /// The settings it was built from.
    pub fn options(&self) -> &HttpOptions {
        &self.options
    }
}

fn parse_address(text: &str) -> Option<Address> {
    let text = text.trim();
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(Address { ip: socket.ip(), port: Some(socket.port()) });
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().map(|ip| Address { ip, port: None })
}
