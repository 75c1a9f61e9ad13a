//! `http::batch`: several requests at once.

use std::time::{Duration, Instant};

use crate::support::{Server, load_test, once, run};

#[test]
fn responses_come_in_order_and_each_is_a_sample() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            let rs = http::batch([
                "/delay/60",
                ["POST", "/echo/a", #{ json: #{ n: 1 } }],
                #{ method: "put", url: "/echo/b", body: "x", name: "b", tags: #{ kind: "put" } },
                ["GET", "/status/404"],
                #{ url: "/status/201", expect: 201 },
            ]);
            print(rs.map(|r| r.status));
            print([rs[1].json("method"), rs[1].json("body"), rs[2].json("method"), rs[2].name]);
            rs[3].succeed();
        }
    "#;
    let ran = once(&server, script).without_errors();
    assert_eq!(ran.printed(), ["[200, 200, 200, 404, 201]", r#"["POST", "{\"n\":1}", "PUT", "b"]"#]);
    assert_eq!((ran.requests(), ran.failures()), (5, 0), "a verdict is open after a batch");
    assert_eq!(ran.endpoint("b"), (1, 0));
}

#[test]
fn a_map_gives_a_map() {
    let script = r#"
        fn iteration() {
            let page = http::batch(#{ css: "/bytes/3", js: "/bytes/5" });
            print([page.css.size, page.js.size]);
            print(http::batch([]));
        }
    "#;
    assert_eq!(once(&Server::start(), script).without_errors().printed(), ["[3, 5]", "[]"]);
}

#[test]
fn requests_run_at_once_six_to_a_host() {
    let server = Server::start();
    let other = Server::start();
    let script = format!(
        r#"fn iteration() {{
            let urls = [];
            for n in 0..14 {{ urls.push("/delay/80"); }}
            for n in 0..2 {{ urls.push("{}/delay/80"); }}
            let rs = http::batch(urls);
            let waited = rs.filter(|r| r.timings.blocked >= 60.0).len();
            print(waited);
        }}"#,
        other.url()
    );
    let started = Instant::now();
    let ran = once(&server, &script).without_errors();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!((server.concurrency(), other.concurrency()), (6, 2));
    assert_eq!((ran.requests(), server.total(), other.total()), (16, 14, 2));
    assert_eq!(ran.printed(), ["8"], "those that had to wait for their turn say so");
}

#[test]
fn nothing_is_sent_when_an_entry_is_wrong() {
    let server = Server::start();
    for (entry, expected) in [
        ("42", "entry 1: it must be a URL, [method, url, params] or #{ method, url, … }, not 42"),
        ("[]", "entry 1: it has 0 parts"),
        (r#"["GET"]"#, "entry 1: it has 1 parts"),
        (r##"#{ method: "GET" }"##, "entry 1: it has no key 'url'"),
        (r##"#{ url: "/x", timout: 1 }"##, "entry 1: the request has no key 'timout'"),
        (r#"["GET", "ftp://x"]"#, "entry 1: 'ftp://x' has the scheme 'ftp'"),
    ] {
        let ran = once(&server, &format!(r#"fn iteration() {{ http::batch(["/a", {entry}]); }}"#));
        let error = ran.only_error();
        assert!(error.contains(&format!("http::batch, {expected}")), "{entry}: {error}");
    }
    assert_eq!(server.total(), 0);
}

#[test]
fn failures_are_samples_beside_successes() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            let rs = http::batch(["/bytes/1", "/reset", ["POST", "/reset"], "/status/500"]);
            print(rs.map(|r| r.error_kind));
        }
    "#;
    let ran = once(&server, script).without_errors();
    assert_eq!(ran.printed(), [r#"[(), "reset", "reset", ()]"#]);
    assert_eq!((ran.requests(), ran.failures()), (4, 3));
}

#[test]
fn what_was_done_is_counted_when_a_batch_is_interrupted() {
    let server = Server::start();
    let script = r#"fn iteration() { http::batch(["/bytes/1", "/bytes/2", "/never"]); }"#;
    let test = load_test(script).host(&server.url()).run_time(Duration::from_millis(300));
    let ran = run(test.stop_timeout(Duration::from_millis(100)));
    assert_eq!((ran.requests(), ran.failures()), (2, 0));
    assert_eq!(server.total(), 3);
}
