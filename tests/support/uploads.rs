//! A server that takes bodies of any size, over HTTP/1.1 or HTTP/2, on a free port of 127.0.0.1.
//!
//! | path | does |
//! |---|---|
//! | `/hash` | answers with the length and a hash of the body |
//! | `/again/CODE` | reads the body, and redirects with that code to `/hash` |
//! | `/refused` | resets the first stream with `REFUSED_STREAM` (HTTP/2), then as `/hash` |
//! | `/midway` | counts the body, and calls the test's hook after a megabyte |

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// See the module's description. Lives as long as the tests' process.
pub(crate) struct UploadServer {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    midway: Box<dyn Fn() + Send + Sync>,
    refused: AtomicBool,
    whole: AtomicU64,
    cut: AtomicU64,
}

impl UploadServer {
    pub(crate) fn http1() -> UploadServer {
        UploadServer::start(false, || {})
    }

    pub(crate) fn http2() -> UploadServer {
        UploadServer::start(true, || {})
    }

    /// `midway` is called once a body has come so far that it is certainly not whole yet.
    pub(crate) fn start(http2: bool, midway: impl Fn() + Send + Sync + 'static) -> UploadServer {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            midway: Box::new(midway),
            refused: AtomicBool::new(false),
            whole: AtomicU64::new(0),
            cut: AtomicU64::new(0),
        });
        let state = shared.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    let state = state.clone();
                    let service = service_fn(move |request| answer(request, state.clone()));
                    // A client may leave at any time.
                    tokio::spawn(async move {
                        let io = TokioIo::new(stream);
                        if http2 {
                            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                            let _ = builder.serve_connection(io, service).await;
                        } else {
                            let _ = hyper::server::conn::http1::Builder::new()
                                .serve_connection(io, service)
                                .await;
                        }
                    });
                }
            });
        });
        UploadServer { url, shared }
    }

    /// How many bodies came whole, and how many were cut off.
    pub(crate) fn bodies(&self) -> (u64, u64) {
        (self.shared.whole.load(Ordering::Relaxed), self.shared.cut.load(Ordering::Relaxed))
    }
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, h2::Error> {
    let path = request.uri().path().to_owned();
    if path == "/refused" && !shared.refused.swap(true, Ordering::Relaxed) {
        return Err(h2::Reason::REFUSED_STREAM.into());
    }
    let mut body = request.into_body();
    let (mut length, mut whole, mut told) = (0, Vec::new(), false);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            shared.cut.fetch_add(1, Ordering::Relaxed);
            return Err(h2::Reason::CANCEL.into());
        };
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if path != "/midway" {
            whole.extend_from_slice(&data);
        } else if length > 1 << 20 && !told {
            told = true;
            (shared.midway)();
        }
    }
    shared.whole.fetch_add(1, Ordering::Relaxed);
    let mut response = Response::new(Full::new(Bytes::from(hashed(&whole))));
    if let Some(code) = path.strip_prefix("/again/") {
        *response.status_mut() = code.parse().unwrap();
        response.headers_mut().insert("location", "/hash".parse().unwrap());
    }
    Ok(response)
}

/// What `/hash` answers to this body.
pub(crate) fn hashed(body: &[u8]) -> String {
    // Fast without optimisation, too; that no byte is lost, doubled or moved is what it has to tell.
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let (words, rest) = body.as_chunks::<8>();
    let hash = words.iter().fold(0, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let hash = rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)));
    format!("{} {hash:016x}", body.len())
}
