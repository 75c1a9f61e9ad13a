//! What requests look like at the server: verbs, URLs, and every parameter.

use serde_json::{Value, json};

use crate::support::{Ran, Seen, Server, load_test, once, run};

/// What the server saw of the one request that `call` makes.
fn seen(call: &str) -> Seen {
    let server = Server::start();
    let ran = once(&server, &format!("fn iteration() {{ {call}; }}")).without_errors();
    let seen = server.seen();
    assert_eq!((seen.len(), ran.requests(), ran.failures()), (1, 1, 0), "{call}");
    seen[0].clone()
}

/// The script error that `call` makes.
fn refused(call: &str) -> String {
    let server = Server::start();
    let ran = once(&server, &format!("fn iteration() {{\n  {call};\n}}"));
    assert_eq!((server.total(), ran.requests()), (0, 0), "{call}: nothing is sent");
    ran.only_error()
}

#[test]
fn every_verb_has_a_function() {
    for verb in ["get", "post", "put", "patch", "delete", "head", "options"] {
        let plain = seen(&format!("http::{verb}(\"/echo\")"));
        assert_eq!((plain.method.as_str(), plain.path.as_str()), (verb.to_uppercase().as_str(), "/echo"));
        let with_params = seen(&format!("http::{verb}(\"/echo\", #{{ headers: #{{ \"x-a\": 1 }} }})"));
        assert_eq!(
            (with_params.method.as_str(), with_params.header("x-a")),
            (verb.to_uppercase().as_str(), "1")
        );
    }
}

#[test]
fn request_takes_any_method() {
    assert_eq!(seen("http::request(\"PURGE\", \"/x\")").method, "PURGE");
    assert_eq!(seen("http::request(\"get\", \"/x\")").method, "GET");
    let report = seen("http::request(\"REPORT\", \"/x\", #{ body: \"b\" })");
    assert_eq!((report.method.as_str(), report.body.as_str()), ("REPORT", "b"));
    assert!(refused("http::request(\"NOT A METHOD\", \"/x\")").contains("is not an HTTP method"));
}

#[test]
fn relative_urls_are_joined_to_the_host_and_whole_ones_are_not() {
    let (server, other) = (Server::start(), Server::start());
    let script = format!(
        "fn iteration() {{ http::get(\"/a\"); http::get(\"b?c=1\"); http::get(\"{}/whole\"); }}",
        other.url()
    );
    run(load_test(&script).host(&format!("{}/base/", server.url())).iterations(1)).without_errors();
    let paths: Vec<String> =
        server.seen().into_iter().map(|seen| format!("{}?{}", seen.path, seen.query)).collect();
    assert_eq!(paths, ["/a?", "/base/b?c=1"]);
    assert_eq!(other.hits("/whole"), 1);
}

#[test]
fn headers_are_sent_as_given() {
    let seen = seen(
        r#"http::get("/echo", #{ headers: #{ "X-Text": "a b", "x-number": 1.5, "x-flag": true, "x-many": ["1", 2],
           "user-agent": "mine/1" } })"#,
    );
    assert_eq!(
        ["x-text", "x-number", "x-flag", "x-many", "user-agent"].map(|name| seen.header(name)),
        ["a b", "1.5", "true", "1, 2", "mine/1"]
    );
}

#[test]
fn without_parameters_a_request_has_the_headers_a_server_needs() {
    let server = Server::start();
    once(&server, "fn iteration() { http::get(\"/echo\"); }");
    let seen = &server.seen()[0];
    assert_eq!(seen.header("host"), server.addr().to_string());
    assert!(seen.header("user-agent").starts_with("rhaid/"), "{}", seen.header("user-agent"));
    assert!(seen.header("accept-encoding").contains("gzip"));
}

#[test]
fn query_parameters_are_encoded_and_added() {
    let seen = seen(r#"http::get("/echo?first=1", #{ query: #{ q: "a b&c=ü/", n: 5, many: ["x", "y"] } })"#);
    let pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(seen.query.as_bytes()).into_owned().collect();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(pairs, [("first", "1"), ("many", "x"), ("many", "y"), ("n", "5"), ("q", "a b&c=ü/")]);
}

#[test]
fn json_bodies_are_json() {
    let seen = seen(
        r#"http::post("/echo", #{ json: #{ text: "ü\"\n", n: 1, f: 1.5, yes: true, none: (), list: [1, #{ a: 2 }] } })"#,
    );
    assert_eq!(seen.header("content-type"), "application/json");
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    let expected =
        json!({ "text": "ü\"\n", "n": 1, "f": 1.5, "yes": true, "none": null, "list": [1, { "a": 2 }] });
    assert_eq!(body, expected);
}

#[test]
fn forms_are_encoded() {
    let seen = seen(r#"http::post("/echo", #{ form: #{ user: "a&b", password: "p w", n: [1, 2] } })"#);
    assert_eq!(seen.header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(seen.body, "n=1&n=2&password=p+w&user=a%26b");
}

#[test]
fn bodies_are_text_or_bytes() {
    assert_eq!(seen(r#"http::put("/echo", #{ body: "plain ü" })"#).body, "plain ü");
    let blob =
        seen(r#"http::put("/echo", #{ body: "bytes".to_blob(), headers: #{ "content-type": "x/y" } })"#);
    assert_eq!((blob.body.as_str(), blob.header("content-type")), ("bytes", "x/y"));
    let own_type =
        seen(r#"http::post("/echo", #{ json: #{}, headers: #{ "Content-Type": "application/x+json" } })"#);
    assert_eq!(own_type.header("content-type"), "application/x+json", "the script's own wins");
    let large = seen(r#"let b = ""; b.pad(200000, 'x'); http::post("/echo", #{ body: b })"#);
    assert_eq!(large.body.len(), 200_000);
}

#[test]
fn a_request_has_one_body() {
    assert!(refused(r#"http::post("/x", #{ body: "a", json: #{} })"#).contains("one body"));
    assert!(refused(r#"http::post("/x", #{ body: #{ a: 1 } })"#).contains("use json:"));
}

#[test]
fn credentials_become_the_authorization_header() {
    assert_eq!(seen(r#"http::get("/echo", #{ bearer: "tok" })"#).header("authorization"), "Bearer tok");
    for form in
        [r#""user:pass:word""#, r#"["user", "pass:word"]"#, r#"#{ user: "user", password: "pass:word" }"#]
    {
        let seen = seen(&format!("http::get(\"/echo\", #{{ basic: {form} }})"));
        assert_eq!(seen.header("authorization"), "Basic dXNlcjpwYXNzOndvcmQ=", "{form}");
    }
    assert!(refused("http::get(\"/x\", #{ bearer: \"a\\nb\" })").contains("cannot be used in a header"));
}

#[test]
fn names_group_requests() {
    let server = Server::start();
    let script = r#"
        fn iteration() {
            http::get(`/items/${vu::iteration()}`, #{ name: "/items/[id]" });
            let r = http::get("/plain?page=" + vu::iteration());
            print(r.name);
        }
    "#;
    let ran = run(load_test(script).host(&server.url()).iterations(3)).without_errors();
    let names: Vec<&str> = ran.snapshot().endpoints.iter().map(|endpoint| &*endpoint.name).collect();
    assert_eq!(names, ["/items/[id]", "/plain"], "the default is the path without the query");
    assert_eq!((ran.endpoint("/items/[id]"), ran.endpoint("/plain")), ((3, 0), (3, 0)));
    assert_eq!(ran.printed(), ["/plain", "/plain", "/plain"]);
}

#[test]
fn a_thousand_urls_under_one_name_are_one_endpoint() {
    let script = r#"
        fn iteration() {
            for n in 0..100 { http::get(`/items/${vu::iteration() * 1000 + n}`, #{ name: "/items/[id]" }); }
            http::get("/other");
        }
    "#;
    let ran = run(load_test(script).host(&Server::start().url()).iterations(12)).without_errors();
    assert_eq!((ran.endpoint("/items/[id]"), ran.endpoint("/other")), ((1200, 0), (12, 0)));
    assert!(!ran.snapshot().series_folded, "two names are not too many");
}

#[test]
fn too_many_names_are_folded_and_no_request_is_lost() {
    let script =
        r#"fn iteration() { for n in 0..110 { http::get(`/items/${vu::iteration() * 1000 + n}`); } }"#;
    let server = Server::start();
    let ran = run(load_test(script).host(&server.url()).iterations(11)).without_errors();
    assert_eq!((ran.requests(), server.total()), (1210, 1210));
    assert!(ran.snapshot().series_folded);
    assert!(ran.snapshot().endpoints.len() <= 1001, "{}", ran.snapshot().endpoints.len());
    assert!(ran.endpoint("(other)").0 >= 209, "{:?}", ran.endpoint("(other)"));
    assert_eq!(ran.snapshot().endpoints.iter().map(|endpoint| endpoint.requests).sum::<u64>(), 1210);
}

fn tagged(ran: &Ran, key: &str, value: &str) -> u64 {
    let mut tags = ran.snapshot().tags.iter();
    tags.find(|tag| *tag.key == *key && *tag.value == *value).map_or(0, |tag| tag.requests.requests)
}

#[test]
fn tags_count_requests_across_names() {
    let script = r#"
        fn iteration() {
            http::get("/a", #{ tags: #{ kind: "probe", n: 1 } });
            http::get("/b", #{ tags: #{ kind: "probe" } });
            http::get("/c");
        }
    "#;
    let server = Server::start();
    let ran = run(load_test(script).host(&server.url()).iterations(2)).without_errors();
    assert_eq!((tagged(&ran, "kind", "probe"), tagged(&ran, "n", "1")), (4, 2));
}

#[test]
fn groups_are_tags_with_their_whole_path() {
    let script = r#"
        fn iteration() {
            let inner = group("checkout", || {
                http::get("/a");
                group("pay", || { http::get("/b"); 42 })
            });
            print(inner);
            http::get("/c");
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!(ran.printed(), ["42"], "a group gives the value of its closure");
    assert_eq!((tagged(&ran, "group", "::checkout"), tagged(&ran, "group", "::checkout::pay")), (1, 1));
}

#[test]
fn a_group_that_fails_does_not_stay_open() {
    let script = r#"
        fn iteration() {
            if vu::iteration() == 1 { group("broken", || { throw "out"; }); }
            try { group("caught", || { throw "out"; }) } catch {}
            http::get("/after");
        }
    "#;
    let ran = run(load_test(script).host(&Server::start().url()).iterations(2));
    assert_eq!((tagged(&ran, "group", "::broken"), tagged(&ran, "group", "::caught")), (0, 0));
    assert_eq!(ran.requests(), 1);
}

#[test]
fn unknown_parameters_and_wrong_values_are_script_errors_at_their_place() {
    let check = |call: &str, part: &str| {
        let error = refused(call);
        assert!(error.starts_with("test.rhai:2:"), "{call}: {error}");
        assert!(error.contains(part), "{call}: no {part:?} in {error}");
    };
    check(r#"http::get("/x", #{ header: #{} })"#, "did you mean 'headers'");
    check(r#"http::get("/x", #{ timeout: "soon" })"#, "timeout");
    check(r#"http::get("/x", #{ headers: 5 })"#, "headers must be a map");
    check(r#"http::get("/x", #{ headers: #{ "a b": 1 } })"#, "is not a header name");
    check(r#"http::get("/x", #{ headers: #{ a: "line\nbreak" } })"#, "line break");
    check(r#"http::get("/x", #{ query: #{ a: #{} } })"#, "query.a must be text");
    check(r#"http::get("/x", #{ redirects: -1 })"#, "must not be negative");
    check(r#"http::get("/x", #{ basic: "nocolon" })"#, "without a colon");
    check(r#"http::get("http://exa mple/")"#, "exa mple");
    check(r#"http::get(5)"#, "no function 'http::get' takes (i64)");
}

#[test]
fn errors_of_host_functions_point_at_their_call() {
    let script =
        "fn iteration() {\n  let a = 1;\n  let b = http::get(\"/x\", #{ header: 1 });\n  let c = 2;\n}";
    let error = once(&Server::start(), script).only_error();
    assert!(error.starts_with("test.rhai:3:17: the request has no key 'header'"), "{error}");
    let script = "fn iteration() {\n  let a = 1;\n  random::int(3, 1);\n}";
    let error = once(&Server::start(), script).only_error();
    assert!(error.starts_with("test.rhai:3:11: random::int(3, 1)"), "{error}");
}

#[test]
fn a_relative_url_without_a_host_ends_the_run_as_misconfigured() {
    let script = "fn iteration() {\n  http::get(\"/x\");\n}";
    let error = match crate::support::try_run(load_test(script).iterations(5)) {
        Ok(_) => panic!("it runs"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("test.rhai:2:9: ") && error.contains("--host URL"), "{error}");
}

#[test]
fn cookies_belong_to_one_user() {
    let script = r#"
        fn on_start() { http::get("/cookies/set?user=" + vu::id()); }
        fn iteration() {
            let mine = http::get("/cookies/get").json("user");
            check("own cookie", mine == vu::id().to_string());
            sleep(0.005);
        }
    "#;
    let server = Server::start();
    let ran = run(load_test(script).host(&server.url()).users(5).threads(2).iterations(60)).without_errors();
    assert_eq!(ran.check("own cookie"), (60, 0));
}

#[test]
fn cookies_can_be_changed_by_the_server_and_set_by_hand() {
    let script = r#"
        fn iteration() {
            let r = http::get("/cookies/set?a=1&b=2");
            print(r.cookies);
            http::get("/cookies/set?a=3");
            print(http::get("/cookies/get").json());
            print(http::get("/cookies/get", #{ headers: #{ cookie: "own=1" } }).json());
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!(ran.printed(), [r#"#{"a": "1", "b": "2"}"#, r#"#{"a": "3", "b": "2"}"#, r#"#{"own": "1"}"#]);
}

#[test]
fn connections_are_kept_by_a_user() {
    let server = Server::start();
    let script = r#"fn iteration() { print(http::get("/x").timings.connecting == ()); }"#;
    let ran = run(load_test(script).host(&server.url()).iterations(4)).without_errors();
    assert_eq!(ran.printed(), ["false", "true", "true", "true"]);
}

#[test]
fn options_of_the_script_hold_for_every_request() {
    let server = Server::start();
    let script = format!(
        r#"
            options(#{{ host: "http://made-up.example:80", http: #{{ headers: #{{ "x-run": "7" }}, user_agent: "me",
                        resolve: #{{ "made-up.example": "{}" }}, max_redirects: 1 }} }});
            fn iteration() {{
                http::get("/a");
                http::get("/b", #{{ headers: #{{ "x-run": "8" }} }});
                print(http::get("/redirect/3").error_kind);
            }}
        "#,
        server.addr()
    );
    let ran = run(load_test(&script).iterations(1)).without_errors();
    let seen = server.seen();
    assert_eq!((seen[0].header("x-run"), seen[0].header("user-agent")), ("7", "me"));
    assert_eq!(seen[0].header("host"), "made-up.example");
    assert_eq!(seen[1].header("x-run"), "8", "the request's own wins");
    assert_eq!(ran.printed(), ["redirect"]);
}

#[test]
fn cookies_of_one_request_go_with_it_alone() {
    let script = r#"
        fn iteration() {
            http::get("/cookies/set?kept=1&both=jar");
            print(http::get("/cookies/get", #{ cookies: #{ own: "a b", both: "own" } }).json());
            print(http::get("/cookies/get").json());
            print(http::cookies());
            http::clear_cookies();
            print(http::get("/echo", #{ cookies: [["z", 1], ["a", true]] }).json("headers.cookie"));
            print(http::batch([["GET", "/cookies/get", #{ cookies: #{ b: "x" } }]])[0].json());
            let there = "/redirect/1";
            http::get(there, #{ cookies: #{ c: "y" } });
            for wrong in [#{ a: "b;c" }, #{ "a b": "c" }, "a=b", #{ a: "\n" }] {
                try { http::get("/x", #{ cookies: wrong }); } catch (error) { print(error); }
            }
            http::get("/x", #{ cookies: #{ a: 1 }, headers: #{ cookie: "b=2" } });
        }
    "#;
    let server = Server::start();
    let ran = once(&server, script);
    let printed = ran.printed();
    assert_eq!(
        printed[..5],
        [
            r##"#{"both": "own", "kept": "1", "own": "a b"}"##,
            r##"#{"both": "jar", "kept": "1"}"##,
            r##"#{"both": "jar", "kept": "1"}"##,
            "z=1; a=true",
            r##"#{"b": "x"}"##,
        ]
    );
    let seen = server.seen();
    let redirected: Vec<&str> = seen
        .iter()
        .filter(|seen| seen.path.starts_with("/redirect"))
        .map(|seen| seen.header("cookie"))
        .collect();
    assert_eq!(redirected, ["c=y", "c=y"]);
    for (line, part) in
        printed[5..].iter().zip(["contains ';'", "\"a b\" is not the name", "must be a map", "contains ';'"])
    {
        assert!(line.contains(part), "{line}");
    }
    let error = ran.only_error();
    assert!(error.contains("cookies and a cookie header exclude each other"), "{error}");
}
