//! `http::batch`: several requests at the same time, as a browser loads a page.
//!
//! Invariant: nothing is sent unless every entry is valid. Each request is a sample of its own, even when the
//! user is interrupted before the others finish.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::Method;
use rhai::{Array, Dynamic, Map, Module, NativeCallContext};
use tokio::sync::Semaphore;

use super::http_params::parse_method;
use super::http_params::{Demands, read_params};
use super::pending::Pending;
use super::response::Response;
use super::{convert, placed};
use crate::http::Request;
use crate::metrics::Protocol;
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, calls};
use crate::script::trace::Sent;
use crate::script::vu_context::VuContext;

/// Requests to one host that run at once; what browsers allow over HTTP/1.1.
const PER_HOST: usize = 6;

/// One request of a batch.
struct Order {
    request: Request,
    pending: Pending,
    demands: Demands,
}

calls! {
    pub(super) CALLS: Owner::Module("http"); ("call", "does");

    /// Sends several requests in parallel, as a browser does when it loads a page. Returns their responses in the
    /// same order: an array for an array, a map for a map.
    ///
    /// Errors: an invalid entry; then nothing is sent.
    ///
    /// At most six requests run at a time per host; `batch` waits for all of them. An entry is a URL, `[method,
    /// url]`, `[method, url, params]`, or a map with `url`, `method` (default GET) and
    /// [parameters](#parameters-of-a-request). Each request is a sample of its own; the time it waits for its
    /// turn counts as `blocked`.
    ///
    /// ```rhai
    /// fn iteration() {
    ///     let page = http::batch(#{
    ///         insights: "/quality/insights",
    ///         health: #{ url: "/health", tags: #{ kind: "asset" } },
    ///         analysis: ["POST", "/quality/analyze", #{ json: #{ source: "fn main() {}" } }],
    ///     });
    ///     check("has a score", page.analysis.json("score") != ());
    /// }
    /// ```
    fn batch(requests: array) -> array;
    fn batch(requests: map) -> map;
}

pub(super) fn register(module: &mut Module, host: &Rc<Host>) {
    let h = host.clone();
    module.set_native_fn("batch", move |context: NativeCallContext, entries: Array| {
        placed(&context, array(&h, &context, entries))
    });
    let h = host.clone();
    module.set_native_fn("batch", move |context: NativeCallContext, entries: Map| {
        placed(&context, map(&h, &context, entries))
    });
}

fn array(host: &Rc<Host>, context: &NativeCallContext, entries: Array) -> ScriptResult<Array> {
    let vu = host.vu("http::batch")?;
    let orders = entries
        .into_iter()
        .enumerate()
        .map(|(at, entry)| read_entry(host, &vu, entry).map_err(|why| why_not(&at.to_string(), &why)));
    let responses = send(host, &vu, context, orders.collect::<Result<_, _>>()?)?;
    Ok(responses.into_iter().map(Dynamic::from).collect())
}

fn map(host: &Rc<Host>, context: &NativeCallContext, entries: Map) -> ScriptResult<Map> {
    let vu = host.vu("http::batch")?;
    let names: Vec<_> = entries.keys().cloned().collect();
    let orders = entries
        .into_iter()
        .map(|(name, entry)| read_entry(host, &vu, entry).map_err(|why| why_not(&name, &why)));
    let responses = send(host, &vu, context, orders.collect::<Result<_, _>>()?)?;
    Ok(names.into_iter().zip(responses.into_iter().map(Dynamic::from)).collect())
}

fn why_not(entry: &str, why: &rhai::EvalAltResult) -> String {
    // The position in the text of a runtime error is that of the whole call, which is reported anyway.
    match why {
        rhai::EvalAltResult::ErrorRuntime(text, _) => format!("http::batch, entry {entry}: {text}"),
        other => format!("http::batch, entry {entry}: {other}"),
    }
}

/// A URL, `[method, url, params]` or `#{ method, url, … }`.
fn read_entry(host: &Rc<Host>, vu: &Rc<VuContext>, entry: Dynamic) -> ScriptResult<Order> {
    const WANTED: &str = "a URL, [method, url, params] or #{ method, url, … }";
    let (method, url, params) = if let Ok(url) = entry.as_immutable_string_ref() {
        (Method::GET, url.to_string(), Map::new())
    } else if let Some(parts) = entry.read_lock::<Array>() {
        let (method, url, params) = match parts.as_slice() {
            [method, url] => (method, url, Map::new()),
            [method, url, params] => (method, url, convert::map("its third part", params)?),
            _ => return Err(format!("it has {} parts; it must be {WANTED}", parts.len()).into()),
        };
        let method = parse_method(&convert::text("its method", method)?)?;
        (method, convert::text("its URL", url)?, params)
    } else if let Some(map) = entry.read_lock::<Map>() {
        let mut params = map.clone();
        let url = params.remove("url").ok_or("it has no key 'url'")?;
        let method = match params.remove("method") {
            Some(method) => parse_method(&convert::text("method", &method)?)?,
            None => Method::GET,
        };
        (method, convert::text("url", &url)?, params)
    } else {
        return Err(convert::expected("it", WANTED, &entry).into());
    };
    let mut params = read_params(params)?;
    let demands = params.demands();
    let (request, pending) = Pending::new(host, vu, Protocol::Http, &method, &url, Some(params))?;
    Ok(Order { request, pending, demands })
}

/// Sends all requests, waits for all of them at once, and returns the responses in order.
fn send(
    host: &Rc<Host>,
    vu: &Rc<VuContext>,
    context: &NativeCallContext,
    orders: Vec<Order>,
) -> ScriptResult<Vec<Response>> {
    let started = Instant::now();
    let mut lanes: HashMap<(bool, String, u16), Rc<Semaphore>> = HashMap::new();
    let mut demands = Vec::with_capacity(orders.len());
    let mut running = FuturesUnordered::new();
    for (at, Order { request, pending, demands: demanded }) in orders.into_iter().enumerate() {
        demands.push(demanded);
        let target = &request.target;
        let lane = lanes
            .entry((target.is_https(), target.host().to_owned(), target.port()))
            .or_insert_with(|| Rc::new(Semaphore::new(PER_HOST)))
            .clone();
        running.push(async move {
            // Nobody closes it, so there always is a permit to come.
            let _permit = lane.acquire().await;
            let queued = started.elapsed();
            let shown = Sent::of(host, vu, &request);
            let flight = host.in_flight();
            let mut exchange = vu.client.send(request).await;
            flight.done();
            // Waiting for its turn is waiting for a connection.
            exchange.timings.blocked += queued;
            exchange.timings.total += queued;
            if let Some(sent) = shown {
                sent.show(host, vu, &exchange);
            }
            (at, pending.answered(host, vu, exchange))
        });
    }
    let mut responses: Vec<(usize, Response)> = host.wait(vu, async {
        let mut responses = Vec::with_capacity(demands.len());
        while let Some(response) = running.next().await {
            responses.push(response);
        }
        responses
    })?;
    responses.sort_unstable_by_key(|(at, _)| *at);
    for ((_, response), demands) in responses.iter().zip(&demands) {
        demands.meet(context, response)?;
    }
    Ok(responses.into_iter().map(|(_, response)| response).collect())
}
