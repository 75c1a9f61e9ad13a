//! The routes of the page and of the HTTP API, and what each answers.
//!
//! Owns status codes and headers. Leaves figures to `live`, runs on disk to `runs`, and changes to the run itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::control::{self, Orders};
use super::events;
use super::guard::{Denied, Guard};
use super::history::history;
use super::hub::Hub;
use super::launcher::{Editor, Launcher, Refusal};
use super::live::LiveRun;
use super::prometheus;
use super::runs;
use crate::metrics::Phase;
use crate::report::{live_page, live_script, live_style, playground_script};
use crate::results::run_json;
use crate::text::clean_json;

/// Most bytes of a request's body.
const MOST_BODY: usize = 1 << 20;

/// How long a call waits for what it asked for to show.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The page may load nothing but what comes from here, and nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A report brings its own policy; whatever stands in it, it cannot call the API.
const REPORT_POLICY: &str = "sandbox allow-scripts allow-downloads; frame-ancestors 'none'";

/// What a call is answered from.
pub(super) struct Site {
    pub(super) hub: Arc<Hub>,
    pub(super) guard: Guard,
}

type Shared = State<Arc<Site>>;

/// All routes.
pub(super) fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(page))
        .route(
            "/live.js",
            get(async || ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], live_script())),
        )
        .route("/live.css", get(async || ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], live_style())))
        .route("/editor.js", get(editor_script))
        .route("/playground.js", get(playground))
        .route("/openapi.json", get(async || ([(header::CONTENT_TYPE, "application/json")], OPENAPI)))
        .route("/metrics", get(metrics))
        .route("/api/v1/status", get(status))
        .route("/api/v1/snapshot", get(snapshot))
        .route("/api/v1/history", get(seconds))
        .route("/api/v1/log", get(log))
        .route("/api/v1/events", get(stream))
        .route("/api/v1/runs", get(all_runs))
        .route("/api/v1/runs/{id}", get(one_run))
        .route("/api/v1/runs/{id}/report", get(report))
        .route("/api/v1/runs/{id}/files/{name}", get(file))
        .route("/api/v1/runs/{id}/compare/{other}", get(comparison))
        .route("/api/v1/scripts", get(scripts))
        .route("/api/v1/form", get(form))
        .route("/api/v1/plan", post(plan))
        .route("/api/v1/try", post(try_once))
        .route("/api/v1/script", get(script).put(save))
        .route("/api/v1/check", post(check))
        .route("/api/v1/docs", get(docs))
        .route("/api/v1/start", post(start))
        .route("/api/v1/control", post(steer))
        .route("/api/v1/stop", post(stop))
        .fallback(async || {
            problem(StatusCode::NOT_FOUND, "there is nothing here; the API is described in /openapi.json")
        })
        .method_not_allowed_fallback(async || {
            problem(StatusCode::METHOD_NOT_ALLOWED, "this path does not take that method")
        })
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(middleware::from_fn_with_state(site.clone(), guarded))
        .with_state(site)
}

/// Made by editor/build.
const EDITOR: &str = include_str!("editor/editor.js");

const OPENAPI: &str = include_str!("openapi.json");

/// Lets in who may come in, and gives every answer its headers.
async fn guarded(State(site): Shared, request: Request, next: Next) -> Response {
    let shown = query(request.uri(), "token");
    let has_shown = shown.as_deref().is_some_and(|token| site.guard.is_token(token));
    let is_page = request.uri().path() == "/";
    let allowed = site.guard.check(request.method(), request.headers());
    let mut response = match allowed {
        // The address that was printed, opened in a browser: from now on it has the cookie, and the token is not in its
        // history.
        _ if is_page && has_shown => Response::builder()
            .status(StatusCode::SEE_OTHER)
            .header(header::LOCATION, "/")
            .body(Body::empty())
            .unwrap_or_default(),
        Err(Denied { status, reason }) => problem(status, reason),
        Ok(()) => next.run(request).await,
    };
    let gives_cookie = is_page && (has_shown || site.guard.is_open() && allowed.is_ok());
    let headers = response.headers_mut();
    if gives_cookie && let Some(cookie) = site.guard.cookie() {
        headers.insert(header::SET_COOKIE, cookie);
    }
    let usual = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in usual {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// The value of a key in the query.
pub(super) fn query(uri: &Uri, key: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.into_iter().find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
}

pub(super) fn problem(status: StatusCode, reason: &str) -> Response {
    (status, as_json(&json!({ "error": reason }))).into_response()
}

fn as_json(value: &Value) -> Response {
    // What scripts and servers have named comes to a terminal as it is when somebody uses curl.
    ([(header::CONTENT_TYPE, "application/json")], clean_json(value.to_string() + "\n")).into_response()
}

fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Wrong(reason) => problem(StatusCode::UNPROCESSABLE_ENTITY, reason),
        Refusal::NotNow(reason) => problem(StatusCode::CONFLICT, reason),
        Refusal::NotFound(reason) => problem(StatusCode::NOT_FOUND, reason),
    }
}

fn answer(result: Result<Value, Refusal>) -> Response {
    result.map_or_else(|refusal| refused(&refusal), |value| as_json(&value))
}

async fn page(State(site): Shared) -> Response {
    let html = live_page(site.hub.launcher.is_some(), editor(&site).is_ok());
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}

fn no_run() -> Response {
    problem(StatusCode::NOT_FOUND, "no run was started yet")
}

async fn status(State(site): Shared) -> Response {
    as_json(&site.hub.status())
}

async fn snapshot(State(site): Shared) -> Response {
    site.hub.run().map_or_else(no_run, |run| as_json(&run_json(&run.record())))
}

async fn seconds(State(site): Shared, uri: Uri) -> Response {
    since(&site, &uri, |run, since| history(&run.record(), usize::try_from(since).unwrap_or(usize::MAX)))
}

async fn log(State(site): Shared, uri: Uri) -> Response {
    since(&site, &uri, |run, since| run.log().since(since))
}

/// What is new since the number in the query.
fn since(site: &Site, uri: &Uri, read: impl FnOnce(&LiveRun, u64) -> Value) -> Response {
    let Some(run) = site.hub.run() else { return no_run() };
    match query(uri, "since").map(|text| text.parse()).transpose() {
        Ok(since) => as_json(&read(&run, since.unwrap_or(0))),
        Err(_) => problem(StatusCode::BAD_REQUEST, "since is a number, as 'next' in the last answer gave it"),
    }
}

async fn stream(State(site): Shared, uri: Uri, headers: HeaderMap) -> Response {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let with_parts = query(&uri, "parts").is_some_and(|parts| parts == "html");
    match events::events(&site.hub, last, with_parts) {
        Some(body) => ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response(),
        None => problem(StatusCode::SERVICE_UNAVAILABLE, "too many viewers; close one of the other pages"),
    }
}

async fn metrics(State(site): Shared) -> Response {
    let text = prometheus::text(site.hub.run().as_deref());
    ([(header::CONTENT_TYPE, prometheus::CONTENT_TYPE)], text).into_response()
}

async fn steer(State(site): Shared, body: Bytes) -> Response {
    match control::orders(&body) {
        Ok(_) if site.hub.is_recruiting() => {
            problem(StatusCode::CONFLICT, "the run waits for agents; all that can be done is to stop it")
        }
        Ok(orders) => change(&site.hub, orders).await,
        Err(reason) => problem(StatusCode::BAD_REQUEST, &reason),
    }
}

async fn change(hub: &Hub, orders: Orders) -> Response {
    let run = match steerable(hub) {
        Ok(run) => run,
        Err(refused) => return *refused,
    };
    match orders.carry_out(&run.stopper).await {
        Ok(done) => {
            let mut status = hub.status();
            status["changed"] = done.into();
            as_json(&status)
        }
        Err(reason) => problem(StatusCode::CONFLICT, &reason),
    }
}

/// The run that is on.
fn steerable(hub: &Hub) -> Result<Arc<LiveRun>, Box<Response>> {
    let run = hub.run().ok_or_else(no_run)?;
    if run.outcome().is_some() {
        return Err(problem(StatusCode::CONFLICT, "the run is over").into());
    }
    Ok(run)
}

async fn stop(State(site): Shared) -> Response {
    let hub = &site.hub;
    // The process may end with that run: a viewer is waited for.
    let _answered = hub.viewer();
    if hub.give_up_recruiting() {
        // The status says what there is by then.
        let _ = tokio::time::timeout(ANSWER_WITHIN, hub.recruiting_is_over()).await;
        return as_json(&hub.status());
    }
    let run = match steerable(hub) {
        Ok(run) => run,
        Err(refused) => return *refused,
    };
    let mut snapshots = run.snapshots();
    run.stopper.stop();
    let is_stopping = snapshots.wait_for(|snapshot| matches!(snapshot.phase, Phase::RampDown | Phase::Done));
    let _ = tokio::time::timeout(ANSWER_WITHIN, is_stopping).await;
    as_json(&hub.status())
}

async fn scripts(State(site): Shared) -> Response {
    launched(site, |launcher| Ok(launcher.scripts())).await
}

async fn form(State(site): Shared, uri: Uri) -> Response {
    match query(&uri, "script") {
        Some(script) => launched(site, move |launcher| launcher.form(&script)).await,
        None => problem(StatusCode::BAD_REQUEST, "script is missing: /api/v1/form?script=NAME"),
    }
}

async fn plan(State(site): Shared, body: Bytes) -> Response {
    filled(site, &body, |launcher, form| launcher.plan(form)).await
}

async fn try_once(State(site): Shared, body: Bytes) -> Response {
    filled(site, &body, |launcher, form| launcher.try_once(form)).await
}

async fn start(State(site): Shared, body: Bytes) -> Response {
    let accepted = Arc::new(AtomicBool::new(false));
    let waits = accepted.clone();
    let mut answer = filled(site, &body, move |launcher, form| {
        launcher.start(form).inspect(|started| waits.store(started["id"].is_null(), Ordering::Relaxed))
    })
    .await;
    if accepted.load(Ordering::Relaxed) {
        *answer.status_mut() = StatusCode::ACCEPTED;
    }
    answer
}

async fn editor_script(State(site): Shared) -> Response {
    if editor(&site).is_err() {
        return answer(Err(no_editor()));
    }
    as_script(EDITOR)
}

async fn playground() -> Response {
    as_script(playground_script())
}

fn as_script(text: impl IntoResponse) -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], text).into_response()
}

async fn script(State(site): Shared, uri: Uri) -> Response {
    match query(&uri, "script") {
        Some(script) => edited(site, move |editor| editor.read(&script)).await,
        None => problem(StatusCode::BAD_REQUEST, "script is missing: /api/v1/script?script=NAME"),
    }
}

async fn docs(State(site): Shared, uri: Uri) -> Response {
    match query(&uri, "word") {
        Some(word) => edited(site, move |editor| editor.docs(&word)).await,
        None => problem(StatusCode::BAD_REQUEST, "word is missing: /api/v1/docs?word=http::get"),
    }
}

async fn save(State(site): Shared, body: Bytes) -> Response {
    match json_body(&body) {
        Ok(changed) => edited(site, move |editor| editor.save(&changed)).await,
        Err(reason) => problem(StatusCode::BAD_REQUEST, &reason),
    }
}

async fn check(State(site): Shared, body: Bytes) -> Response {
    match json_body(&body) {
        Ok(text) => edited(site, move |editor| editor.check(&text)).await,
        Err(reason) => problem(StatusCode::BAD_REQUEST, &reason),
    }
}

fn no_editor() -> Refusal {
    Refusal::NotNow("scripts can only be changed here with 'rhaid web --edit'".to_owned())
}

fn editor(site: &Site) -> Result<Arc<dyn Launcher>, Refusal> {
    let launcher = site.hub.launcher.clone();
    launcher.filter(|launcher| launcher.editor().is_some()).ok_or_else(no_editor)
}

/// Has the editor do something.
async fn edited(
    site: Arc<Site>,
    work: impl FnOnce(&dyn Editor) -> Result<Value, Refusal> + Send + 'static,
) -> Response {
    match editor(&site) {
        Ok(launcher) => apart(move || launcher.editor().map_or_else(|| Err(no_editor()), work)).await,
        Err(refusal) => answer(Err(refusal)),
    }
}

fn json_body(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))
}

/// Has the launcher do something with a form.
async fn filled(
    site: Arc<Site>,
    body: &[u8],
    work: impl FnOnce(&dyn Launcher, &Value) -> Result<Value, Refusal> + Send + 'static,
) -> Response {
    match json_body(body) {
        Ok(form) => launched(site, move |launcher| work(launcher, &form)).await,
        Err(reason) => problem(StatusCode::BAD_REQUEST, &reason),
    }
}

/// Has the launcher do something.
async fn launched(
    site: Arc<Site>,
    work: impl FnOnce(&dyn Launcher) -> Result<Value, Refusal> + Send + 'static,
) -> Response {
    let Some(launcher) = site.hub.launcher.clone() else {
        return problem(
            StatusCode::CONFLICT,
            "this page belongs to one run; 'rhaid web' gives one that starts runs",
        );
    };
    apart(move || work(&*launcher)).await
}

/// Does what takes longer on a thread of its own.
async fn apart(work: impl FnOnce() -> Result<Value, Refusal> + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => answer(result),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "this call failed; the run is not affected"),
    }
}

async fn all_runs(State(site): Shared) -> Response {
    let root = site.hub.results_dir.clone();
    apart(move || Ok(runs::list(&root))).await
}

type RunPath = axum::extract::Path<String>;
type RunPart = axum::extract::Path<(String, String)>;

async fn one_run(State(site): Shared, path: RunPath) -> Response {
    stored(site, path.0, "run.json".to_owned()).await
}

async fn file(State(site): Shared, path: RunPart) -> Response {
    let (id, name) = path.0;
    stored(site, id, name).await
}

async fn stored(site: Arc<Site>, id: String, name: String) -> Response {
    let root = site.hub.results_dir.clone();
    let read = tokio::task::spawn_blocking(move || runs::file(&root, &id, &name)).await;
    match read {
        Ok(Ok((kind, bytes))) => ([(header::CONTENT_TYPE, kind)], bytes).into_response(),
        Ok(Err(refusal)) => refused(&refusal),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the file could not be read"),
    }
}

async fn report(State(site): Shared, path: RunPath, uri: Uri) -> Response {
    let root = site.hub.results_dir.clone();
    let id = path.0;
    let name = query(&uri, "download").map(|_| format!("attachment; filename=\"{}.html\"", runs::safe(&id)));
    let mut response = html(move || runs::report(&root, &id)).await;
    if let Some(name) = name.and_then(|name| HeaderValue::from_str(&name).ok()) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

async fn comparison(State(site): Shared, path: RunPart) -> Response {
    let root = site.hub.results_dir.clone();
    let (id, other) = path.0;
    html(move || runs::comparison(&root, &other, &id)).await
}

async fn html(page: impl FnOnce() -> Result<String, Refusal> + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(page).await {
        Ok(Ok(page)) => {
            let headers = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CONTENT_SECURITY_POLICY, REPORT_POLICY),
            ];
            (headers, page).into_response()
        }
        Ok(Err(refusal)) => refused(&refusal),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the report could not be made"),
    }
}
