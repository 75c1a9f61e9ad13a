//! Bodies: what scripts upload, and what hostile servers send.

use crate::support::{Ran, Server, load_test, once, run};

fn printed(script: &str) -> Vec<String> {
    let ran = once(&Server::start(), &format!("fn iteration() {{ {script} }}")).without_errors();
    ran.printed().into_iter().map(str::to_owned).collect()
}

fn error(script: &str) -> String {
    once(&Server::start(), &format!("fn iteration() {{ {script} }}")).only_error()
}

#[test]
fn multipart_bodies_carry_fields_and_files() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            let file = http::file("a,b\n1,2", "t.csv", "text/csv");
            print([file.name, file.content_type, file.size]);
            http::post("/echo", #{ multipart: #{ note: "hi", n: 7, data: file } });
            http::post("/echo", #{ form: #{ note: "hi" }, files: #{ data: [file, http::file(blob(2, 255), "b")] } });
        }
    "#;
    let ran = once(&server, script).without_errors();
    assert_eq!(ran.printed(), [r#"["t.csv", "text/csv", 7]"#]);
    let seen = server.seen();
    let content_type = seen[0].header("content-type");
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    let expected = [
        "",
        "\r\nContent-Disposition: form-data; name=\"data\"; filename=\"t.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\n1,2\r\n",
        "\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n7\r\n",
        "\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhi\r\n",
        "--\r\n",
    ];
    let parts: Vec<&str> = seen[0].body.split(&format!("--{boundary}")).collect();
    assert_eq!(parts, expected);
    assert!(!seen[1].header("content-type").ends_with(boundary), "a boundary for each body");
    let raw = &seen[1].raw;
    assert!(raw.windows(2).any(|pair| pair == [255, 255]), "blobs go as they are");
    assert_eq!(seen[1].body.matches("name=\"data\"").count(), 2, "an array repeats the field");
}

#[test]
fn request_bodies_are_compressed() {
    let lines = printed(
        r#"
            for how in ["gzip", "deflate", "br"] {
                let r = http::post("/unpack", #{ json: #{ a: [1, 2] }, compress: how });
                print([r.json("encoding"), r.json("text")]);
            }
        "#,
    );
    let line = |encoding: &str| format!(r#"["{encoding}", "{{\"a\":[1,2]}}"]"#);
    assert_eq!(lines, [line("gzip"), line("deflate"), line("br")]);
}

#[test]
fn pairs_are_sent_in_their_order() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            let pairs = [["z", 1], ["a", ["x y", true]], ["z", "ü"]];
            http::post("/a", #{ query: pairs, form: pairs });
            http::post("/b", #{ multipart: [["key", "k"], ["file", http::file("content", "f.txt")], ["after", 2]] });
            http::post("/c", #{ files: [["z", http::file("1", "z.txt")], ["a", http::file("2", "a.txt")]] });
        }
    "#;
    once(&server, script).without_errors();
    let seen = server.seen();
    assert_eq!(seen[0].query, "z=1&a=x+y&a=true&z=%C3%BC");
    assert_eq!(seen[0].body, seen[0].query);
    let names = |body: &str| -> Vec<String> {
        body.split("form-data; name=\"")
            .skip(1)
            .map(|part| part.split('"').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&seen[1].body), ["key", "file", "after"]);
    assert_eq!(names(&seen[2].body), ["z", "a"]);
}

#[test]
fn wrong_bodies_are_told() {
    for (params, expected) in [
        (r#"form: [["a", 1], "b"]"#, "form[1] must be a pair [name, value], not the string \"b\""),
        (r#"form: [["a", 1, 2]]"#, "form[0] must be a pair [name, value]"),
        (r#"query: [[1, "a"]]"#, "query[0][0] must be text, not 1"),
        (r#"multipart: "a""#, "multipart must be a map #{ … } or an array of pairs [name, value], not "),
        (r#"json: 1, body: "x""#, "body and json: a request has one body"),
        (
            r#"multipart: #{ a: () }"#,
            "multipart.a must be text, a number, true/false, http::file(content, name) or data::file(path)",
        ),
        (r#"files: #{ a: "text" }"#, "files: each value must be http::file(content, name)"),
        (r#"json: 1, files: #{ a: http::file("", "x") }"#, "json and files: a request has one body"),
        (
            r#"body: "x", compress: "zip""#,
            "compress must be \"gzip\", \"deflate\" or \"br\", not the string \"zip\"",
        ),
        (r#"http_version: 3"#, "http_version must be \"auto\", \"1.1\" or \"2\", not 3"),
        (r#"discard_body: 1"#, "discard_body must be true or false, not 1"),
        (r#"digest: "ann""#, "digest must be \"user:password\""),
    ] {
        let error = error(&format!("http::post(\"/x\", #{{ {params} }});"));
        assert!(error.contains(expected), "{params}: {error}");
    }
    let error = error("http::file(1, \"x\");");
    assert!(error.contains("http::file: the content must be text, a blob or a file, not 1"), "{error}");
}

#[test]
fn a_discarded_body_is_counted_and_not_kept() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            let r = http::get("/zeros/200000000", #{ discard_body: true, timeout: 50 });
            print([r.status, r.size, r.ok]);
            let r = http::get("/bytes/0", #{ discard_body: true });
            print([r.size, r.body]);
            http::get("/chunked/5000", #{ discard_body: true }).json();
        }
    "#;
    let ran = once(&server, script);
    assert_eq!(ran.printed(), ["[200, 200000000, true]", r#"[0, ""]"#]);
    let error = ran.only_error();
    assert!(
        error.contains("the body of GET /chunked/5000 (status 200) was not kept (discard_body)"),
        "{error}"
    );
    assert_eq!(ran.failures(), 0);
    assert!(ran.snapshot().total.bytes_received > 200_000_000);
}

#[cfg(target_os = "linux")]
#[test]
fn a_discarded_body_takes_little_memory() {
    use crate::support::{Http2Server, Sandbox};

    let (server, http2) = (Server::start(), Http2Server::start());
    for (url, version) in [(server.url(), "1.1"), (http2.url.clone(), "2")] {
        let sandbox = Sandbox::with(
            "fn iteration() {
                let r = http::get(\"/zeros/200000000\", #{ discard_body: true });
                print(`${r.http_version} ${r.size}`);
            }",
        );
        let arguments = ["run", "test.rhai", "--host", &url, "--iterations", "1", "--threads", "1"];
        let running = sandbox.start(&[&arguments[..], &["--http-version", version]].concat());
        let (output, peak_kb) = running.wait_with_peak();
        let output = output.expect_code(0);
        assert!(output.shown().contains(&format!("{version} 200000000")), "{}", output.shown());
        assert!(peak_kb > 1_000 && peak_kb < 100_000, "{peak_kb} kB for a body of 200 MB, HTTP/{version}");
    }
}

#[test]
fn fifty_megabytes_of_json_are_read() {
    let lines = printed(
        r#"
            let r = http::get("/page/large-json");
            print([r.size > 49000000, r.json("[50000].last"), r.json("[0]").len, r.json("[-1].last")]);
        "#,
    );
    assert_eq!(lines, ["[true, true, 997, true]"]);
}

#[test]
fn text_that_is_no_utf8_is_replaced() {
    let lines = printed(
        r#"
            let r = http::get("/page/not-utf8");
            print([r.body, r.bytes.len, r.regex("(e.d)"), r.html().css("body").text()]);
        "#,
    );
    assert_eq!(
        lines,
        ["[\"caf\u{fffd} \u{fffd}\u{fffd} end\", 11, \"end\", \"caf\u{fffd} \u{fffd}\u{fffd} end\"]"]
    );
}

#[test]
fn unrecorded_requests_are_not_counted() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            let r = http::get("/bytes/1", #{ record: false });
            r.fail("no matter");
            http::get("/bytes/2");
            http::batch([["GET", "/reset", #{ record: false }]]);
        }
    "#;
    let ran: Ran = once(&server, script).without_errors();
    assert_eq!((ran.requests(), ran.failures()), (1, 0));
    assert_eq!(ran.snapshot().endpoints.len(), 1);
}

#[test]
fn a_failure_can_be_an_error() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            http::get("/status/404", #{ raise: true, expect: 404 });
            try { http::get("/status/500", #{ raise: true }); } catch (e) { print(e); }
            http::get("/reset", #{ raise: true });
            print("not reached");
        }
    "#;
    let ran = run(load_test(script).host(&server.url()).iterations(1));
    assert_eq!(ran.printed(), ["GET /status/500 failed: HTTP 500 Internal Server Error"]);
    assert!(ran.only_error().contains("GET /reset failed: connection"), "{}", ran.only_error());
    assert_eq!((ran.requests(), ran.failures()), (3, 2), "they are counted as usual");
}

#[test]
fn digest_challenges_are_answered() {
    for algorithm in ["MD5", "SHA-256"] {
        let server = Server::start();
        let script = format!(
            r#"fn iteration() {{
                let r = http::post("/digest/{algorithm}?a=b", #{{ digest: "ann:secret", body: "twice" }});
                print([r.status, r.body, r.history]);
                print(http::get("/digest/{algorithm}", #{{ digest: ["ann", "wrong"] }}).status);
                print(http::get("/digest/{algorithm}").status);
                print(http::get("/bytes/2", #{{ digest: "ann:secret" }}).status);
            }}"#
        );
        let ran = once(&server, &script).without_errors();
        assert_eq!(ran.printed(), [r#"[200, "welcome", []]"#, "401", "401", "200"], "{algorithm}");
        assert_eq!((ran.requests(), ran.failures()), (4, 2), "one sample each");
        let bodies: Vec<String> = server.seen().into_iter().take(2).map(|seen| seen.body).collect();
        assert_eq!(bodies, ["twice", "twice"]);
        assert_eq!(server.total(), 6, "a wrong answer is not repeated");
    }
}

#[test]
fn the_version_of_one_request_can_be_chosen() {
    let lines = printed(
        r#"
            print(http::get("/bytes/1", #{ http_version: "1.1" }).http_version);
            print(http::get("/bytes/1", #{ http_version: 2 }).ok);
        "#,
    );
    assert_eq!(lines, ["1.1", "false"], "the server knows no HTTP/2");
}

#[test]
fn cookies_can_be_read_set_and_cleared() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            http::get("/cookies/set?a=1&b=2");
            print(http::cookies());
            http::set_cookie("/", "c", "3");
            http::set_cookie("/deep/x", "d=4; Path=/deep");
            print(http::cookies().keys());
            print(http::cookies("/deep/y").d);
            print(http::get("/cookies/get").json("c"));
            http::clear_cookies();
            print(http::cookies());
            print(http::get("/cookies/get").body);
            http::close_connections();
            print(http::get("/bytes/1").timings.connecting > 0.0);
        }
    "#;
    let ran = once(&server, script).without_errors();
    let expected = [r##"#{"a": "1", "b": "2"}"##, r#"["a", "b", "c"]"#, "4", "3", "#{}", "{}", "true"];
    assert_eq!(ran.printed(), expected);
    assert!(error(r#"http::set_cookie("/", "a=b; Domain=other.example");"#).contains("was not accepted"));
    assert!(error(r#"http::set_cookie("/", "a", "b;c");"#).contains("contains ';'"));
}
