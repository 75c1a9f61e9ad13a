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
    assert!(output.stdout.contains("param(\"t\", #{ secret: true })"), "{}", output.stdout);
}

/// Converts a text, checks that the script is one, and gives it with what was said.
fn converted(format: &str, input: &str) -> crate::support::Output {
    let sandbox = crate::support::Sandbox::new();
    sandbox.write("input", input);
    let output = sandbox.run(&["convert", format, "input"]).expect_code(0);
    sandbox.write("made.rhai", &output.stdout);
    sandbox.run(&["check", "made.rhai"]).expect_code(0);
    output
}

fn thread_group(attributes: &str, loops: &str, label: &str) -> String {
    format!(
        "<ThreadGroup {attributes}><stringProp name=\"ThreadGroup.num_threads\">1</stringProp>\
         <elementProp name=\"ThreadGroup.main_controller\"><stringProp name=\"LoopController.loops\">{loops}</stringProp>\
         </elementProp></ThreadGroup><hashTree><HTTPSamplerProxy testname=\"{label}\">\
         <stringProp name=\"HTTPSampler.domain\">127.0.0.1</stringProp><stringProp name=\"HTTPSampler.path\">/x</stringProp>\
         </HTTPSamplerProxy><hashTree/></hashTree>"
    )
}

fn jmeter_plan(groups: &str) -> String {
    let variable = "<elementProp name=\"n\" elementType=\"Argument\"><stringProp name=\"Argument.name\">n</stringProp>\
                    <stringProp name=\"Argument.value\">3</stringProp></elementProp>";
    format!(
        "<jmeterTestPlan><hashTree><TestPlan testname=\"T\"><elementProp name=\"TestPlan.user_defined_variables\">\
         <collectionProp name=\"Arguments.arguments\">{variable}</collectionProp></elementProp></TestPlan>\
         <hashTree>{groups}</hashTree></hashTree></jmeterTestPlan>"
    )
}

#[test]
fn no_function_of_a_converted_script_is_one_that_the_engine_calls() {
    let hooks =
        ["summary", "Setup", "teardown", "on_start", "onStop", "iteration", "check", "print", "default"];
    let item = |name: &&str| serde_json::json!({ "name": name, "item": [{ "name": "r", "request": "http://127.0.0.1/x" }] });
    let schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";
    let folders: Vec<serde_json::Value> = hooks.iter().map(item).collect();
    let collection = serde_json::json!({ "info": { "name": "c", "schema": schema }, "item": folders });
    let paths: serde_json::Map<String, serde_json::Value> = hooks
        .iter()
        .map(|name| (format!("/{name}"), serde_json::json!({ "get": { "operationId": name } })))
        .collect();
    let description =
        serde_json::json!({ "openapi": "3.0.0", "info": { "title": "t", "version": "1" }, "paths": paths });
    let groups: String =
        hooks.iter().map(|name| thread_group(&format!("testname=\"{name}\""), "1", "r")).collect();
    for (format, input) in [
        ("postman", collection.to_string()),
        ("openapi", description.to_string()),
        ("jmeter", jmeter_plan(&groups)),
    ] {
        let script = converted(format, &input).stdout;
        for hook in ["summary", "setup", "teardown", "on_start", "on_stop", "check", "print"] {
            assert!(!script.contains(&format!("fn {hook}(")), "{format}: {hook} in {script}");
            assert!(script.contains(&format!("fn {hook}_1(")), "{format}: no {hook}_1 in {script}");
        }
    }
}

#[test]
fn a_number_that_a_plan_leaves_open_has_to_be_given() {
    let server = Server::start();
    let plan = jmeter_plan(&thread_group("testname=\"t\"", "${copies}", "r"));
    let sandbox = Sandbox::with(&converted("jmeter", &plan).stdout);
    let missing = "the parameter 'copies' has no value and no default; set it with --param copies=VALUE";
    sandbox.run_against(&server.url(), &[]).expect_code(104).expect_stderr(&[missing]);
    sandbox.run_against(&server.url(), &["--param", "copies=2"]).expect_code(0);
    assert_eq!(server.total(), 2);
    // What cannot be a number is the plan's mistake.
    sandbox.write("bad.jmx", &plan.replace("${copies}", "${__P(copies,abc)}"));
    let output = sandbox.run(&["convert", "jmeter", "bad.jmx"]).expect_code(104);
    let output = output.expect_stderr(&["'abc'", "correct the input, or the script by hand"]);
    assert!(!output.stderr.contains("bug"), "{}", output.shown());
}

#[test]
fn thread_groups_of_one_name_are_scenarios_of_their_own() {
    let groups =
        ["testname=\"Thread Group\"", "testname=\"Thread Group\"", "testname=\"\"", "testname=\"\"", ""]
            .map(|name| thread_group(name, "1", "r"))
            .concat();
    let script = converted("jmeter", &jmeter_plan(&groups)).stdout;
    for name in ["\"Thread Group\"", "\"Thread Group 2\"", "\"users\"", "\"users 2\"", "\"users 3\""] {
        assert!(script.contains(&format!("scenario({name}, ")), "{name} in {script}");
    }
}

#[test]
fn a_plan_without_ramp_with_variables_in_loops_and_labels_is_said_or_told() {
    let output = converted("jmeter", &jmeter_plan(&thread_group("testname=\"G\"", "${n}", "one ${n}")));
    assert!(output.stdout.contains("iterations: parse_int(`${N}`)"), "{}", output.stdout);
    assert!(!output.stderr.contains("at once"), "{}", output.stderr);
    assert!(output.stderr.contains("'one ${n}' keeps this name for all values"), "{}", output.stderr);
}

#[test]
fn variables_in_those_of_graphql_are_sent() {
    let schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";
    let body = |variables: &str| serde_json::json!({ "mode": "graphql", "graphql": { "query": "query($a: Int) { x }", "variables": variables } });
    let collection = |variables: &str| {
        serde_json::json!({
            "info": { "name": "c", "schema": schema },
            "variable": [{ "key": "n", "value": "3" }],
            "item": [{ "name": "r", "request": { "method": "POST", "url": "http://127.0.0.1/x", "body": body(variables) } }],
        })
        .to_string()
    };
    let output = converted("postman", &collection("{\"a\": {{n}} }"));
    assert!(output.stdout.contains("variables\\\":{\\\"a\\\": \" + N + \" }}"), "{}", output.stdout);
    let output = converted("postman", &collection("{\"a\": {{n}} "));
    assert!(output.stderr.contains("left out: variables of GraphQL"), "{}", output.stderr);
}

#[test]
fn trace_and_styles_of_paths_are_converted_and_the_rest_is_told() {
    let parameter = |style: &str, explode: bool| serde_json::json!({ "name": "p", "in": "path", "required": true, "style": style, "explode": explode, "example": ["a", "b"] });
    let get = |style: &str, explode: bool| serde_json::json!({ "get": { "parameters": [parameter(style, explode)] } });
    let description = serde_json::json!({
        "openapi": "3.0.0",
        "info": { "title": "t", "version": "1" },
        "paths": {
            "/t": { "trace": {}, "query": {}, "summary": "s", "x-own": 1 },
            "/m/{p}": get("matrix", false),
            "/me/{p}": get("matrix", true),
            "/l/{p}": get("label", true),
            "/o/{p}": get("odd", false),
        },
    });
    let output = converted("openapi", &description.to_string());
    for part in ["http::request(\"TRACE\", \"/t\"", "/m/;p=a,b\"", "/me/;p=a;p=b\"", "/l/.a.b\""] {
        assert!(output.stdout.contains(part), "{part} in {}", output.stdout);
    }
    for note in ["left out: query of /t", "the parameter p is sent without its style odd"] {
        assert!(output.stderr.contains(note), "{note} in {}", output.stderr);
    }
    assert!(!output.stderr.contains("summary"), "{}", output.stderr);
}
