//! The monitor on the target's machine: its newest sample as JSON, for a run elsewhere.

use std::future::Future;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;

use crate::metrics::{ResourceBatch, ResourceSource};
use crate::resources::{Monitor, REMOTE_PATH, RemoteSample, Sampler};

/// How often new samples are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long requests that are being answered may take once the monitor is to stop.
const TIME_TO_ANSWER: Duration = Duration::from_millis(500);

struct Shared {
    newest: RwLock<RemoteSample>,
    token: Option<String>,
}

/// Serves samples until `stop`. With a token, callers have to show it (`Authorization: Bearer …`).
///
/// # Errors
/// When the listener fails.
pub async fn serve_monitor(
    listener: TcpListener,
    sampler: Sampler,
    token: Option<String>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (machine, target) = (sampler.machine().clone(), sampler.info().target);
    let none_yet = RemoteSample {
        number: 0,
        machine,
        target,
        system: crate::metrics::SystemUse::default(),
        process: None,
    };
    let shared = Arc::new(Shared { newest: RwLock::new(none_yet), token });
    let router = Router::new().route(REMOTE_PATH, get(sample)).with_state(shared.clone());
    let mut monitor = Monitor::new(sampler);
    monitor.begin(Instant::now());
    let update = async move {
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            look.tick().await;
            publish(&shared, monitor.take());
        }
    };
    let (stopped, is_stopped) = tokio::sync::oneshot::channel();
    let stop = async move {
        stop.await;
        let _ = stopped.send(());
    };
    let server = axum::serve(listener, router).with_graceful_shutdown(stop);
    // Who has sent half a request and waits does not keep the monitor.
    let overdue = async move {
        if is_stopped.await.is_ok() {
            tokio::time::sleep(TIME_TO_ANSWER).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = server => ended,
        () = update => Ok(()),
        () = overdue => Ok(()),
    }
}

fn publish(shared: &Shared, batch: ResourceBatch) {
    let Some(sample) = batch.samples.into_iter().next_back() else { return };
    // A panic while it was held leaves a whole sample behind.
    let mut newest = shared.newest.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    newest.number += 1;
    newest.system = sample.system;
    newest.process = sample.target;
}

async fn sample(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let expected = shared.token.as_ref().map(|token| format!("Bearer {token}"));
    let shown = shown.unwrap_or_default().as_bytes();
    // In constant time: how long it takes does not tell how much of a guess is right.
    if expected.is_some_and(|expected| !bool::from(expected.as_bytes().ct_eq(shown))) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let newest = shared.newest.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    Json(newest).into_response()
}
