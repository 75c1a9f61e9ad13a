//! A server that sends without end takes its share of a thread and no more.

use crate::support::{Flood, Server, flooding, load_test, run};

/// One user is flooded until its timeout, another does its work on the same thread meanwhile.
fn check(flood: Flood, params: &str, expected: &str) {
    let (server, flooding) = (Server::start(), flooding(flood));
    let script = format!(
        r#"
        scenario("flooded", #{{ exec: "flooded", executor: "per-vu-iterations", vus: 1, iterations: 1 }});
        scenario("other", #{{ exec: "other", executor: "constant-vus", vus: 1, duration: "1s" }});
        fn flooded() {{
            let r = http::get("{flooding}/", #{{ timeout: 1.0, {params} }});
            print(`${{r.error_kind}} ${{r.timings.blocked + r.timings.waiting + r.timings.receiving < 3000}}`);
        }}
        fn other() {{ http::get("/x"); sleep(0.005); }}
    "#
    );
    let ran = run(load_test(&script).host(&server.url())).without_errors();
    assert_eq!(ran.printed(), [expected], "{flood:?}");
    // Without sharing it was one.
    assert!(server.hits("/x") >= 5, "{flood:?}: {} requests of the other user", server.hits("/x"));
}

#[test]
fn endless_continue_starves_nobody() {
    check(Flood::Continue, "", "timeout true");
}

#[test]
fn an_endless_body_of_tiny_chunks_starves_nobody() {
    check(Flood::TinyChunks, "discard_body: true", "timeout true");
}

#[test]
fn an_endless_body_starves_nobody() {
    check(Flood::Body, "discard_body: true", "timeout true");
}

#[test]
fn endless_pings_starve_nobody() {
    check(Flood::Pings, "http_version: \"2\"", "timeout true");
}

#[test]
fn an_endless_body_that_is_kept_ends_at_a_limit() {
    let server = flooding(Flood::Body);
    let script =
        "fn iteration() { let r = http::get(\"/\"); print([r.error_kind, r.error.contains(\"128 MiB\")]); }";
    let ran = run(load_test(script).host(&server).iterations(1)).without_errors();
    assert_eq!(ran.printed(), [r#"["body", true]"#]);
}
