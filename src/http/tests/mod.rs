//! The HTTP client against servers in the same process that do exactly what a test says, byte by byte.
//!
//! Owns no network but loopback and no clock but the one a limit needs. Leaves pure functions' tests here too,
//! in `urls.rs` and `decoding.rs`. Invariant: no test depends on how fast the machine is; a limit that must
//! strike is short and the server never answers, a limit that must not is a minute.

#![allow(clippy::unwrap_used, reason = "a test that meets None or Err has failed")]

mod bodies;
mod connections;
mod cookies;
mod decoding;
mod failures;
mod headers;
mod leniency;
mod plain;
mod proxies;
mod redirects;
mod server;
mod timings;
mod tls;
mod urls;

use std::rc::Rc;

use http::Method;

use super::{Client, Destination, Exchange, HttpOptions, Network, Request, Transport};

/// Runs a test as a worker thread would: one thread, with local tasks.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

fn network_with(options: HttpOptions) -> Rc<Network> {
    Network::new(Transport::new(options).unwrap())
}

fn client_with(options: HttpOptions) -> Client {
    Client::new(network_with(options))
}

fn client() -> Client {
    client_with(HttpOptions::default())
}

fn target(url: impl AsRef<str>) -> Destination {
    Destination::parse(url.as_ref()).unwrap()
}

fn request(method: Method, url: impl AsRef<str>) -> Request {
    Request::new(method, target(url))
}

async fn get(client: &Client, url: impl AsRef<str>) -> Exchange {
    client.send(request(Method::GET, url)).await
}

/// The stable name of the error, or what came instead of one.
fn kind(exchange: &Exchange) -> String {
    match &exchange.error {
        Some(error) => error.kind.to_string(),
        None => format!("status {}", exchange.status),
    }
}

fn message(exchange: &Exchange) -> &str {
    exchange.error.as_ref().map_or("no error", |error| error.message.as_str())
}
