//! HTTP state shared by all worker threads of a run.
//!
//! Owns the checked settings: prepared headers, fixed addresses, proxy rule, TLS. Leaves what belongs to a
//! thread to [`Network`](super::Network). Invariant: `Send + Sync`, and never changed after it was built.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use std::sync::Arc;

use super::headers::Defaults;
use super::options::HttpOptions;
use super::proxy::ProxyRule;
use super::setup_error::SetupError;
use super::tls::Tls;

/// HTTP state shared by all worker threads of a run: TLS configuration, prepared headers, settings. Built once.
pub struct Transport {
    pub(super) options: HttpOptions,
    pub(super) defaults: Defaults,
    pub(super) proxies: ProxyRule,
    pub(super) tls: Tls,
    fixed: HashMap<String, FixedAddress>,
}

/// An address that the settings give to a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct FixedAddress {
    pub(super) ip: IpAddr,
    /// Instead of the URL's.
    pub(super) port: Option<u16>,
}

impl Transport {
    /// Checks the settings and prepares what every request needs. Reads `ca_file` and `client_cert`, so that a
    /// bad file is told before a run begins; does no other I/O.
    pub fn new(options: HttpOptions) -> Result<Arc<Transport>, SetupError> {
        let mut fixed = HashMap::new();
        for (name, address) in &options.resolve {
            let parsed = parse_address(address)
                .ok_or_else(|| SetupError::Resolve { name: name.clone(), address: address.clone() })?;
            fixed.insert(name.to_ascii_lowercase(), parsed);
        }
        Ok(Arc::new(Transport {
            defaults: Defaults::new(&options.user_agent, &options.headers)?,
            proxies: ProxyRule::new(&options.proxy)?,
            tls: Tls::new(&options)?,
            fixed,
            options,
        }))
    }

    /// The settings it was built from.
    pub fn options(&self) -> &HttpOptions {
        &self.options
    }

    /// The address that the settings give to this host.
    pub(super) fn fixed_address(&self, host: &str) -> Option<FixedAddress> {
        if self.fixed.is_empty() { None } else { self.fixed.get(host).copied() }
    }
}

fn parse_address(text: &str) -> Option<FixedAddress> {
    let text = text.trim();
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(FixedAddress { ip: socket.ip(), port: Some(socket.port()) });
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().map(|ip| FixedAddress { ip, port: None })
}
