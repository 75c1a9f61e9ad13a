//! HTTP/2 servers that misbehave: what a request on their connection comes to, and what is said about it.

use std::time::Duration;

use crate::support::{Act, FrameServer, REFUSED_STREAM, Ran, load_test, run};

fn requests(server: &FrameServer, count: usize, params: &str) -> Ran {
    let script = format!(
        r#"fn iteration() {{
            for n in 0..{count} {{
                let r = http::get("/x", #{{ http_version: 2, {params} }});
                print([r.status, r.error_kind, r.error]);
            }}
        }}"#
    );
    run(load_test(&script).host(&server.url).iterations(1)).without_errors()
}

#[test]
fn a_connection_that_allows_no_streams_is_left_after_the_timeout() {
    let server = FrameServer::allowing(|connection| u32::from(connection > 1), |_| Act::Answer);
    let ran = requests(&server, 3, "timeout: \"300ms\"");
    let printed = ran.printed();
    assert_eq!(
        printed[0],
        "[0, \"timeout\", \"no complete response within 300ms: the server allows no HTTP/2 streams on its connection \
         (SETTINGS_MAX_CONCURRENT_STREAMS is 0)\"]"
    );
    assert_eq!(printed[1..], ["[200, (), ()]"; 2], "over a new connection");
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_request_that_fails_leaves_the_connection_to_others() {
    let server = FrameServer::start(|n| if n == 1 { Act::HintsThenReset(8) } else { Act::Answer });
    let ran = run(load_test(
        r#"fn iteration() {
            http::get("/x", #{ http_version: 2 });
            http::get("/x", #{ http_version: 2 });
            print(http::get("/x", #{ http_version: 2 }).timings.connecting == ());
        }"#,
    )
    .host(&server.url)
    .iterations(1)
    .run_time(Duration::from_secs(30)));
    assert_eq!(ran.without_errors().printed(), ["true"]);
}

/// RFC 9113 section 8.7 calls a refused request unprocessed; one that an informational response came for was seen.
#[test]
fn a_request_that_was_refused_after_early_hints_is_not_repeated() {
    let server = FrameServer::start(|_| Act::HintsThenReset(REFUSED_STREAM));
    let ran = requests(&server, 1, "");
    assert!(ran.printed()[0].starts_with("[0, \"reset\", "), "{:?}", ran.printed());
    assert_eq!((server.requests(), ran.failures()), (1, 1));
    let server = FrameServer::start(|n| if n == 1 { Act::Reset(REFUSED_STREAM) } else { Act::Answer });
    assert_eq!(requests(&server, 1, "").printed(), ["[200, (), ()]"]);
    assert_eq!(server.requests(), 2, "without them it is");
}

#[test]
fn errors_of_http2_name_the_code_and_what_was_wrong() {
    for (act, expected) in [
        (Act::DataOfNoStream, "it sent a frame or a header field that is not allowed there (PROTOCOL_ERROR)"),
        (
            Act::GoAwaySaying(11, "too many pings"),
            "ENHANCE_YOUR_CALM, this client causes too much load: too many pings",
        ),
        (
            Act::GoAwaySaying(2, "caf\u{e9} \u{1b}[31m"),
            "INTERNAL_ERROR, an internal error: caf\\\\xc3\\\\xa9 \\\\x1b[31m",
        ),
        (Act::Reset(1), "PROTOCOL_ERROR, something that is not allowed in HTTP/2"),
        (Act::Reset(13), "HTTP_1_1_REQUIRED, HTTP/1.1 is required (set http_version to 1.1)"),
        (Act::Reset(99), "error code 99"),
    ] {
        let server = FrameServer::start(move |_| act);
        let ran = requests(&server, 1, "");
        assert!(ran.printed()[0].contains(expected), "{act:?}: {}", ran.printed()[0]);
    }
}
