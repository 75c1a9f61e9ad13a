//! The demo application's routes: what each accepts, answers and refuses.
//!
//! Owns the router, the shared counters and the shape of every answer; every answer, errors too, is JSON. Leaves how
//! long a request takes to `latency`, what is wrong with a source to `analysis`, sockets to the module above.
//!
//! Invariant: a request counts as in service from its arrival until its answer is ready or its client is gone.

use super::TargetOptions;
use super::analysis::{Analysis, analyze};
use super::graphql::{self, GraphqlRequest};
use super::latency::{Cost, draw};
use super::trouble::Trouble;
use super::{forms, pages, websocket};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::broadcast;

/// Projects in the catalogue, and on one page of it.
pub(super) const PROJECTS: usize = 42;
const PAGE: usize = 10;

/// How long a job takes.
const JOB: Duration = Duration::from_millis(300);

/// The application as a router, so that it can be tested or nested without a socket.
///
/// The options are taken as they are; call [`TargetOptions::validate`] on those that a person typed.
pub fn app(options: TargetOptions) -> Router {
    let state = Arc::new(Service::new(options));
    let costs = |cost: Cost| {
        from_fn_with_state(
            state.clone(),
            move |State(service): State<Arc<Service>>, request: Request, next: Next| {
                simulate(service, cost, request, next)
            },
        )
    };
    Router::new()
        .route("/health", get(health).layer(costs(Cost::Health)))
        .route("/login", post(login).layer(costs(Cost::Login)))
        .route("/login/form", get(login_form).post(form_login).layer(costs(Cost::Login)))
        .route("/upload", post(upload).layer(costs(Cost::Login)))
        .route("/ws", get(websocket::echo))
        .route("/chat", get(chat))
        .route("/echo", any(echo).layer(costs(Cost::Health)))
        .route("/manual/", get(contents).layer(costs(Cost::Login)))
        .route("/manual/{page}", get(manual).layer(costs(Cost::Login)))
        .route("/jobs", post(start_job).layer(costs(Cost::Login)))
        .route("/jobs/{job}", get(job).layer(costs(Cost::Health)))
        .route("/graphql", post(graphql).layer(costs(Cost::Insights)))
        .route("/quality/insights", get(insights).layer(costs(Cost::Insights)))
        .route("/quality/analyze", post(analysis).layer(costs(Cost::Analyze)))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(state)
}

/// What all requests share.
struct Service {
    options: TargetOptions,
    started: Instant,
    /// Requests that arrived at a known route so far: each takes its number, and with it its draw, from here.
    arrived: AtomicU64,
    /// Requests being served now.
    in_service: AtomicUsize,
    trouble: Trouble,
    /// Everybody in the chat.
    room: broadcast::Sender<String>,
    /// Login forms given out so far.
    visitors: AtomicU64,
    /// Analyses answered so far.
    analyzed: AtomicU64,
    /// Sum of their scores, in tenths, so that it stays exact.
    score_tenths: AtomicU64,
}

impl Service {
    fn new(options: TargetOptions) -> Self {
        Service {
            options,
            started: Instant::now(),
            arrived: AtomicU64::new(0),
            in_service: AtomicUsize::new(0),
            trouble: Trouble::default(),
            room: websocket::room(),
            visitors: AtomicU64::new(0),
            analyzed: AtomicU64::new(0),
            score_tenths: AtomicU64::new(0),
        }
    }

    fn may_fail(&self, path: &str) -> bool {
        self.options.error_route.as_ref().is_none_or(|route| route == path)
    }
}

/// Takes a request out of service when dropped, which also happens when its client hangs up while it waits.
struct InService<'a>(&'a AtomicUsize);

impl Drop for InService<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Makes a request take its time, and fail if that was drawn, before the handler answers it.
async fn simulate(service: Arc<Service>, cost: Cost, request: Request, next: Next) -> Response {
    let number = service.arrived.fetch_add(1, Relaxed);
    let others = service.in_service.fetch_add(1, Relaxed);
    let _in_service = InService(&service.in_service);

    let draw = draw(&service.options, cost, number, others);
    let delay = draw.delay + service.trouble.meet(&service.options);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if draw.fails && service.may_fail(request.uri().path()) {
        let why = "simulated failure (the target's error rate)";
        return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, why).into_response();
    }
    next.run(request).await
}

async fn health(State(service): State<Arc<Service>>) -> Json<Value> {
    let uptime_s = (service.started.elapsed().as_secs_f64() * 1e3).round() / 1e3;
    Json(json!({ "status": "ok", "uptime_s": uptime_s }))
}

#[derive(Deserialize)]
struct LoginRequest {
    user: String,
}

async fn login(body: Result<Bytes, BytesRejection>) -> Result<Json<Value>, Refusal> {
    let LoginRequest { user } = parse(body, r#"{"user": "..."}"#)?;
    if user.is_empty() {
        return Err(Refusal::bad_request("expected a user name in `user`, got an empty string"));
    }
    Ok(Json(json!({ "token": format!("demo-{:016x}", fingerprint(&user)) })))
}

async fn login_form(State(service): State<Arc<Service>>) -> Response {
    forms::login_form(service.visitors.fetch_add(1, Relaxed) + 1)
}

async fn form_login(headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Response, Refusal> {
    forms::log_in(&headers, body)
}

async fn upload(headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Json<Value>, Refusal> {
    forms::upload(&headers, body)
}

#[derive(Deserialize)]
struct AnalyzeRequest {
    source: String,
    language: Option<String>,
}

async fn analysis(
    State(service): State<Arc<Service>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Analysis>, Refusal> {
    let request: AnalyzeRequest = parse(body, r#"{"source": "...", "language": "..." (optional)}"#)?;
    let found = analyze(&request.source, request.language.as_deref());
    service.analyzed.fetch_add(1, Relaxed);
    service.score_tenths.fetch_add((found.score * 10.0).round() as u64, Relaxed);
    Ok(Json(found))
}

/// A page of the catalogue, numbered from 1, empty past the end, and the average over it and all analyses so far.
async fn insights(State(service): State<Arc<Service>>, uri: Uri) -> Result<Json<Value>, Refusal> {
    let page = page_of(uri.query().unwrap_or_default())?;
    let projects: Vec<Value> =
        (1..=PROJECTS).skip((page - 1).saturating_mul(PAGE)).take(PAGE).map(project).collect();

    let analyzed = service.analyzed.load(Relaxed);
    let tenths = (1..=PROJECTS).map(project_tenths).sum::<u64>() + service.score_tenths.load(Relaxed);
    let average_score = (tenths as f64 / (PROJECTS as u64 + analyzed) as f64).round() / 10.0;
    Ok(Json(json!({
        "projects": projects,
        "page": page,
        "pages": PROJECTS.div_ceil(PAGE),
        "average_score": average_score,
        "analyzed": analyzed,
    })))
}

async fn graphql(body: Result<Bytes, BytesRejection>) -> Result<(StatusCode, Json<Value>), Refusal> {
    let request: GraphqlRequest = parse(body, r#"{"query": "...", "variables": {...} (optional)}"#)?;
    let (status, answer) = graphql::answer(&request);
    Ok((status, Json(answer)))
}

async fn chat(State(service): State<Arc<Service>>, upgrade: WebSocketUpgrade) -> Response {
    websocket::chat(upgrade, service.room.clone())
}

async fn contents() -> Html<String> {
    pages::contents()
}

async fn manual(Path(page): Path<String>) -> Result<Html<String>, Refusal> {
    pages::page(&page)
}

/// Says what came: for scripts that want to see what they send.
async fn echo(
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    let body = body.map_err(|rejection| Refusal::new(rejection.status(), rejection.body_text()))?;
    let headers: Map<String, Value> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    Ok(Json(json!({
        "method": method.as_str(),
        "query": uri.query().unwrap_or_default(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
        "json": serde_json::from_slice::<Value>(&body).ok(),
    })))
}

/// Begins something that takes its time. Its number says when it began, so that nothing has to be remembered.
async fn start_job(State(service): State<Arc<Service>>) -> (StatusCode, Json<Value>) {
    let began = service.started.elapsed().as_millis();
    (StatusCode::ACCEPTED, Json(json!({ "job": format!("/jobs/{began}"), "state": "running" })))
}

async fn job(
    State(service): State<Arc<Service>>,
    Path(began_ms): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let age =
        began_ms.parse().ok().and_then(|ms| service.started.elapsed().checked_sub(Duration::from_millis(ms)));
    let age =
        age.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, format!("there is no job `{began_ms}`")))?;
    Ok(Json(json!({ "state": if age < JOB { "running" } else { "done" } })))
}

async fn unknown(uri: Uri) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, format!("no such path: {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not accept {method}", uri.path()))
}

/// An answer that says why there is no other: the status and `{"error": why}`.
pub(super) struct Refusal {
    status: StatusCode,
    why: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Refusal { status, why: why.into() }
    }

    pub(super) fn bad_request(why: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, why)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.why }))).into_response()
    }
}

/// Reads a JSON body, whatever its content type says; the refusal tells what was expected.
fn parse<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>, expected: &str) -> Result<T, Refusal> {
    let body = body.map_err(|rejection| Refusal::new(rejection.status(), rejection.body_text()))?;
    serde_json::from_slice(&body)
        .map_err(|error| Refusal::bad_request(format!("expected JSON like {expected}: {error}")))
}

/// The page that a query string asks for; the first when it does not say.
fn page_of(query: &str) -> Result<usize, Refusal> {
    let Some(text) = query.split('&').find_map(|pair| pair.strip_prefix("page=")) else {
        return Ok(1);
    };
    match text.parse() {
        Ok(page) if page >= 1 => Ok(page),
        _ => Err(Refusal::bad_request(format!("expected a page number from 1, got `{text}`"))),
    }
}

/// Project `n` of the catalogue, from 1.
pub(super) fn project(n: usize) -> Value {
    json!({ "name": format!("project-{n:02}"), "score": project_tenths(n) as f64 / 10.0 })
}

/// Score of project `n`, 60.0 to 99.9, in tenths.
fn project_tenths(n: usize) -> u64 {
    600 + (n as u64 * 137) % 400
}

/// FNV-1a, 64 bits. Not the standard library's hasher, which may change with the compiler and so change the tokens.
pub(super) fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}
