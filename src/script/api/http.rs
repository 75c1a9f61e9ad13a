//! `http::…`: requests. The hot path of the whole engine runs through [`send`].

use std::cell::OnceCell;
use std::pin::pin;
use std::rc::Rc;

use http::Method;
use rhai::{Dynamic, Engine, ImmutableString, Map, Module, NativeCallContext};

use super::http_params::{Params, read_params};
use super::placed;
use super::response::{Response, ResponseData};
use crate::http::{Exchange, Request, Target};
use crate::metrics::{Failure, Phases, RequestSample, TagId};
use crate::script::endpoint::Endpoint;
use crate::script::host::{Host, ScriptResult};
use crate::script::message::{Level, Message};
use crate::script::trace::{HttpDebug, Sent, describe};
use crate::script::vu_context::VuContext;

const METHODS: [(&str, Method); 7] = [
    ("get", Method::GET),
    ("post", Method::POST),
    ("put", Method::PUT),
    ("patch", Method::PATCH),
    ("delete", Method::DELETE),
    ("head", Method::HEAD),
    ("options", Method::OPTIONS),
];

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let mut module = Module::new();
    for (name, method) in METHODS {
        let (h, m) = (host.clone(), method.clone());
        module.set_native_fn(
            name,
            move |context: NativeCallContext, url: ImmutableString| -> ScriptResult<Response> {
                placed(&context, h.vu("http").and_then(|vu| send(&h, &vu, &m, &url, None)))
            },
        );
        let h = host.clone();
        module.set_native_fn(
            name,
            move |context: NativeCallContext, url: ImmutableString, params: Map| -> ScriptResult<Response> {
                placed(&context, send_with(&h, &context, &method, &url, params))
            },
        );
    }
    let h = host.clone();
    module.set_native_fn(
        "request",
        move |context: NativeCallContext,
              method: ImmutableString,
              url: ImmutableString|
              -> ScriptResult<Response> {
            let send = || send(&h, &*h.vu("http::request")?, &parse_method(&method)?, &url, None);
            placed(&context, send())
        },
    );
    let h = host.clone();
    module.set_native_fn(
        "request",
        move |context: NativeCallContext,
              method: ImmutableString,
              url: ImmutableString,
              params: Map|
              -> ScriptResult<Response> {
            let send = || send_with(&h, &context, &parse_method(&method)?, &url, params);
            placed(&context, send())
        },
    );
    engine.register_static_module("http", module.into());
}

fn parse_method(method: &str) -> Result<Method, String> {
    // Methods are case-sensitive in HTTP, but nobody means `get` by "get".
    Method::from_bytes(method.to_ascii_uppercase().as_bytes())
        .map_err(|_| format!("\"{method}\" is not an HTTP method"))
}

fn send_with(
    host: &Rc<Host>,
    context: &NativeCallContext,
    method: &Method,
    url: &str,
    params: Map,
) -> ScriptResult<Response> {
    let vu = host.vu("http")?;
    let mut params = read_params(params)?;
    let expect = params.expect.take();
    let response = send(host, &vu, method, url, Some(params))?;
    if let Some(expect) = expect {
        response.apply(host, context, &expect)?;
    }
    Ok(response)
}

/// Makes a request, waits for its response and leaves it open to the script's verdict.
fn send(
    host: &Rc<Host>,
    vu: &VuContext,
    method: &Method,
    url: &str,
    params: Option<Params>,
) -> ScriptResult<Response> {
    let endpoint = endpoint(host, vu, method, url)?;
    let mut request = Request::new(method.clone(), endpoint.target.clone());
    let mut name = None;
    let mut tags = vu.tags.ids.clone();
    if let Some(mut params) = params {
        let mut recorder = host.recorder.borrow_mut();
        name = params.name.take();
        tags.extend(params.tags.iter().map(|(key, value)| recorder.tag(key, value)));
        params.fill(&mut request)?;
    }
    let series = match name {
        Some(name) => host.recorder.borrow_mut().series(&vu.scenario, method.as_str(), &name),
        None => *endpoint.series.get_or_init(|| {
            host.recorder.borrow_mut().series(&vu.scenario, method.as_str(), endpoint.target.path())
        }),
    };
    if let Some(tag) = group_tag(host, vu) {
        tags.push(tag);
    }
    let shown = (host.inputs.http_debug != HttpDebug::Off).then(|| Sent {
        method: method.clone(),
        url: request.target.as_str().to_owned(),
        headers: vu.client.header_of(&request),
        body: request.body.clone(),
    });
    let flight = host.in_flight();
    // Pinned here: handing a future of some kilobytes on by value would copy it at each step.
    let sending = pin!(vu.client.send(request));
    let exchange = host.wait(vu, sending)?;
    flight.done();
    if let Some(sent) = shown {
        let text = describe(host.inputs.http_debug, &sent, &exchange);
        host.message(Message { level: Level::Info, text, from: Some((vu.id, vu.iteration.get())) });
    }
    let sample = RequestSample {
        series,
        tags,
        status: exchange.status,
        service: exchange.timings.service(),
        // The whole iteration was this late, so each of its requests is.
        response: exchange.timings.total + vu.lag.get(),
        phases: phases(&exchange),
        bytes_sent: exchange.bytes_sent,
        bytes_received: exchange.bytes_received,
        failure: failure(&exchange),
    };
    let data = Rc::new(ResponseData::new(exchange, method.clone(), sample));
    if vu.records {
        vu.keep_open(data.clone());
    }
    Ok(Response::new(data, host.clone()))
}

/// The destination and the series of a URL; both are remembered.
fn endpoint(host: &Rc<Host>, vu: &VuContext, method: &Method, url: &str) -> ScriptResult<Rc<Endpoint>> {
    if let Some(known) = host.endpoints.borrow().get(vu.scenario_index, method.as_str(), url) {
        return Ok(known);
    }
    let target = match &vu.base {
        Some(base) => base.join(url).map_err(|error| error.to_string())?,
        None if url.contains("://") => Target::parse(url).map_err(|error| error.to_string())?,
        None => {
            host.misconfigured.set(true);
            return Err(format!(
                "\"{url}\" is relative and there is no host to join it to; give one with --host URL or \
                 options(#{{ host: \"http://…\" }})"
            )
            .into());
        }
    };
    let endpoint = Endpoint { target, series: OnceCell::new() };
    Ok(host.endpoints.borrow_mut().insert(vu.scenario_index, method.as_str(), url, endpoint))
}

fn group_tag(host: &Host, vu: &VuContext) -> Option<TagId> {
    let groups = vu.groups.borrow();
    (!groups.is_empty()).then(|| host.recorder.borrow_mut().tag("group", &groups.join("::")))
}

fn phases(exchange: &Exchange) -> Phases {
    let timings = &exchange.timings;
    Phases {
        blocked: timings.blocked,
        dns: timings.dns,
        connecting: timings.connecting,
        tls: timings.tls,
        sending: timings.sending,
        waiting: timings.waiting,
        receiving: timings.receiving,
    }
}

/// Why a response counts as failed before the script has said anything.
fn failure(exchange: &Exchange) -> Option<Box<Failure>> {
    if let Some(error) = &exchange.error {
        return Some(Box::new(Failure { kind: error.kind.as_str(), message: error.message.clone() }));
    }
    (exchange.status >= 400).then(|| Box::new(status_failure(exchange.status)))
}

/// The failure that a status stands for.
pub(super) fn status_failure(status: u16) -> Failure {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let message = match reason {
        Some(reason) => format!("HTTP {status} {reason}"),
        None => format!("HTTP {status}"),
    };
    Failure { kind: "status", message }
}

/// Puts a response's body into a script value.
pub(super) fn blob(bytes: &[u8]) -> Dynamic {
    Dynamic::from_blob(bytes.to_vec())
}
