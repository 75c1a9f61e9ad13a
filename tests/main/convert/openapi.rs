//! `convert openapi`, from a file and from a URL.

use super::*;

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

/// A server on loopback that answers each path with a status and a text.
fn pages(pages: &'static [(&'static str, u16, &'static str)]) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap();
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let found = pages.iter().find(|(known, ..)| *known == path).unwrap_or(&("", 404, "no"));
            let location = if found.1 == 302 { format!("location: {}\r\n", found.2) } else { String::new() };
            let answer = format!(
                "HTTP/1.1 {} x\r\n{location}content-length: {}\r\nconnection: close\r\n\r\n{}",
                found.1,
                found.2.len(),
                found.2
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn openapi_is_fetched_from_its_url() {
    let url = pages(&[
        (
            "/v1/api.json",
            200,
            r#"{"openapi":"3.0.0","servers":[{"url":"./base"}],"paths":{"/x":{"get":{}}}}"#,
        ),
        ("/no-servers.json", 200, r#"{"openapi":"3.0.0","paths":{"/x":{"get":{}}}}"#),
        ("/moved", 302, "/v1/api.json"),
        ("/docs", 200, "<html><body>Swagger UI</body></html>"),
        ("/broken", 200, "{\n"),
    ]);
    let sandbox = Sandbox::new();
    let convert =
        |path: &str| sandbox.run_with(&["convert", "openapi", &format!("{url}{path}")], &[("NO_PROXY", "*")]);
    for path in ["/v1/api.json", "/moved"] {
        let script = convert(path).expect_code(0).stdout;
        assert!(
            script.contains(&format!("host: \"{url}\"")) && script.contains("\"/v1/base/x\""),
            "{script}"
        );
    }
    let script = convert("/no-servers.json").expect_code(0).stdout;
    assert!(script.contains(&format!("host: \"{url}\"")) && script.contains("\"/x\""), "{script}");
    sandbox.write("fetched.rhai", &script);
    sandbox.run(&["check", "fetched.rhai"]).expect_code(0);
    for (path, says) in [
        ("/nosuch?token=hunter2", "status 404"),
        ("/docs", "this is HTML or XML, not an OpenAPI document"),
        ("/broken", "/broken:2:"),
    ] {
        let output = convert(path).expect_code(104).expect_stderr(&[says, "127.0.0.1"]);
        assert!(!output.stderr.contains("hunter2") && output.stdout.is_empty(), "{}", output.shown());
    }
    let gone =
        sandbox.run_with(&["convert", "openapi", "http://u:hunter2@127.0.0.1:1/x"], &[("NO_PROXY", "*")]);
    let gone = gone.expect_code(104).expect_stderr(&["cannot fetch http://127.0.0.1:1/x: "]);
    assert!(!gone.stderr.contains("hunter2"), "{}", gone.stderr);
    sandbox.run(&["convert", "openapi", "http://"]).expect_code(104).expect_stderr(&["not a valid URL"]);
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
