//! `http::…`: requests. The hot path of the whole engine runs through [`send`].

use std::pin::pin;
use std::rc::Rc;

use http::Method;
use rhai::{Engine, ImmutableString, Map, Module, NativeCallContext};

use super::http_params::{Params, parse_method, read_params};
use super::pending::Pending;
use super::response::Response;
use super::{batch, cookies, multipart, placed};
use crate::metrics::Protocol;
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};
use crate::script::trace::Sent;
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

pub(super) const SECTION: Section = Section {
    name: "http",
    title: "`http`",
    is_part: false,
    about: "requests, uploads, cookies and connections",
    intro: "*VU.* A call suspends its VU until the response arrives; other VUs keep running. It always \
            returns a [response](#the-response): after a transport error, one with status 0.",
    tables: &[CALLS, batch::CALLS, multipart::CALLS, cookies::CALLS, multipart::FILE],
    notes: "\
A URL without a scheme is resolved against the host given by flag, environment or file, or else by the scenario, or
else by `options`, as in browsers: `/x` is relative to the root, `x` to the last segment of the host's path. Errors:
an invalid URL; a scheme other than `http` and `https`; a relative URL without a host, which ends the run.

A request is counted under its method and its path without the query, or under its `name`.",
};

calls! {
    CALLS: Owner::Module("http"); ("call", "does");

    /// GET.
    ///
    /// ```rhai
    /// let page = http::get("/quality/insights", #{ query: #{ page: 2 }, name: "/quality/insights?page" });
    /// ```
    fn get(url: text) -> Response;
    fn get(url: text, params: map) -> Response;

    /// POST.
    ///
    /// ```rhai
    /// let login = http::post("/login", #{ json: #{ user: "ann" }, expect: 200 });
    /// ```
    fn post(url: text) -> Response;
    fn post(url: text, params: map) -> Response;

    /// PUT.
    fn put(url: text) -> Response;
    fn put(url: text, params: map) -> Response;

    /// PATCH.
    fn patch(url: text) -> Response;
    fn patch(url: text, params: map) -> Response;

    /// DELETE.
    fn delete(url: text) -> Response;
    fn delete(url: text, params: map) -> Response;

    /// HEAD.
    fn head(url: text) -> Response;
    fn head(url: text, params: map) -> Response;

    /// OPTIONS.
    fn options(url: text) -> Response;
    fn options(url: text, params: map) -> Response;

    /// Any method; lower case is converted to upper case.
    ///
    /// ```rhai
    /// http::request("PURGE", "/cache/1", #{ bearer: this.token });
    /// ```
    fn request(method: text, url: text) -> Response;
    fn request(method: text, url: text, params: map) -> Response;
}

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
    batch::register(&mut module, host);
    cookies::register(&mut module, host);
    multipart::register(engine, &mut module);
    engine.register_static_module("http", module.into());
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
    let demands = params.demands();
    let response = send(host, &vu, method, url, Some(params))?;
    demands.meet(context, &response)?;
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
    let (request, pending) = Pending::new(host, vu, Protocol::Http, method, url, params)?;
    let shown = Sent::of(host, vu, &request);
    let flight = host.in_flight();
    // Pinned here: handing a future of some kilobytes on by value would copy it at each step.
    let sending = pin!(vu.client.send(request));
    let exchange = host.wait(vu, sending)?;
    flight.done();
    if let Some(sent) = shown {
        sent.show(host, vu, &exchange);
    }
    Ok(pending.answered(host, vu, exchange))
}
