//! `convert har`.

use super::*;

#[test]
fn har_of_a_site_with_a_login() {
    let script = golden("har", "quality-site.har");
    for gone in ["hunter2", "af63bd4c8601b7df", "demo-8f1c9d2e3a4b5c6d", "cdn.test", "Mozilla", "favicon"] {
        let body = script.split_once("options(").unwrap().1;
        assert!(!body.contains(gone), "{gone} stands in\n{script}");
    }
    // Without the pauses, so that the test does not wait.
    let sandbox = Sandbox::new();
    let input = fixture("quality-site.har");
    let arguments = ["convert", "har", input.to_str().unwrap(), "--max-think", "0", "-o", "site.rhai"];
    let output = sandbox
        .run(&arguments)
        .expect_code(0)
        .expect_stderr(&["rhaid run site.rhai --once --param password=…"]);
    assert_eq!(output.stdout, "");
    let target = target();
    let ran = runs(&sandbox.path().join("site.rhai"), &target.url(), &["password"]);
    assert_eq!(ran.endpoint("/login/form"), (4, 0), "a token of its own in each of two visits");
    assert_eq!((ran.endpoint("/nosuch/{id}"), ran.endpoint("/upload")), ((2, 0), (2, 0)));
    let groups: Vec<&str> = ran.snapshot().tags.iter().map(|tag| &*tag.value).collect();
    assert!(groups.contains(&"::Analyze a source"), "{groups:?}");
}

#[test]
fn har_with_redirects_ids_and_tokens_in_cookies() {
    let script = golden("har", "orders.har");
    assert!(script.contains("to other hosts: 2 (api.shop.test 2)"), "{script}");
    let sandbox = Sandbox::new();
    let input = fixture("orders.har");
    let all = sandbox.run(&["convert", "har", input.to_str().unwrap(), "--all-hosts"]).expect_code(0).stdout;
    for line in [
        "let products = http::get(\"http://api.shop.test/products?limit=2\"",
        "this.product_id = products.json(\"items[1].id\");",
        "[\"cursor\", this.next_cursor]",
        "http::get(`/products/${this.product_id}`, #{ name: \"/products/{id}\" })",
        "json: #{ productId: this.product_id, count: 1, client: \"c-77812345\" }",
    ] {
        assert!(all.contains(line), "no {line}\n{all}");
    }
    LoadTest::from_text("all.rhai", &all).prepare().unwrap();
    let one = sandbox
        .run(&["convert", "har", input.to_str().unwrap(), "--host", "api.shop.test"])
        .expect_code(0)
        .stdout;
    assert!(one.contains("host: \"http://api.shop.test\"") && !one.contains("/orders"), "{one}");
}

/// A recording of these entries.
fn har(entries: &[serde_json::Value]) -> String {
    serde_json::json!({ "log": { "entries": entries } }).to_string()
}

/// An entry: method, URL, headers of the request, what was posted, and the answer with its type.
fn entry(
    request: (&str, &str),
    headers: &[(&str, &str)],
    post: serde_json::Value,
    answer: (&str, &str),
) -> serde_json::Value {
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| serde_json::json!({ "name": name, "value": value })).collect();
    let mut request = serde_json::json!({ "method": request.0, "url": format!("http://a.test{}", request.1), "headers": headers });
    if !post.is_null() {
        request["postData"] = post;
    }
    let content = serde_json::json!({ "mimeType": answer.0, "text": answer.1 });
    serde_json::json!({ "startedDateTime": "2026-11-25T10:00:00Z", "time": 1, "request": request, "response": { "status": 200, "content": content } })
}

#[test]
fn har_with_binary_uploads_as_files_beside_the_script() {
    use base64::Engine as _;
    let bytes: Vec<u8> = (0..2_000_u32).map(|n| (n * 7 % 256) as u8).collect();
    let latin: String = bytes.iter().map(|b| char::from(*b)).collect();
    let base64 = base64::engine::general_purpose::STANDARD.encode(&bytes);
    let length = bytes.len().to_string();
    let part = "--B\r\nContent-Disposition: form-data; name=\"z\"\r\n\r\n1\r\n--B\r\nContent-Disposition: form-data; \
        name=\"a\"; filename=\"my photo.png\"\r\nContent-Type: image/png\r\n\r\n";
    let form_length = (part.len() + bytes.len() + "\r\n--B--\r\n".len()).to_string();
    let form = "multipart/form-data; boundary=B";
    let png = |text: &str| serde_json::json!({ "mimeType": "image/png", "text": text });
    let none = ("text/plain", "");
    let recording = har(&[
        // Firefox: a character a byte.
        entry(("PUT", "/firefox"), &[("Content-Length", &length)], png(&latin), none),
        entry(
            ("POST", "/form"),
            &[("Content-Length", &form_length)],
            serde_json::json!({ "mimeType": form, "text": format!("{part}{latin}\r\n--B--\r\n") }),
            none,
        ),
        // Charles: base64, with or without saying so.
        entry(("PUT", "/charles"), &[("Content-Length", &length)], png(&base64), none),
        entry(
            ("PUT", "/said"),
            &[],
            serde_json::json!({ "mimeType": "image/png", "text": base64, "encoding": "base64" }),
            none,
        ),
        // Chrome leaves them out.
        entry(
            ("PUT", "/chrome"),
            &[("Content-Length", "1234"), ("Content-Type", "image/png")],
            serde_json::Value::Null,
            none,
        ),
        entry(
            ("POST", "/chrome-form"),
            &[("Content-Length", &form_length)],
            serde_json::json!({ "mimeType": form, "text": format!("{part}\r\n--B--\r\n") }),
            none,
        ),
        serde_json::json!({ "startedDateTime": "", "request": { "method": "GET", "url": "http://a.test/pending" } }),
    ]);
    let sandbox = Sandbox::new();
    sandbox.write("up.har", &recording);
    let output = sandbox.run(&["convert", "har", "up.har", "-o", "up.rhai"]).expect_code(0).expect_stderr(&[
        "Wrote up-files/1-body.bin.",
        "note: left out, of 7 requests: without a response: 1",
        "note: the body of PUT /chrome was not recorded: random text stands for its 1234 bytes",
        &format!(
            "note: the recording has {} of the {form_length} bytes that POST /chrome-form sent; random text",
            part.len() + 9
        ),
    ]);
    assert!(!output.stderr.contains("/firefox"), "{}", output.stderr);
    sandbox.run(&["check", "up.rhai"]).expect_code(0);
    assert_eq!(std::fs::read(sandbox.path().join("up-files/1-body.bin")).unwrap(), bytes);
    let server = Server::start();
    runs(&sandbox.path().join("up.rhai"), &server.url(), &[]);
    let seen = server.seen();
    for (at, path) in [(0, "/firefox"), (2, "/charles"), (3, "/said")] {
        assert_eq!((seen[at].path.as_str(), seen[at].header("content-type")), (path, "image/png"));
        assert!(seen[at].raw == bytes, "{path}");
    }
    let boundary = seen[1].header("content-type").strip_prefix("multipart/form-data; boundary=").unwrap();
    let sent = [
        part.replace("--B", &format!("--{boundary}")).as_bytes(),
        &bytes,
        format!("\r\n--{boundary}--\r\n").as_bytes(),
    ]
    .concat();
    assert!(seen[1].raw == sent, "{}", String::from_utf8_lossy(&seen[1].raw));
    assert_eq!((seen[4].body.len(), seen[4].header("content-type")), (1234, "image/png"));
    assert!(seen[5].body.len() > 2_000);
    // Files are not overwritten, and without -o there are none.
    std::fs::remove_file(sandbox.path().join("up.rhai")).unwrap();
    sandbox
        .run(&["convert", "har", "up.har", "-o", "up.rhai"])
        .expect_code(104)
        .expect_stderr(&["already exists"]);
    let script = sandbox.run(&["convert", "har", "up.har"]).expect_code(0).stdout;
    assert!(script.contains("encoding::base64_decode(") && !script.contains("data::bytes"), "{script:.500}");
}

#[test]
fn har_with_links_in_json_and_tokens_in_scripts() {
    let page = "<html><script>var s = {\"nonce\":\"5f3a9c12be\"};</script><body data-csrf-token='q1w2e3r4'></body></html>";
    let list = r#"{"items":[{"self":"/items/4711"}],"next":"http://a.test/items?page=2&size=10","upload":"http://a.test/up?sig=Zx81"}"#;
    let null = serde_json::Value::Null;
    let none = ("text/plain", "");
    let recording = har(&[
        entry(("GET", "/"), &[], null.clone(), ("text/html", page)),
        entry(("GET", "/items"), &[("X-WP-Nonce", "5f3a9c12be")], null.clone(), ("application/json", list)),
        entry(("GET", "/items?page=2&size=10"), &[("X-CSRF", "q1w2e3r4")], null.clone(), none),
        entry(("GET", "/items/4711"), &[], null.clone(), none),
        entry(("PUT", "/up?sig=Zx81"), &[], null, none),
    ]);
    let sandbox = Sandbox::new();
    sandbox.write("links.har", &recording);
    sandbox.run(&["convert", "har", "links.har", "-o", "links.rhai"]).expect_code(0);
    let script = std::fs::read_to_string(sandbox.path().join("links.rhai")).unwrap();
    for line in [
        r#"let nonce = home.regex("nonce\":\"([^\"]+)");"#,
        r#""x-wp-nonce": nonce"#,
        r#"let next = items.json("next");"#,
        "http::get(next, #{ headers: #{ \"x-csrf\": data_csrf_token } })",
        r#"http::get(self_1, #{ name: "/items/{id}" })"#,
        "http::put(upload)",
    ] {
        assert!(script.contains(line), "no {line}\n{script}");
    }
    sandbox.run(&["check", "links.rhai"]).expect_code(0);
}

#[test]
fn har_that_cannot_be_converted() {
    refused("har", "{\"log\": {\n \"entries\": [,]}}")
        .expect_stderr(&[":2:14: this is not a recording in HAR"]);
    refused("har", "{}").expect_stderr(&["missing field `log`"]);
    refused("har", "{\"log\": {\"entries\": [{\"request\": 3}]}}")
        .expect_stderr(&["expected a request: an object with method and url"]);
    refused("har", "{\"log\": {").expect_stderr(&[":1:9: ", "was it saved whole?"]);
    refused("har", "{\"log\": {\"version\": \"1.2\", \"pages\": null}}").expect_stderr(&["has no entries"]);
    let entry = |url: &str, status: u16, kind: &str| {
        format!(
            "{{\"startedDateTime\":\"x\",\"request\":{{\"method\":\"GET\",\"url\":\"{url}\"}},\"response\":{{\"status\":{status},\"content\":{{\"mimeType\":\"{kind}\"}}}}}}"
        )
    };
    let of = |entries: &[String]| format!("{{\"log\":{{\"entries\":[{}]}}}}", entries.join(","));
    let nothing = of(&[
        entry("http://a.test/x.png", 200, "image/png"),
        entry("data:x", 200, ""),
        entry("http://a.test/", 0, ""),
    ]);
    let output = refused("har", &nothing);
    output.expect_stderr(&[
        "none of the 3 requests remain",
        "scripts and media: 1",
        "without a response: 1",
        "--keep-assets",
    ]);
    // The least that can be converted.
    let sandbox = Sandbox::new();
    sandbox.write("least.har", &of(&[entry("http://a.test/x", 200, "")]));
    let script = sandbox.run(&["convert", "har", "least.har"]).expect_code(0).stdout;
    assert!(script.ends_with("fn iteration() {\n    http::get(\"/x\").expect(200);\n}\n"), "{script}");
}

#[test]
fn har_of_twenty_megabytes() {
    use std::fmt::Write as _;
    let mut har = String::from("{\"log\":{\"entries\":[");
    for n in 0..2_000 {
        let rows: Vec<String> = (0..84).map(|row| format!("{{\\\"id\\\":{},\\\"token\\\":\\\"t-{n}-{row}-abcdefghijklmnopqrstuvwxyz\\\",\\\"text\\\":\\\"{}\\\"}}", n * 84 + row, "x".repeat(40))).collect();
        let before = if n > 0 { n - 1 } else { 0 };
        write!(
            har,
            "{}{{\"startedDateTime\":\"2026-11-25T10:{:02}:{:02}.000Z\",\"time\":5,\"request\":{{\"method\":\"GET\",\"url\":\"http://a.test/rows/{n}?token=t-{before}-3-abcdefghijklmnopqrstuvwxyz\"}},\
             \"response\":{{\"status\":200,\"content\":{{\"mimeType\":\"application/json\",\"text\":\"[{}]\"}}}}}}",
            if n > 0 { "," } else { "" },
            n / 60,
            n % 60,
            rows.join(",")
        )
        .unwrap();
    }
    har.push_str("]}}");
    assert!(har.len() > 20_000_000, "{}", har.len());
    let sandbox = Sandbox::new();
    sandbox.write("large.har", &har);
    // In 1 GB of address space; what the recording itself takes is a tenth of it.
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "ulimit -v 1000000; exec \"$0\" convert har large.har -o large.rhai",
        env!("CARGO_BIN_EXE_rhaid"),
    ]);
    command
        .current_dir(sandbox.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    sandbox.attach(command.spawn().unwrap()).wait().expect_code(0);
    let script = std::fs::read_to_string(sandbox.path().join("large.rhai")).unwrap();
    assert_eq!(script.matches("http::get(").count(), 2_000);
    assert!(script.contains("rows_1999") || script.contains(".json(\"[3].token\")"), "{:.2000}", script);
    LoadTest::from_text("large.rhai", &script).param("token", "x").prepare().unwrap();
}
