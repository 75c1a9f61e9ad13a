//! `rhaid convert`: what comes out is what a person would have written, loads, and runs without a failure.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rhaid::LoadTest;
use rhaid::target::{Target, TargetOptions};

use crate::support::{Output, Ran, Sandbox, Server, run};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/convert").join(name)
}

/// Converts a file of the fixtures and compares the script, and what is said about it, with what is expected.
#[track_caller]
fn golden(format: &str, input: &str) -> String {
    let input = fixture(input);
    let output = Sandbox::new().run(&["convert", format, input.to_str().unwrap()]).expect_code(0);
    let expected = input.with_extension("rhai");
    if std::env::var_os("RHAID_BLESS").is_some() {
        std::fs::write(&expected, &output.stdout).unwrap();
    }
    let sandbox = Sandbox::new();
    sandbox.write("made.rhai", &output.stdout);
    sandbox.write("scores.csv", "");
    sandbox.write("body.xml", "");
    sandbox.run(&["check", "made.rhai"]).expect_code(0);
    let known = std::fs::read_to_string(&expected).unwrap_or_default();
    assert_eq!(output.stdout, known, "rewrite {} with RHAID_BLESS=1", expected.display());
    let head = output.stdout.split("\n\n").next().unwrap().replace("\n//   ", " ");
    let notes = output.stderr.lines().filter_map(|line| line.strip_prefix("note: "));
    notes.for_each(|note| assert!(head.contains(note), "{note:?} does not stand at the head of\n{head}"));
    output.stdout
}

/// Runs a converted script twice through; every parameter has its name as its value.
#[track_caller]
fn runs(script: &Path, host: &str, params: &[&str]) -> Ran {
    let test = LoadTest::from_file(script).unwrap().host(host).seed(1).threads(1);
    let test = params.iter().fold(test, |test, name| test.param(name, name));
    let ran = run(test.users(1).spawn_rate(100.0).iterations(2).stop_timeout(Duration::from_secs(5)));
    let ran = ran.without_errors();
    assert_eq!(ran.failures(), 0, "{:#?}", ran.snapshot().failures);
    assert!(ran.requests() > 0);
    ran
}

fn target() -> Target {
    Target::start(TargetOptions { median: Duration::ZERO, ..TargetOptions::default() }).unwrap()
}

/// Converts what must not be convertible.
#[track_caller]
fn refused(format: &str, input: &str) -> Output {
    let sandbox = Sandbox::new();
    let file = sandbox.write("input", input);
    let output = sandbox.run(&["convert", format, file.to_str().unwrap()]).expect_code(104);
    assert!(output.stdout.is_empty(), "{}", output.shown());
    let named = format!("error: {}:", file.display());
    assert!(output.stderr.starts_with(&named), "the file is named: {}", output.shown());
    output
}

#[test]
fn curl_from_chrome() {
    let script = golden("curl", "chrome.sh");
    for secret in ["0123456789abcdef", "hunter2", "eyJhbGciOiJIUzI1NiJ9"] {
        assert!(!script.contains(secret), "{secret} stands in\n{script}");
    }
    let server = Server::start();
    runs(&fixture("chrome.rhai"), &server.url(), &["cookie", "password", "token"]);
    let seen = server.seen();
    let login = &seen[0];
    assert_eq!((login.header("cookie"), login.header("x-requested-with")), ("cookie", "XMLHttpRequest"));
    let body: serde_json::Value = serde_json::from_str(&login.body).unwrap();
    assert_eq!(body["note"], "it's \"quoted\" ! ${x} `y`");
    assert_eq!((&body["password"], &body["items"][1]["count"]), (&"password".into(), &1.into()));
    assert_eq!(seen[1].header("authorization"), "Bearer token");
    assert!(
        seen[2].query.contains("fields=name&fields=price") && seen[2].query.contains("limit=20"),
        "{}",
        seen[2].query
    );
}

#[test]
fn curl_written_by_hand() {
    golden("curl", "commands.sh");
    // The files that it reads lie beside it.
    let sandbox = Sandbox::new();
    let script = std::fs::read_to_string(fixture("commands.rhai")).unwrap();
    let server = Server::start();
    let script = sandbox.write("commands.rhai", &script.replace("http://other.test", &server.url()));
    sandbox.write("scores.csv", "a,b\n");
    sandbox.write("body.xml", "<a/>");
    runs(&script, &server.url(), &["password", "token", "api_key", "item"]);
    let seen = server.seen();
    let body = |n: usize| (seen[n].method.as_str(), seen[n].path.as_str(), seen[n].body.as_str());
    assert_eq!(body(0), ("POST", "/form", "note=%C3%BC+%26+co&q=a+b&user=ann"));
    assert_eq!(seen[1].header("authorization"), "Basic YW5uOnBhc3N3b3Jk");
    assert_eq!(body(2), ("POST", "/wide", "{\"id\": 12345678901234567890}"));
    assert_eq!(body(3).0, "HEAD");
    assert_eq!((body(4).1, seen[4].query.as_str()), ("/items/item/parts", "token=token"));
    assert!(
        seen[5].body.contains("filename=\"scores.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\n"),
        "{}",
        seen[5].body
    );
    assert_eq!((body(6).0, seen[6].query.as_str()), ("GET", "page=2&q=load+test"));
    assert_eq!((body(7), seen[7].header("content-type")), (("PROPFIND", "/dav", "<a/>"), "application/xml"));
}

#[test]
fn curl_from_windows() {
    golden("curl", "windows.cmd");
    let target = target();
    runs(&fixture("windows.rhai"), &target.url(), &[]);
}

#[test]
fn curl_that_cannot_be_converted() {
    refused("curl", "curl http://a.test/x\ncurl -H 'a: b'")
        .expect_stderr(&["curl command 2 has no URL; add one"]);
    refused("curl", "\n# nothing\n").expect_stderr(&["no curl command"]);
    refused("curl", "curl ftp://a.test/x").expect_stderr(&["ftp://a.test/x has the scheme ftp"]);
    refused("curl", "curl http://$HOST/x").expect_stderr(&["the host of http://$HOST/x is a shell variable"]);
    refused("curl", "curl http://a:b:c/").expect_stderr(&["invalid URL http://a:b:c/"]);
    refused("curl", "Invoke-WebRequest -Uri http://a.test").expect_stderr(&["PowerShell", "Copy as cURL"]);
    refused("curl", "fetch(\"http://a.test\", { });").expect_stderr(&["a call of fetch"]);
    let sandbox = Sandbox::new();
    sandbox.run(&["convert", "curl", "nosuch.sh"]).expect_code(104).expect_stderr(&["cannot read nosuch.sh"]);
    std::fs::write(sandbox.path().join("bin"), [b'c', 0xff]).unwrap();
    sandbox.run(&["convert", "curl", "bin"]).expect_code(104).expect_stderr(&["not valid UTF-8 at byte 1"]);
}

#[test]
fn the_command_itself_and_a_file_to_write() {
    let sandbox = Sandbox::new();
    let arguments = ["convert", "curl", "curl -d user=ann http://a.test/login", "-o", "login.rhai"];
    let output = sandbox.run(&arguments).expect_code(0);
    assert_eq!(output.stdout, "");
    let output = output.expect_stderr(&["Wrote login.rhai.", "rhaid run login.rhai --once"]);
    assert!(!output.stderr.contains("--host"), "{}", output.stderr);
    let script = std::fs::read_to_string(sandbox.path().join("login.rhai")).unwrap();
    assert!(script.contains("http::post(\"/login\", #{ form: #{ user: \"ann\" } });"), "{script}");
    sandbox.run(&arguments).expect_code(104).expect_stderr(&["login.rhai already exists", "--force"]);
    sandbox.run(&[&arguments[..], &["--force"]].concat()).expect_code(0);
}

#[test]
fn openapi_in_yaml() {
    golden("openapi", "quality.yaml");
    let target = target();
    let ran = runs(&fixture("quality.rhai"), &target.url(), &["token"]);
    let only = |task: &str| {
        let text = std::fs::read_to_string(fixture("quality.rhai")).unwrap();
        let script = format!(
            "{}\nscenario(\"one\", #{{ exec: \"{task}\" }});",
            text.replace("task(", "// task(").replace("wait(", "// wait(")
        );
        let test =
            LoadTest::from_text("one.rhai", &script).host(&target.url()).param("token", "t").iterations(1);
        let ran = run(test).without_errors();
        assert_eq!((ran.requests(), ran.failures()), (1, 0), "{task}: {:?}", ran.snapshot().failures);
    };
    ["get_health", "list_insights", "analyze", "post_login", "upload"].into_iter().for_each(only);
    assert_eq!(ran.requests(), 2);
}

#[test]
fn openapi_with_everything() {
    let script = golden("openapi", "shop.json");
    assert!(!script.contains("hunter2"), "{script}");
    let server = Server::start();
    for task in ["new_1", "new_1_2", "post_wide", "log_in"] {
        let only = format!(
            "{}\nscenario(\"one\", #{{ exec: \"{task}\" }});",
            script.replace("task(", "// task(").replace("wait(", "// wait(")
        );
        let test = LoadTest::from_text("one.rhai", &only).host(&server.url()).iterations(1);
        let test = ["key", "password"].iter().fold(test, |test, name| test.param(name, name));
        run(test).without_errors();
    }
    let seen = server.seen();
    assert_eq!(seen[0].path, "/api/v2/orders/3f2b0c1e-8d4a-4b6f-9a7d-5e1c2d3f4a5b/items/10");
    assert_eq!(seen[0].header("x-api-key"), "key");
    assert!(
        seen[0].query.contains("filter%5Bmin%5D=1") && seen[0].query.contains("sort=a%2Cb"),
        "{}",
        seen[0].query
    );
    assert_eq!(seen[1].header("content-type"), "application/vnd.api+json");
    assert_eq!(seen[2].body, "{\"id\":18446744073709551615}");
    assert_eq!(seen[3].body, "password=password&tags=tag&user=user");
}

#[test]
fn openapi_that_cannot_be_converted() {
    refused("openapi", "swagger: '2.0'\npaths: {}").expect_stderr(&["Swagger 2.0", "swagger2openapi"]);
    refused("openapi", "openapi: 4.0.0").expect_stderr(&["4.0.0", "3.0 and 3.1"]);
    refused("openapi", "{\"a\": 1,\n}").expect_stderr(&[":2:1: this is not JSON"]);
    refused("openapi", "a: 1\nb: [1,\n c: }").expect_stderr(&[":2:", "this is not YAML"]);
    refused("openapi", "hello").expect_stderr(&["not an OpenAPI document"]);
    refused("openapi", "openapi: 3.0.0").expect_stderr(&["no operations"]);
}

#[test]
fn openapi_of_three_megabytes() {
    // Every schema refers to all others: a tree of them would have no end.
    let names: Vec<String> = (0..400).map(|n| format!("Schema{n}")).collect();
    let property = |n: &String| format!("\"{n}\":{{\"$ref\":\"#/components/schemas/{n}\"}}");
    let properties: Vec<String> = names.iter().step_by(3).map(property).collect();
    let properties = properties.join(",");
    let schemas: Vec<String> = names
        .iter()
        .map(|n| format!("\"{n}\":{{\"required\":[\"Schema0\"],\"allOf\":[{{\"$ref\":\"#/components/schemas/{n}\"}}],\"properties\":{{{properties}}}}}"))
        .collect();
    let paths: Vec<String> = names
        .iter()
        .map(|n| format!("\"/{n}\":{{\"post\":{{\"requestBody\":{{\"content\":{{\"application/json\":{{\"schema\":{{\"$ref\":\"#/components/schemas/{n}\"}}}}}}}},\"responses\":{{}}}}}}"))
        .collect();
    let document = format!(
        "{{\"openapi\":\"3.0.0\",\"paths\":{{{}}},\"components\":{{\"schemas\":{{{}}}}}}}",
        paths.join(","),
        schemas.join(",")
    );
    assert!(document.len() > 2_500_000, "{}", document.len());
    let sandbox = Sandbox::new();
    sandbox.write("api.json", &document);
    sandbox.run(&["convert", "openapi", "api.json", "-o", "api.rhai"]).expect_code(0);
    let script = std::fs::read_to_string(sandbox.path().join("api.rhai")).unwrap();
    assert!(script.len() < 40_000_000 && script.matches("\ntask(").count() == 400, "{}", script.len());
    LoadTest::from_file(sandbox.path().join("api.rhai"))
        .unwrap()
        .host("http://127.0.0.1:1")
        .prepare()
        .unwrap();
}

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
    assert!(groups.contains(&"Analyze a source"), "{groups:?}");
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
        "cursor: this.next_cursor",
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
