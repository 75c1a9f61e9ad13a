//! A pending request: from the script's parameters to the response that awaits its verdict.
//!
//! Owns where a request is counted and what its sample contains. Leaves sending to the caller. Invariant: nothing
//! that the HTTP client measured is lost or rounded.

use std::cell::OnceCell;
use std::rc::Rc;

use http::Method;
use rhai::NativeCallContext;

use super::http_params::{Demands, Params};
use super::response::{Response, ResponseData};
use crate::http::{Destination, Exchange, Request};
use crate::metrics::{ErrorKind, Failure, Protocol, RequestSample, SeriesId, TagId, builtin};
use crate::script::ending::ScriptResult;
use crate::script::endpoint::Endpoint;
use crate::script::host::Host;
use crate::script::vu_context::VuContext;

/// What is kept of a request until its exchange is complete.
pub(super) struct Pending {
    protocol: Protocol,
    pub(super) method: Method,
    pub(super) series: SeriesId,
    pub(super) tags: Vec<TagId>,
    /// It is counted: its user's requests are, and the script did not say otherwise.
    pub(super) recorded: bool,
    /// It has a name of its own.
    pub(super) named: bool,
}

impl Pending {
    /// The request that the script asks for, and what is to be kept of it.
    pub(super) fn new(
        host: &Rc<Host>,
        vu: &VuContext,
        protocol: Protocol,
        method: &Method,
        url: &str,
        params: Option<Params>,
    ) -> ScriptResult<(Request, Pending)> {
        let endpoint = endpoint(host, vu, method, url)?;
        let mut request = Request::new(method.clone(), endpoint.target.clone());
        let mut name = None;
        let mut tags = vu.tags.ids.clone();
        let mut recorded = vu.records;
        if let Some(mut params) = params {
            let mut recorder = host.recorder.borrow_mut();
            name = params.name.take();
            tags.extend(params.tags.iter().map(|(key, value)| recorder.tag(key, value)));
            recorded &= !params.unrecorded;
            params.fill(&mut request)?;
        }
        let named = name.is_some();
        let series = match name {
            Some(name) => host.recorder.borrow_mut().series(protocol, &vu.scenario, method.as_str(), &name),
            None => *endpoint.series.get_or_init(|| {
                let mut recorder = host.recorder.borrow_mut();
                recorder.series(protocol, &vu.scenario, method.as_str(), endpoint.target.path())
            }),
        };
        if let Some(tag) = group_tag(host, vu) {
            tags.push(tag);
        }
        Ok((request, Pending { protocol, method: method.clone(), series, tags, recorded, named }))
    }

    /// The response, which is counted when its user next waits.
    pub(super) fn answered(self, host: &Rc<Host>, vu: &VuContext, exchange: Exchange) -> Response {
        let sample = RequestSample {
            protocol: self.protocol,
            series: self.series,
            tags: self.tags,
            status: exchange.status,
            service: exchange.timings.service(),
            // The whole iteration was this late, so each of its requests is.
            response: exchange.timings.total + vu.lag.get(),
            timings: exchange.timings,
            bytes_sent: exchange.bytes_sent,
            bytes_received: exchange.bytes_received,
            failure: failure(&exchange),
        };
        if self.recorded && exchange.retries > 0 {
            count_retries(host, vu, exchange.retries);
        }
        let data = Rc::new(ResponseData::new(exchange, self.method, sample, self.named));
        if self.recorded {
            vu.keep_open(data.clone());
        }
        Response::new(data, host.clone())
    }
}

impl Demands {
    /// Applies what the parameters demand of the response.
    ///
    /// # Errors
    /// When an expectation cannot be evaluated, or the request failed and that is to be an error.
    pub(super) fn meet(&self, context: &NativeCallContext, response: &Response) -> ScriptResult<()> {
        if let Some(expect) = &self.expect {
            response.apply(context, expect)?;
        }
        match response.failure() {
            Some(why) if self.raise => Err(why.into()),
            _ => Ok(()),
        }
    }
}

/// The destination and the series of a URL; both are remembered.
fn endpoint(host: &Host, vu: &VuContext, method: &Method, url: &str) -> ScriptResult<Rc<Endpoint>> {
    if let Some(known) = host.endpoints.borrow().get(vu.scenario_index, method.as_str(), url) {
        return Ok(known);
    }
    let target = target(host, vu, url)?;
    let endpoint = Endpoint { target, series: OnceCell::new() };
    Ok(host.endpoints.borrow_mut().insert(vu.scenario_index, method.as_str(), url, endpoint))
}

/// Where a URL leads, joined to the host of the run or scenario.
pub(super) fn target(host: &Host, vu: &VuContext, url: &str) -> ScriptResult<Destination> {
    match &vu.base {
        Some(base) => Ok(base.join(url).map_err(|error| error.to_string())?),
        None if url.contains("://") => Ok(Destination::parse(url).map_err(|error| error.to_string())?),
        None => {
            host.misconfigured.set(true);
            Err(format!(
                "the URL \"{url}\" is relative, and no host is set; set one with --host URL or options(#{{ \
                 host: \"http://…\" }})"
            )
            .into())
        }
    }
}

/// The tag of the groups that are open.
pub(super) fn group_tag(host: &Host, vu: &VuContext) -> Option<TagId> {
    vu.groups.borrow().last().map(|group| group.tag(&host.recorder))
}

#[cold]
fn count_retries(host: &Host, vu: &VuContext, retries: u32) {
    let mut recorder = host.recorder.borrow_mut();
    if let Some(metric) = builtin::named("http_req_retries").and_then(|metric| recorder.builtin(metric).ok())
    {
        // A counter takes every number that is not negative.
        let _ = recorder.custom_value(metric, f64::from(retries), &[], vu);
    }
}

/// Why a response counts as failed before the script has said anything.
fn failure(exchange: &Exchange) -> Option<Box<Failure>> {
    if let Some(error) = &exchange.error {
        return Some(Box::new(Failure { kind: error.kind.clone(), message: error.message.clone() }));
    }
    (exchange.status >= 400).then(|| Box::new(status_failure(exchange.status)))
}

/// The failure that a status stands for.
pub(super) fn status_failure(status: u16) -> Failure {
    let message = match Protocol::Http.status_text(status) {
        Some(reason) => format!("HTTP {status} {reason}"),
        None => format!("HTTP {status}"),
    };
    Failure { kind: ErrorKind::Status, message }
}
