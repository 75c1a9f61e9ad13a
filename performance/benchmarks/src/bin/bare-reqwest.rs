//! A load loop on reqwest and nothing else: what a request costs without an engine around it.
//!
//! It does what `rhaid run get.rhai --threads 1` does, without the script, recording and tags: one thread, a client with
//! its own connection for each user, GET, read the body to its end, check the status.

use rhaid_benchmarks::{Error, drive};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    // One TLS configuration for all clients, without trusted roots, since the loop uses plain HTTP: otherwise each
    // client would load the machine's certificates, which should count neither as cost nor as memory of the loop.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls =
        match rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions() {
            Ok(tls) => tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth(),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        };
    drive(|settings, quota| {
        let tls = tls.clone();
        async move {
            let client = reqwest::Client::builder().tls_backend_preconfigured(tls).build()?;
            while quota.take() {
                let response = client.get(&settings.url).send().await?;
                let status = response.status();
                response.bytes().await?;
                if status != 200 {
                    return Err(Error::from(format!("expected status 200, got {status}")));
                }
                if !settings.think.is_zero() {
                    tokio::time::sleep(settings.think).await;
                }
            }
            Ok(())
        }
    })
}
