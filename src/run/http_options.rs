//! From the plan's settings for requests to those of the HTTP client. Pure.

use crate::http::{HttpOptions, ProxyChoice, VersionChoice};
use crate::plan::HttpLayer;

/// Fills in the defaults.
///
/// # Errors
/// When a value means nothing, in words.
pub(super) fn http_options(layer: &HttpLayer) -> Result<HttpOptions, String> {
    let mut options = HttpOptions::default();
    options.headers = layer.headers.clone().into_iter().collect();
    options.resolve = layer.resolve.clone().into_iter().collect();
    options.insecure = layer.insecure.unwrap_or(options.insecure);
    options.ca_file.clone_from(&layer.ca_file);
    options.client_cert.clone_from(&layer.client_cert);
    options.proxy = match layer.proxy.as_deref() {
        None | Some("" | "none") => ProxyChoice::None,
        Some("env") => ProxyChoice::Environment,
        Some(url) => ProxyChoice::Url(url.to_owned()),
    };
    if let Some(user_agent) = &layer.user_agent {
        options.user_agent.clone_from(user_agent);
    }
    options.max_redirects = layer.max_redirects.unwrap_or(options.max_redirects);
    options.timeout = layer.timeout.unwrap_or(options.timeout);
    options.connect_timeout = layer.connect_timeout.unwrap_or(options.connect_timeout);
    options.version = match layer.http_version.as_deref() {
        None => VersionChoice::Auto,
        Some(name) => VersionChoice::parse(name)
            .ok_or_else(|| format!("http_version is \"{name}\"; it is auto, 1.1 or 2"))?,
    };
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_used_only_when_asked_for() {
        assert!(matches!(http_options(&HttpLayer::default()).unwrap().proxy, ProxyChoice::None));
        let layer = HttpLayer { proxy: Some("env".into()), ..HttpLayer::default() };
        assert!(matches!(http_options(&layer).unwrap().proxy, ProxyChoice::Environment));
    }

    #[test]
    fn unknown_versions_are_refused() {
        let layer = HttpLayer { http_version: Some("3".into()), ..HttpLayer::default() };
        assert!(http_options(&layer).unwrap_err().contains("auto, 1.1 or 2"));
    }
}
