//! The state of the page as server-sent events: all of it first, then what changed, once a second.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream;
use tokio::time::timeout;

use super::hub::{Hub, Viewer};
use super::live::Rendering;

/// Most viewers at a time.
const MOST_VIEWERS: usize = 64;

/// How often somebody who waits is told that we are still here.
const BEAT: Duration = Duration::from_secs(5);

/// What one viewer gets.
struct Watch {
    viewer: Viewer,
    /// The newest that it has.
    has: Option<u64>,
    with_parts: bool,
    is_over: bool,
}

/// The body of an answer that goes on as long as the run and the viewer do. `last` is the newest event that the viewer
/// has, from before its connection broke.
pub(super) fn events(hub: &Arc<Hub>, last: Option<u64>, with_parts: bool) -> Option<Body> {
    if hub.viewers() >= MOST_VIEWERS {
        return None;
    }
    let viewer = hub.viewer();
    let watch = Watch { viewer, has: last, with_parts, is_over: false };
    let mut first = true;
    let events = stream::unfold(watch, move |mut watch| {
        let is_first = std::mem::take(&mut first);
        async move {
            if watch.is_over {
                return None;
            }
            let rendering = if is_first {
                watch.viewer.now()
            } else {
                match timeout(BEAT, watch.viewer.next()).await {
                    Ok(rendering) => rendering,
                    Err(_) => {
                        return Some((
                            Ok::<_, std::convert::Infallible>(Bytes::from_static(b":\n\n")),
                            watch,
                        ));
                    }
                }
            };
            let event = watch.event(&rendering);
            Some((Ok(event), watch))
        }
    });
    Some(Body::from_stream(events))
}

impl Watch {
    fn event(&mut self, rendering: &Rendering) -> Bytes {
        // A number that we have not given yet is of a server before this one.
        let has = self.has.filter(|&has| has < rendering.number).unwrap_or(0);
        self.has = Some(rendering.number);
        let data = if self.with_parts { rendering.since(has) } else { rendering.status() };
        Bytes::from(format!("id: {}\nevent: state\ndata: {data}\n\n", rendering.number))
    }
}
