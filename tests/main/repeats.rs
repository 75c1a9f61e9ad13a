//! Requests that are sent again: only those that the server has certainly not processed, each counted. The servers know
//! how many requests they took and what they did about them, and the run must agree.

use std::time::Duration;

use rhaid::metrics::CustomFigures;

use crate::support::{
    Act, CANCEL, ENHANCE_YOUR_CALM, FrameServer, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM, Ran, Sandbox,
    Server, load_test, run,
};

const REQUESTS: u64 = 40;

/// 40 requests by one user over HTTP/2.
fn forty(server: &FrameServer, method: &str) -> Ran {
    let script = format!(
        "options(#{{ http: #{{ http_version: \"2\", timeout: 10 }} }});
         fn iteration() {{ http::{method}(\"/x\", #{{ body: \"abc\" }}); }}"
    );
    run(load_test(&script).host(&server.url).iterations(REQUESTS)).without_errors()
}

fn retries(ran: &Ran) -> f64 {
    let stats = ran.snapshot().custom.iter().find(|stats| &*stats.name == "http_req_retries");
    match stats.map(|stats| &stats.figures) {
        Some(CustomFigures::Counter { count, .. }) => *count,
        _ => 0.0,
    }
}

#[test]
fn a_stream_that_the_server_resets_is_a_failure_and_is_not_sent_again() {
    for code in [INTERNAL_ERROR, CANCEL, ENHANCE_YOUR_CALM, NO_ERROR, 1, 5, 13, 99] {
        let server =
            FrameServer::start(move |n| if n.is_multiple_of(3) { Act::Reset(code) } else { Act::Answer });
        for method in ["get", "post"] {
            let (before, refused) = (server.requests(), server.refused());
            let ran = forty(&server, method);
            assert_eq!(server.requests() - before, REQUESTS, "code {code}");
            assert_eq!(ran.requests(), REQUESTS, "code {code}");
            assert_eq!(ran.failures(), server.refused() - refused, "code {code}");
            assert_eq!(retries(&ran), 0.0, "code {code}");
        }
    }
}

#[test]
fn a_stream_that_the_server_refuses_is_sent_again_and_counted() {
    let server =
        FrameServer::start(|n| if n.is_multiple_of(4) { Act::Reset(REFUSED_STREAM) } else { Act::Answer });
    for method in ["get", "post", "delete"] {
        let (before, refused) = (server.requests(), server.refused());
        let ran = forty(&server, method);
        assert_eq!((ran.requests(), ran.failures()), (REQUESTS, 0), "{:?}", ran.failure_groups());
        let refused = server.refused() - refused;
        assert_eq!(server.requests() - before, REQUESTS + refused);
        assert_eq!(retries(&ran), refused as f64);
    }
}

#[test]
fn a_server_that_refuses_every_stream_is_not_asked_for_ever() {
    let server = FrameServer::start(|_| Act::Reset(REFUSED_STREAM));
    let script = "options(#{ http: #{ http_version: \"2\" } }); fn iteration() { http::get(\"/x\"); }";
    let ran = run(load_test(script).host(&server.url).iterations(5));
    assert_eq!((ran.requests(), ran.failures(), server.requests()), (5, 5, 20));
    assert_eq!(retries(&ran), 15.0);
}

/// RFC 9113 section 6.8: streams above the one that is announced were not processed.
#[test]
fn a_stream_above_the_last_of_goaway_is_sent_again() {
    for code in [NO_ERROR, INTERNAL_ERROR, ENHANCE_YOUR_CALM] {
        let server =
            FrameServer::start(
                move |n| {
                    if n.is_multiple_of(7) { Act::GoAwayBefore(code) } else { Act::Answer }
                },
            );
        let ran = forty(&server, "post");
        assert_eq!((ran.requests(), ran.failures()), (REQUESTS, 0), "{:?}", ran.failure_groups());
        assert_eq!(server.requests(), REQUESTS + server.refused());
        assert_eq!(retries(&ran), server.refused() as f64);
    }
}

#[test]
fn a_stream_that_goaway_takes_in_is_a_failure() {
    for act in [Act::GoAwayWith(NO_ERROR), Act::GoAwayWith(INTERNAL_ERROR), Act::Close] {
        let server = FrameServer::start(move |n| if n.is_multiple_of(5) { act } else { Act::Answer });
        let ran = forty(&server, "get");
        assert_eq!((ran.requests(), server.requests()), (REQUESTS, REQUESTS), "{act:?}");
        assert_eq!((ran.failures(), retries(&ran)), (server.refused(), 0.0), "{act:?}");
    }
}

/// The server took the request and dropped it; who knows what it did.
#[test]
fn a_request_that_was_taken_is_not_sent_again_on_http_1() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            http::get("/kept");
            http::get("/drop/100");
            http::put("/kept");
            http::put("/drop/0");
            http::get("/kept");
            http::delete("/reset");
        }
    "#;
    let ran = run(load_test(script).host(&server.url()).iterations(3)).without_errors();
    assert_eq!((ran.requests(), server.total()), (18, 18));
    assert_eq!(
        ran.failure_groups().iter().map(|group| group.2).sum::<u64>(),
        9,
        "{:?}",
        ran.failure_groups()
    );
    assert_eq!(retries(&ran), 0.0);
}

/// The connection was closed before the request was sent: that is seen before a byte of it leaves.
#[test]
fn a_kept_connection_that_was_closed_meanwhile_costs_a_repeat_and_no_failure() {
    let server = Server::start();
    let script = r#"
        fn iteration() { http::get("/last"); sleep(0.05); http::post("/last"); sleep(0.05); }
    "#;
    let sandbox = Sandbox::with(script);
    let output = sandbox.run_against(&server.url(), &["-i", "4"]).expect_code(0);
    let json = output.run_dir().json();
    assert_eq!(json["metrics"]["http_reqs"]["values"]["count"], 8);
    assert_eq!(json["metrics"]["http_req_failed"]["values"]["passes"], 0);
    assert_eq!((server.total(), &json["metrics"]["http_req_retries"]["values"]["count"]), (8, &7.into()));
    assert!(output.stdout.contains("retries     7 "), "{}", output.shown());
}

#[test]
fn the_duration_of_a_request_covers_its_repeat() {
    let server = FrameServer::start(|n| {
        if n == 2 {
            std::thread::sleep(Duration::from_millis(150));
            Act::Reset(REFUSED_STREAM)
        } else {
            Act::Answer
        }
    });
    let script = r#"
        options(#{ http: #{ http_version: "2" } });
        fn iteration() { http::get("/x"); print(http::get("/x").duration >= 150.0); }
    "#;
    let ran = run(load_test(script).host(&server.url).iterations(1)).without_errors();
    assert_eq!((ran.printed(), retries(&ran)), (vec!["true"], 1.0));
}
