//! The page that waits to be started, and its API.

use super::*;

#[test]
fn the_api_does_a_whole_run_from_the_form_to_the_results() {
    let server = Server::start();
    let sandbox = Sandbox::new();
    let script = r#"
        const PATH = param("path", "/ok", #{ choices: ["/ok", "/other"], help: "What to get" });
        options(#{ users: 3 });
        threshold("http_req_failed", "rate < 1%");
        fn iteration() { http::get(PATH); sleep(0.02); }
    "#;
    sandbox.write("flows/shop.rhai", script);
    sandbox.write("broken.rhai", "fn iteration() { http::gat(\"/ok\"); }");
    let page = waiting_page(&sandbox, &[]);
    assert_eq!(page.look("/api/v1/status").json()["state"], "waiting");
    let scripts = page.look("/api/v1/scripts").json();
    assert_eq!(scripts["scripts"], serde_json::json!(["broken.rhai", "flows/shop.rhai"]));
    let form = page.look("/api/v1/form?script=flows/shop.rhai").json();
    assert_eq!(form["params"][0]["name"], "path");
    assert_eq!(form["params"][0]["choices"], serde_json::json!(["/ok", "/other"]));
    assert_eq!(form["defaults"]["users"], 3);
    let host = server.url();
    let filled = format!(
        r#"{{"script": "flows/shop.rhai", "host": "{host}", "run_time": "1s", "spawn_rate": 100, "param": {{"path": "/other"}}}}"#
    );
    let plan = page.post("/api/v1/plan", &filled).json();
    assert_eq!((plan["end_s"].as_f64(), plan["thresholds"].as_array().unwrap().len()), (Some(1.0), 1));
    let most =
        plan["points"].as_array().unwrap().iter().map(|point| point[1].as_f64().unwrap()).fold(0.0, f64::max);
    assert_eq!(most, 3.0);
    let command = plan["command"].as_str().unwrap();
    assert!(
        command.starts_with("rhaid run ./flows/shop.rhai ") && command.contains("--param=path=/other"),
        "{command}"
    );
    assert_eq!(server.total(), 0, "a plan makes no request");
    let tried = page.post("/api/v1/try", &filled).json();
    assert!(tried["text"].as_str().unwrap().contains("/other -> 200"), "{tried}");
    assert_eq!((tried["passed"].as_bool(), server.total()), (Some(true), 1));
    let broken = page.post("/api/v1/start", &format!(r#"{{"script": "broken.rhai", "host": "{host}"}}"#));
    assert!(broken.status == 422 && broken.body.contains("http::gat"), "{}", broken.body);
    assert_eq!(page.post("/api/v1/start", r#"{"script": "../x.rhai"}"#).status, 404);
    assert_eq!(
        page.post("/api/v1/start", r#"{"script": "flows/shop.rhai", "on_breach": "touch x"}"#).status,
        422
    );
    let started = page.post("/api/v1/start", &filled);
    assert_eq!(started.status, 200, "{}", started.body);
    let id = started.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(page.post("/api/v1/start", &filled).status, 409, "one run at a time");
    wait_until("the end", || page.look("/api/v1/status").json()["state"] == "finished");
    let stored = page.look(&format!("/api/v1/runs/{id}")).json();
    assert_eq!(stored["total"]["requests"], server.total() - 1);
    assert_eq!(stored["verdict"]["words"], page.look("/api/v1/status").json()["verdict"]["words"]);
    let runs = page.look("/api/v1/runs").json();
    assert_eq!(
        (&runs["runs"][0]["id"], runs["runs"].as_array().unwrap().len()),
        (&Value::from(id.clone()), 1)
    );
    assert!(page.look(&format!("/api/v1/runs/{id}/report")).body.contains("rhaid report"));
    // A second one, stopped by the signal that ends the page.
    let long = filled.replace(r#""1s""#, r#""1h""#);
    wait_until("another run", || page.post("/api/v1/start", &long).status == 200);
    server.wait_for_hits("/other", stored["total"]["requests"].as_u64().unwrap() + 5);
    page.running.signal("INT");
    page.running.wait().expect_code(0);
    let last = sandbox.runs().pop().unwrap();
    assert_ne!(last.0.file_name().unwrap().to_str().unwrap(), id);
    assert_eq!(last.json()["ended_by"], "signal");
}

#[test]
fn scripts_are_checked_and_saved_only_where_that_is_allowed() {
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/ok\"); }");
    let closed = waiting_page(&sandbox, &[]);
    assert_eq!(closed.look("/api/v1/script?script=test.rhai").status, 409);
    assert_eq!(closed.look("/editor.js").status, 409);
    let bearer = ["authorization: Bearer t"];
    let put = |page: &Page, body: &Value| page.call("PUT /api/v1/script", &bearer, &body.to_string());
    assert_eq!(put(&closed, &serde_json::json!({})).status, 409);
    closed.running.signal("INT");
    closed.running.wait().expect_code(0);
    let page = waiting_page(&sandbox, &["--edit"]);
    let script = page.look("/api/v1/script?script=test.rhai").json();
    assert!(script["text"].as_str().unwrap().contains("/ok"));
    let wrong = r#"fn iteration() {\n  http::gat("/x");\n}"#.replace("\\n", "\n");
    let check = serde_json::json!({ "script": "test.rhai", "text": wrong });
    let problems = page.post("/api/v1/check", &check.to_string()).json()["problems"].clone();
    assert_eq!((&problems[0]["line"], &problems[0]["severity"]), (&2.into(), &"error".into()), "{problems}");
    assert!(problems[0]["message"].as_str().unwrap().contains("http::gat"), "{problems}");
    let text = "fn iteration() { http::get(\"/new\"); }";
    let save = serde_json::json!({ "script": "test.rhai", "text": text, "version": script["version"] });
    assert_eq!(page.call("PUT /api/v1/script", &[], &save.to_string()).status, 401);
    let saved = put(&page, &save);
    assert_eq!(saved.status, 200, "{}", saved.body);
    assert_eq!(std::fs::read_to_string(sandbox.path().join("test.rhai")).unwrap(), text);
    assert_eq!(put(&page, &save).status, 409, "that version is not the newest any more");
    for other in ["../x.rhai", "rhaid.toml", "/etc/passwd"] {
        let save = serde_json::json!({ "script": other, "text": "x", "version": "" });
        assert_eq!(put(&page, &save).status, 404, "{other}");
    }
    assert!(page.look("/api/v1/docs?word=http::get").json()["text"].as_str().unwrap().contains("http::get"));
    assert_eq!(page.look("/api/v1/docs?word=nothing_of_the_kind").status, 404);
    let editor = page.look("/editor.js");
    assert!(editor.status == 200 && editor.body.len() < 400_000, "{} bytes", editor.body.len());
    page.running.signal("INT");
    page.running.wait().expect_code(0);
}

#[test]
fn the_description_of_the_api_names_every_path() {
    let description: Value = serde_json::from_str(include_str!("../../../src/web/openapi.json")).unwrap();
    let described: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    let source = include_str!("../../../src/web/server.rs");
    let routes = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
    // The page itself is none of the API's.
    let page = ["/", "/live.js", "/live.css", "/editor.js", "/playground.js"];
    for route in routes.filter(|route| !page.contains(route)) {
        let name = route.replace("{other}", "{before}");
        assert!(described.contains(&&name), "{route} is not in src/web/openapi.json");
        let documented = include_str!("../../../docs/http-api.md");
        assert!(
            documented.contains(&format!("{name}`")) || documented.contains(&format!("{name}?")),
            "{route} is not in docs/http-api.md"
        );
    }
}

#[test]
fn all_scripts_are_listed_in_their_order_and_it_is_said_when_there_are_more() {
    let sandbox = Sandbox::new();
    (0..1_000).rev().for_each(|number| drop(sandbox.write(&format!("s{number:04}.rhai"), "")));
    let page = waiting_page(&sandbox, &[]);
    let listed = page.look("/api/v1/scripts").json();
    let expected: Vec<String> = (0..1_000).map(|number| format!("s{number:04}.rhai")).collect();
    assert_eq!((&listed["scripts"], &listed["truncated"]), (&serde_json::json!(expected), &false.into()));
    (0..9_001).for_each(|number| drop(sandbox.write(&format!("more/m{number:04}.rhai"), "")));
    let listed = page.look("/api/v1/scripts").json();
    let scripts = listed["scripts"].as_array().unwrap();
    assert_eq!((scripts.len(), &listed["truncated"]), (10_000, &true.into()));
    assert_eq!((&scripts[0], &scripts[9_999]), (&"more/m0000.rhai".into(), &"s0998.rhai".into()));
    page.running.signal("INT");
    page.running.wait().expect_code(0);
}

/// A page before or after its runs is there, but there is nothing to steer.
#[test]
fn ctl_means_the_run_that_goes_on_not_the_pages_that_wait() {
    let server = Server::start();
    let sandbox = Sandbox::with("wait(constant(0.05)); fn iteration() { http::get(\"/ok\"); }");
    let page = waiting_page(&sandbox, &[]);
    let status = sandbox.run(&["ctl", "status"]).expect_code(0).stdout;
    assert!(status.contains("no run yet"), "{status}");
    let none = ["no run goes on; runs are started on these pages:", &page.address];
    sandbox.run(&["ctl", "users", "3"]).expect_code(1).expect_stderr(&none);
    let other = waiting_page(&sandbox, &[]);
    sandbox.run(&["ctl", "status"]).expect_code(1).expect_stderr(&none);
    let form = format!(r#"{{"script": "test.rhai", "host": "{}", "iterations": 1}}"#, server.url());
    assert_eq!(other.post("/api/v1/start", &form).status, 200);
    wait_until("the end", || other.look("/api/v1/status").json()["state"] == "finished");
    let running = sandbox.start(&["run", "test.rhai", "-H", &server.url(), "-t", "1h", "--control"]);
    server.wait_for_hits("/ok", 2);
    wait_until("its control file", || {
        sandbox.run(&["ctl", "pause"]).stdout.starts_with("paused; test paused")
    });
    sandbox.run(&["ctl", "stop"]).expect_code(0);
    running.wait().expect_code(0);
    for page in [page, other] {
        page.running.signal("INT");
        page.running.wait().expect_code(0);
    }
}

#[test]
fn what_is_no_script_is_not_served() {
    let sandbox = Sandbox::new();
    sandbox.write("notes.txt", "fn iteration() {}");
    sandbox.run(&["web", "notes.txt"]).expect_stderr(&["notes.txt", ".rhai"]).expect_code(104);
    sandbox.run(&["web", "nosuch"]).expect_stderr(&["nosuch", "rhaid new"]).expect_code(104);
}

#[test]
fn scenarios_are_chosen_and_weighed_in_the_form() {
    let server = Server::start();
    let sandbox = Sandbox::new();
    sandbox.write(
        "test.rhai",
        r#"
        scenario("browse", #{ exec: "get", weight: 3, wait: constant(0.05) });
        scenario("buy a=b", #{ exec: "get", wait: constant(0.05) });
        scenario("admin", #{ exec: "get", fixed_count: 1, wait: constant(0.05) });
        scenario("nightly", #{ exec: "get", executor: "per-vu-iterations", iterations: 2 });
        fn get() { http::get("/" + vu::scenario()); }
        "#,
    );
    let page = waiting_page(&sandbox, &[]);
    let form = page.look("/api/v1/form?script=test.rhai").json();
    let expected = serde_json::json!([
        { "name": "browse", "weight": 3.0, "load": null },
        { "name": "buy a=b", "weight": 1.0, "load": null },
        { "name": "admin", "weight": null, "load": "1 user" },
        { "name": "nightly", "weight": null, "load": "per-vu-iterations" },
    ]);
    assert_eq!(form["scenarios"], expected);
    let host = server.url();
    let plan = |rest: &str| {
        let body = format!(r#"{{"script": "test.rhai", "host": "{host}", "run_time": "1h", {rest}}}"#);
        page.post("/api/v1/plan", &body)
    };
    let users = |answer: &Answer| -> Vec<(String, u64)> {
        let json = answer.json();
        let scenarios = json["scenarios"].as_array().unwrap_or_else(|| panic!("{json}")).clone();
        let pair = |one: &Value| (one["name"].as_str().unwrap().to_owned(), one["users"].as_u64().unwrap());
        scenarios.iter().map(pair).collect()
    };
    let named = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> {
        pairs.iter().map(|(name, users)| ((*name).to_owned(), *users)).collect()
    };
    let two = r#""scenario": "browse,buy a=b", "users": 8"#;
    assert_eq!(users(&plan(two)), named(&[("browse", 6), ("buy a=b", 2)]));
    let weighed = plan(&format!(r#"{two}, "weight": {{ "browse": 1, "buy a=b": "3" }}"#));
    assert_eq!(users(&weighed), named(&[("browse", 2), ("buy a=b", 6)]));
    let command = weighed.json()["command"].as_str().unwrap().to_owned();
    assert!(command.contains("--weight=browse=1") && command.contains("'--weight=buy a=b=3'"), "{command}");
    let summary = weighed.json()["summary"].as_str().unwrap().to_owned();
    assert_eq!(summary, "up to 8 users · over 1:00:00 · browse (2), buy a=b (6) · no thresholds");
    let none = plan(&format!(r#"{two}, "weight": {{ "browse": 0 }}"#));
    assert_eq!(users(&none), named(&[("browse", 0), ("buy a=b", 8)]), "0 gets nobody");
    let rate = plan(r#""scenario": ["browse", "buy a=b"], "rate": "100", "weight": { "browse": 1 }"#).json();
    assert_eq!((&rate["scenarios"][0]["share"], &rate["scenarios"][1]["share"]), (&0.5.into(), &0.5.into()));
    assert!(rate["summary"].as_str().unwrap().starts_with("up to 100 iterations/s · "), "{rate}");
    for (rest, words) in [
        (r#""weight": { "brows": 2 }"#, "'brows'"),
        (r#""weight": { "admin": 2 }"#, "fixed_count"),
        (r#""weight": { "nightly": 2 }"#, "executor"),
        (r#""weight": { "browse": -1 }"#, "0 or more"),
        (r#""weight": { "browse": "many" }"#, "0 or more"),
        (r#""weight": 3"#, "NAME=N"),
        (r#""scenario": "nosuch""#, "no scenario 'nosuch'"),
    ] {
        let answer = plan(rest);
        assert!(answer.status == 422 && answer.body.contains(words), "{rest}: {}", answer.body);
    }
    let body = format!(
        r#"{{"script": "test.rhai", "host": "{host}", "run_time": "1s", "spawn_rate": 100, "users": 4,
            "scenario": "browse,buy a=b", "weight": {{ "browse": 0 }}}}"#
    );
    assert_eq!(page.post("/api/v1/start", &body).status, 200);
    wait_until("the end", || page.look("/api/v1/status").json()["state"] == "finished");
    assert_eq!((server.hits("/browse"), server.hits("/admin"), server.hits("/nightly")), (0, 0, 0));
    assert!(server.hits("/buy%20a=b") > 0, "{}", server.total());
    page.running.signal("INT");
    page.running.wait().expect_code(0);
}
