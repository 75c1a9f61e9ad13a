//! `convert postman` and `convert jmeter`.

use super::*;

#[test]
fn postman_collection_with_an_environment() {
    let (collection, environment) = (fixture("shop.postman.json"), fixture("dev.postman_environment.json"));
    let arguments =
        ["convert", "postman", collection.to_str().unwrap(), "--environment", environment.to_str().unwrap()];
    let files = [("scores.csv", "a,b\n")];
    let (script, _) = converted_to(&arguments, "shop.postman.rhai", &files);
    for secret in ["hunter2", "s3cr3t"] {
        assert!(!script.contains(secret), "{secret} stands in\n{script}");
    }
    let sandbox = Sandbox::new();
    let server = Server::start();
    let script = sandbox.write("shop.rhai", &script.replace("/api/", "/"));
    sandbox.write("scores.csv", files[0].1);
    let params = ["password", "x_api_key", "missing"];
    let test = LoadTest::from_file(&script).unwrap().host(&server.url()).threads(1);
    let test = params.iter().fold(test, |test, name| test.param(name, name));
    let ran = run(test.users(1).iterations(1)).without_errors();
    let checks: Vec<(String, u64)> =
        ran.snapshot().checks.iter().map(|(name, count)| (name.to_string(), count.fails)).collect();
    assert!(checks.iter().all(|(_, failed)| *failed == 0), "{checks:?}");
    for name in ["Status code is 200", "fast", "found", "gone"] {
        assert!(checks.iter().any(|(known, _)| known == name), "{name} is not in {checks:?}");
    }
    let seen = server.seen();
    let sent = |at: usize| {
        (seen[at].method.as_str(), seen[at].path.as_str(), seen[at].query.as_str(), seen[at].body.as_str())
    };
    assert_eq!(sent(0), ("POST", "/login", "", "{\"password\":\"password\",\"user\":\"ann\"}"));
    assert_eq!((seen[0].header("authorization"), seen[0].header("x-off")), ("", ""));
    assert_eq!(sent(1), ("GET", "/orders", "size=10&sort=name&off=1", ""));
    assert_eq!(
        (seen[1].header("authorization"), seen[1].header("x-request-id").len()),
        ("Bearer token-ann", 36)
    );
    assert_eq!((sent(2).1, sent(3).1), ("/orders/42/items", "/status/404"));
    assert_eq!(sent(4), ("POST", "/form", "", "z=1&a=10"));
    assert!(seen[4].header("authorization").starts_with("Basic "));
    assert_eq!((sent(5).1, seen[5].header("x-api-key")), ("/upload", "x_api_key"));
    let note = seen[5].body.find("name=\"note\"\r\n\r\nhi\r\n").unwrap();
    let file = seen[5].body.find("name=\"data\"; filename=\"scores.csv\"").unwrap();
    assert!(note < file && seen[5].body.contains("a,b\n"), "{}", seen[5].body);
    assert_eq!(
        sent(6),
        ("POST", "/graphql", "", "{\"query\":\"query Q($n: Int) { a(n: $n) }\",\"variables\":{\"n\":1}}")
    );
    assert_eq!(sent(7), ("PUT", "/xml", "", "<a>10</a>"));
    assert_eq!(
        (seen[7].header("content-type"), seen[7].header("x-a"), seen[7].header("x-b")),
        ("application/xml", "missing", "2")
    );
}

#[test]
fn postman_that_cannot_be_converted() {
    refused("postman", "{").expect_stderr(&[":1:1: this is not a Postman collection"]);
    refused("postman", "{\"requests\": []}").expect_stderr(&["format v1", "Collection v2.1"]);
    refused("postman", "{\"values\": []}").expect_stderr(&["this is an environment", "--environment"]);
    refused("postman", "{\"a\": 1}").expect_stderr(&["it has no `item`"]);
    refused("postman", "{\"item\": [{\"name\": \"x\", \"item\": []}]}").expect_stderr(&["has no requests"]);
    let sandbox = Sandbox::new();
    sandbox.write(
        "c.json",
        "{\"item\": [{\"request\": \"{{base}}/x\"}, {\"request\": {\"method\": \"?\", \"url\": 3}}]}",
    );
    sandbox.write("e.json", "{}");
    sandbox
        .run(&["convert", "postman", "c.json", "--environment", "e.json"])
        .expect_code(104)
        .expect_stderr(&["error: e.json: this is not a Postman environment: it has no `values`"]);
    let output = sandbox.run(&["convert", "postman", "c.json"]).expect_code(0);
    let output =
        output.expect_stderr(&["{{base}} has no value: the host is that of --host", "--once --host URL"]);
    assert!(output.stdout.contains("http::get(\"/x\")"), "{}", output.stdout);
}

#[test]
fn jmeter_plan_with_most_of_what_plans_have() {
    let plan = fixture("plan.jmx");
    let arguments = ["convert", "jmeter", plan.to_str().unwrap()];
    let files = [("scores.csv", "a,b\n"), ("users.csv", "ann,a\nbob,b\n")];
    let (script, output) = converted_to(&arguments, "plan.rhai", &files);
    for gone in ["hunter2", "/never", "/off"] {
        assert!(!script.contains(gone), "{gone} stands in\n{script}");
    }
    output.expect_stderr(&[
        "JSR223PostProcessor 'script' is left out",
        "XPathAssertion",
        "JDBCSampler 'Query'",
        "listeners",
    ]);
    // The first thread group alone, with its three iterations.
    let sandbox = Sandbox::new();
    let server = Server::start();
    let readers = script.find("scenario(\"Readers\"").unwrap();
    let end = readers + script[readers..].find("});").unwrap() + 3;
    let buyers = format!("{}{}", &script[..readers], &script[end..]);
    let script = sandbox.write("plan.rhai", &buyers);
    files.iter().for_each(|(name, text)| drop(sandbox.write(name, text)));
    let test = LoadTest::from_file(&script).unwrap().host(&server.url()).threads(1);
    let ran = run(test.param("password", "pw").param("users", "1").seed(1)).without_errors();
    assert_eq!(ran.failures(), 0, "{:#?}", ran.snapshot().failures);
    let seen = server.seen();
    assert_eq!(seen.len(), 3 * 6, "GET is what the regular expression finds, so that Put is sent: {seen:#?}");
    let sent = |at: usize| {
        (seen[at].method.as_str(), seen[at].path.as_str(), seen[at].query.as_str(), seen[at].body.as_str())
    };
    assert_eq!(sent(0), ("POST", "/login", "", "{\"password\":\"pw\",\"user\":\"ann\"}"));
    assert_eq!(
        (seen[0].header("content-type"), seen[0].header("accept")),
        ("application/json", "application/json")
    );
    assert_eq!(seen[0].header("x-run").len(), 36);
    assert_eq!(sent(1), ("GET", "/echo/orders", "size=20&q=a+b%26c", ""));
    assert_eq!(seen[1].header("authorization"), "Bearer token-ann");
    for at in [2, 3] {
        assert_eq!(sent(at), ("POST", "/form", "", "z=1&a=%C3%BC+%26&v=GET"));
    }
    assert_eq!(sent(4), ("PUT", "/items/5", "", "<a>20</a>"));
    assert!(
        seen[5].body.contains("filename=\"scores.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\n"),
        "{}",
        seen[5].body
    );
    assert!(seen[6].body.contains("\"user\":\"bob\""), "a row for each iteration: {}", seen[6].body);
}

#[test]
fn jmeter_that_cannot_be_converted() {
    refused("jmeter", "<a>\n<b></a>").expect_stderr(&[":2:", "this is not XML that can be read"]);
    refused("jmeter", "{}").expect_stderr(&["it has no <jmeterTestPlan>"]);
    refused("jmeter", "<jmeterTestPlan><hashTree>").expect_stderr(&["was it saved whole?"]);
    refused("jmeter", "<jmeterTestPlan><hashTree/></jmeterTestPlan>").expect_stderr(&["no HTTP requests"]);
}

#[test]
fn a_postman_variable_that_is_a_credential_is_a_secret_parameter() {
    let request = r#"{"item": [{"request": {"url": "http://x/", "auth": {"type": "bearer",
        "bearer": [{"key": "token", "value": "{{t}}"}]}}}]}"#;
    let sandbox = Sandbox::new();
    sandbox.write("c.json", request);
    let output = sandbox.run(&["convert", "postman", "c.json"]).expect_code(0);
    assert!(output.stdout.contains("param(\"t\", (), #{ secret: true })"), "{}", output.stdout);
}
