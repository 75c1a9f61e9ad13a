//! What scripts learn from a response.

use crate::support::{Server, load_test, once, run};

/// What a script prints about responses.
fn printed(body: &str) -> Vec<String> {
    let server = Server::start();
    let ran = once(&server, &format!("fn iteration() {{ {body} }}")).without_errors();
    ran.printed().into_iter().map(str::to_owned).collect()
}

#[test]
fn a_response_tells_what_it_is() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            let r = http::post("/bytes/5?a=b", #{ name: "five" });
            print([r.status, r.ok, r.body, r.method, r.name, r.size, r.http_version]);
            print(r.url);
            print(r.remote_addr);
            print([r.error, r.error_kind, r.history]);
            print(r.bytes.len());
            print(r.text());
            print(r);
        }
    "#;
    let ran = once(&server, script).without_errors();
    let url = server.url();
    assert_eq!(
        ran.printed(),
        [
            r#"[200, true, "xxxxx", "POST", "five", 5, "1.1"]"#,
            &format!("{url}/bytes/5?a=b"),
            &server.addr().to_string(),
            "[(), (), []]",
            "5",
            "xxxxx",
            "POST /bytes/5 (status 200)",
        ]
    );
}

#[test]
fn headers_are_found_in_any_case() {
    let lines = printed(
        r#"
            let r = http::get("/cookies/set?a=1&b=2");
            print(r.headers["Content-Length"]);
            print(r.headers["content-length"]);
            print(r.headers["nosuch"]);
            print(r.headers["Set-Cookie"]);
            print("CONTENT-length" in r.headers);
            print("nosuch" in r.headers);
            print(r.headers.keys());
        "#,
    );
    assert_eq!(
        lines,
        ["3", "3", "", "a=1; Path=/, b=2; Path=/", "true", "false", r#"["content-length", "set-cookie"]"#]
    );
}

#[test]
fn json_is_read_whole_or_by_path() {
    let lines = printed(
        r#"
            let r = http::post("/echo/x", #{ json: #{ a: #{ b: [10, #{ c: "deep" }] }, n: () } });
            let sent = parse_json(r.json("body"));
            print(sent.a.b[1].c);
            print(r.json().method);
            print(r.json("headers.content-type"));
            print(r.json("nosuch.path") == ());
            let list = http::post("/echo", #{ json: [1] }).json();
            print(list.path);
        "#,
    );
    assert_eq!(lines, ["deep", "POST", "application/json", "true", "/echo"]);
}

#[test]
fn json_paths_reach_into_arrays() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            let r = http::get("/count");
            print(r.json("[\"/count\"]"));
            print(r.json().keys());
        }
    "#;
    assert_eq!(once(&server, script).without_errors().printed(), ["1", r#"["/count"]"#]);
}

#[test]
fn a_body_that_is_not_json_is_a_clear_script_error() {
    let ran = once(&Server::start(), "fn iteration() {\n  let r = http::get(\"/plain\");\n  r.json();\n}");
    let error = ran.only_error();
    assert!(error.starts_with("test.rhai:3:5: the body of GET /plain (status 200) is not JSON"), "{error}");
    assert!(error.contains("it starts with \"ok\""), "{error}");
    assert_eq!((ran.requests(), ran.failures()), (1, 0), "the request itself was all right");
}

#[test]
fn compressed_bodies_are_unpacked() {
    let lines = printed(
        r#"
            let r = http::get("/gzip");
            print(r.body);
            print(r.json("packed"));
            print(r.headers["content-encoding"]);
            print(r.bytes.len());
        "#,
    );
    assert_eq!(lines, [r#"{"packed":true}"#, "true", "gzip", "15"]);
}

#[test]
fn bodies_are_read_to_their_end_and_counted() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            for url in ["/bytes/300000", "/chunked/300000", "/bytes/0"] { let r = http::get(url); print(r.size); }
            print(http::head("/bytes/500").size);
        }
    "#;
    let ran = once(&server, script).without_errors();
    assert_eq!(ran.printed(), ["300000", "300000", "0", "0"]);
    let total = &ran.snapshot().total;
    assert!(total.bytes_received > 600_000 && total.bytes_received < 610_000, "{}", total.bytes_received);
    assert!(total.bytes_sent > 100, "{}", total.bytes_sent);
}

#[test]
fn times_are_told_in_milliseconds_and_by_part() {
    let lines = printed(
        r#"
            let r = http::get("/delay/60");
            print(r.duration >= 60.0);
            print(r.timings.waiting >= 59.0);
            print(r.timings.keys());
            let sum = r.timings.sending + r.timings.waiting + r.timings.receiving;
            print((sum - r.duration).abs() < 0.01);
            print(type_of(r.timings.connecting));
            print([r.timings.dns, r.timings.tls]);
        "#,
    );
    let keys = r#"["blocked", "connecting", "dns", "receiving", "sending", "tls", "waiting"]"#;
    assert_eq!(lines, ["true", "true", keys, "true", "f64", "[(), ()]"]);
}

#[test]
fn redirects_are_followed_and_count_as_one_request() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            let r = http::get("/redirect/3");
            print([r.status, r.body, r.history.len(), r.history[0].status]);
            print(r.history[0].url);
            print(r.url);
        }
    "#;
    let ran = once(&server, script).without_errors();
    let url = server.url();
    assert_eq!(
        ran.printed(),
        [r#"[200, "arrived", 3, 302]"#, &format!("{url}/redirect/3"), &format!("{url}/redirect/0")]
    );
    assert_eq!((server.total(), ran.requests(), ran.failures()), (4, 1, 0));
    assert_eq!(ran.endpoint("/redirect/3"), (1, 0), "under the name that was asked for");
}

#[test]
fn redirects_can_be_limited_or_left_alone() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            let r = http::get("/redirect/3", #{ redirects: 0 });
            print([r.status, r.headers["location"], r.ok]);
            let r = http::get("/redirect/3", #{ redirects: false });
            print(r.status);
            let r = http::get("/redirect/3", #{ redirects: 2 });
            print([r.status, r.error_kind, r.ok]);
        }
    "#;
    let ran = once(&server, script).without_errors();
    assert_eq!(ran.printed(), [r#"[302, "/redirect/2", true]"#, "302", "[302, (), true]"]);
}

#[test]
fn redirects_keep_or_change_the_method_as_browsers_do() {
    let lines = printed(
        r#"
            for code in [302, 303, 307, 308] {
                let r = http::post(`/redirect/post/${code}`, #{ body: "b" });
                print(`${code} ${r.json("method")} ${r.json("body")}`);
            }
        "#,
    );
    assert_eq!(lines, ["302 GET ", "303 GET ", "307 POST b", "308 POST b"]);
}

#[test]
fn a_response_stays_readable_after_later_requests() {
    let lines = printed(
        r#"
            let first = http::get("/bytes/3");
            let second = http::get("/status/500");
            this.kept = first;
            sleep(0.01);
            print([first.status, first.body, second.status, this.kept.size]);
        "#,
    );
    assert_eq!(lines, [r#"[200, "xxx", 500, 3]"#]);
}

#[test]
fn responses_of_many_users_do_not_mix() {
    let script = r#"
        fn iteration() {
            let mark = `${vu::id()}-${vu::iteration()}`;
            let r = http::get("/echo", #{ query: #{ mark: mark } });
            check("own answer", r.json("query") == "mark=" + mark);
        }
    "#;
    let server = Server::start();
    let ran =
        run(load_test(script).host(&server.url()).users(20).threads(2).iterations(400)).without_errors();
    assert_eq!(ran.check("own answer"), (400, 0));
}

#[test]
fn json_may_begin_with_a_byte_order_mark() {
    let script = r#"
        fn iteration() { print(http::get("/raw/bom").json("a")); print(http::get("/raw/latin1").headers["x-name"]); }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!(ran.printed(), ["1", "caf\u{e9}"]);
}

#[test]
fn a_content_length_that_contradicts_the_body_is_an_error() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            for length in ["5", "50", "abc"] {
                try {
                    http::post("/echo", #{ body: "0123456789", headers: #{ "content-length": length } });
                } catch (error) { print(error); }
            }
            print(http::post("/echo", #{ body: "0123456789", headers: #{ "content-length": 10 } }).json("body"));
        }
    "#;
    let ran = once(&server, script).without_errors();
    let printed = ran.printed();
    assert!(printed[0].contains("content-length is 5, but the body has 10 bytes"), "{printed:?}");
    assert!(
        printed[1].contains("content-length is 50") && printed[2].contains("content-length is abc"),
        "{printed:?}"
    );
    assert_eq!((printed[3], server.total()), ("0123456789", 1));
}
