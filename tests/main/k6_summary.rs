//! What readers of k6's end-of-test summary find: `run.json` as `handleSummary(data)` has it, and `--summary-export`.

use serde_json::{Value, json};

use crate::support::{Sandbox, Server};

const GROUPS: &str = r#"
    threshold("http_req_duration{name:/never}", "p(95) < 1s");
    threshold("http_req_duration", "p(95) < 60s");
    threshold("checks", "rate > 0.1");
    fn iteration() {
        check("top", true);
        group("pets", || {
            http::get("/x");
            check("same name", true);
            group("toys", || { check("same name", false); check("odd", vu::id() % 2 == 1); });
        });
        group("empty", || {});
    }
"#;

fn file(sandbox: &Sandbox, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(sandbox.path().join(name)).unwrap()).unwrap()
}

/// Paths, passes and fails of all checks of a group and those in it.
fn checks(group: &Value) -> Vec<(String, u64, u64)> {
    let of = |check: &Value| {
        let number = |key: &str| check[key].as_u64().unwrap();
        (check["path"].as_str().unwrap().to_owned(), number("passes"), number("fails"))
    };
    let own = group["checks"].as_array().unwrap().iter().map(of);
    own.chain(group["groups"].as_array().unwrap().iter().flat_map(checks)).collect()
}

#[test]
fn run_json_has_the_groups_options_and_state_of_k6s_summary_data() {
    let server = Server::start();
    let sandbox = Sandbox::with(GROUPS);
    let url = server.url();
    let arguments = ["-u", "4", "-i", "20", "--threads", "2", "--summary-export", "k6.json"];
    let json = sandbox.run_against(&url, &arguments).expect_code(99).run_dir().json();
    let root = &json["root_group"];
    let (all, sum) = (checks(root), &json["metrics"]["checks"]["values"]);
    let paths: Vec<&str> = all.iter().map(|(path, ..)| path.as_str()).collect();
    assert_eq!(paths, ["::top", "::pets::same name", "::pets::toys::same name", "::pets::toys::odd"]);
    assert_eq!(all.iter().map(|(_, passes, _)| passes).sum::<u64>(), sum["passes"].as_u64().unwrap());
    assert_eq!(all.iter().map(|(.., fails)| fails).sum::<u64>(), sum["fails"].as_u64().unwrap());
    assert_eq!((all[0].1, all[1].1, all[2].2), (20, 20, 20));
    let names: Vec<&Value> = root["groups"].as_array().unwrap().iter().map(|group| &group["name"]).collect();
    assert_eq!(names, ["pets", "empty"]);
    // By name, the same counts over all groups.
    let same = json["checks"].as_array().unwrap().iter().find(|check| check["name"] == "same name").unwrap();
    assert_eq!((&same["passes"], &same["fails"]), (&json!(20), &json!(20)));
    assert_eq!(json["state"]["isStdOutTTY"], false);
    let elapsed_ms = json["elapsed_s"].as_f64().unwrap() * 1_000.0;
    assert!((json["state"]["testRunDurationMs"].as_f64().unwrap() - elapsed_ms).abs() < 0.01);
    // Readers compute with every value that the options name, whether there was data or not.
    let stats = json["options"]["summaryTrendStats"].as_array().unwrap();
    for (name, metric) in json["metrics"].as_object().unwrap() {
        if metric["type"] == "trend" {
            assert!(stats.iter().all(|stat| metric["values"][stat.as_str().unwrap()].is_number()), "{name}");
        }
    }
    let never = &json["metrics"]["http_req_duration{name:/never}"];
    assert_eq!(never["thresholds"], json!({ "p(95) < 1s": { "ok": false } }));
    assert_eq!(never["values"]["count"], 0);

    // The flat form holds the same figures.
    let flat = file(&sandbox, "k6.json");
    assert_eq!(flat.as_object().unwrap().keys().collect::<Vec<_>>(), ["root_group", "metrics"]);
    let toys = &flat["root_group"]["groups"]["pets"]["groups"]["toys"];
    assert_eq!(toys["checks"]["same name"]["fails"], 20);
    let (metrics, flat) = (&json["metrics"], &flat["metrics"]);
    let duration = &metrics["http_req_duration"]["values"];
    assert_eq!(flat["http_req_duration"]["p(95)"], duration["p(95)"]);
    assert_eq!(flat["http_req_duration"]["thresholds"], json!({ "p(95) < 60s": false }), "not breached");
    assert_eq!(
        flat["http_req_duration{name:/never}"]["thresholds"],
        json!({ "p(95) < 1s": true }),
        "breached"
    );
    assert_eq!(flat["http_reqs"], metrics["http_reqs"]["values"]);
    assert_eq!(
        (&flat["checks"]["value"], &flat["checks"]["passes"]),
        (&metrics["checks"]["values"]["rate"], &sum["passes"])
    );
    assert!(flat["checks"].get("rate").is_none());
    assert_eq!(flat["vus_max"], metrics["vus_max"]["values"]);

    // And so does what is written again from the stored run.
    let run = sandbox.runs().pop().unwrap();
    sandbox.run(&["report", run.0.to_str().unwrap(), "--summary-export", "again.json"]).expect_code(0);
    assert_eq!(file(&sandbox, "again.json"), file(&sandbox, "k6.json"));
}
