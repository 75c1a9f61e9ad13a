//! From the plan's settings for requests to those of the HTTP client. Pure.

use crate::http::HttpOptions;
use crate::plan::HttpLayer;

/// Fills in the defaults.
pub(super) fn http_options(layer: &HttpLayer) -> HttpOptions {
    let mut options = HttpOptions::default();
    options.headers = layer.headers.clone().into_iter().collect();
    options.resolve = layer.resolve.clone().into_iter().collect();
    options.dns = layer.dns.unwrap_or(options.dns);
    options.dns_ttl = layer.dns_ttl.unwrap_or(options.dns_ttl);
    options.insecure = layer.insecure.unwrap_or(options.insecure);
    options.ca_file.clone_from(&layer.ca_file);
    options.client_cert.clone_from(&layer.client_cert);
    options.proxy = layer.proxy.clone().unwrap_or_default();
    if let Some(user_agent) = &layer.user_agent {
        options.user_agent.clone_from(user_agent);
    }
    options.max_redirects = layer.max_redirects.unwrap_or(options.max_redirects);
    options.timeout = layer.timeout.unwrap_or(options.timeout);
    options.connect_timeout = layer.connect_timeout.unwrap_or(options.connect_timeout);
    options.version = layer.http_version.unwrap_or_default();
    options
}
