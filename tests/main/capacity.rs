//! `--find-capacity`: the highest rate at which a limit holds.

use serde_json::Value;

use crate::support::{Sandbox, Server};
use rhaid::analysis::thresholds::amount;
use rhaid::metrics::Quantity;
use rhaid::text::format::{percent, rate};

/// Part of a text between two others.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    text.split_once(from).unwrap_or_else(|| panic!("no {from} in {text}")).1.split(to).next().unwrap()
}

/// The rows of a table of the report, a cell each.
fn cells(table: &str) -> Vec<Vec<&str>> {
    table
        .split("<tr")
        .skip(2)
        .map(|row| row.split("<t").skip(1).filter_map(|cell| cell.split(['>', '<']).nth(1)).collect())
        .collect()
}

/// A step of `run.json` as the report writes it.
fn written(step: &Value) -> Vec<String> {
    let number = |key: &str| step[key].as_f64().unwrap();
    let clock =
        |key: &str| format!("{:02}:{:02}", number(key).round() as u64 / 60, number(key).round() as u64 % 60);
    let outcome = match step["why_not"].as_str() {
        None => "✓ held",
        Some(why) if why.contains("no user was free") => "✗ rate not reached",
        Some(why) => {
            assert_eq!(why, "the threshold was breached");
            "✗ threshold breached"
        }
    };
    vec![
        rate(number("rate")),
        rate(number("started_rate")),
        rate(number("request_rate")),
        format!("{} %", percent(number("failed_share"))),
        amount(number("measured"), Quantity::Time),
        outcome.to_owned(),
        if step["generator_saturated"] == true { "saturated" } else { "kept up" }.to_owned(),
        format!("{}-{}", clock("from_s"), clock("to_s")),
    ]
}

#[test]
fn the_search_narrows_to_what_the_users_can_carry() {
    let server = Server::start();
    // Four users and a tenth of a second an iteration: forty a second and no more.
    let script = r#"
        threshold("http_req_duration", "p(95) < 1ms");
        fn iteration() { http::get("/delay/100"); }
    "#;
    let sandbox = Sandbox::with(script);
    let host = server.url();
    let output = sandbox
        .run(&[
            "run",
            "test.rhai",
            "-H",
            &host,
            "--find-capacity",
            "http_req_duration: p(95) < 5s",
            "--min-rate",
            "12",
            "--max-rate",
            "96",
            "--step-time",
            "2s",
            "--max-vus",
            "4",
            "--only-summary",
            "--html",
            "run.html",
        ])
        .expect_code(0);
    let json = output.run_dir().json();
    let capacity = &json["capacity"];
    let best = capacity["best_rate"].as_f64().unwrap();
    assert!((12.0..=41.0).contains(&best), "{capacity:#}");
    let steps = capacity["steps"].as_array().unwrap();
    assert_eq!(
        (steps[0]["rate"].clone(), steps[0]["held"].clone()),
        (12.0.into(), true.into()),
        "{capacity:#}"
    );
    let broke = steps.iter().filter(|step| step["held"] == false);
    assert!(broke.clone().count() >= 1 && broke.clone().all(|step| step["rate"].as_f64().unwrap() > best));
    assert!(broke.clone().any(|step| step["why_not"].as_str().unwrap().contains("no user was free")));
    assert_eq!((json["ended_by"].clone(), capacity["unit"].clone()), ("capacity found".into(), "ms".into()));
    let marks = json["marks"].as_array().unwrap();
    assert!(marks.iter().any(|mark| mark["text"] == "rate set to 24/s"), "{marks:?}");
    let last = output.stdout.lines().last().unwrap();
    assert!(last.starts_with(" CAPACITY: ") && last.contains("held http_req_duration: p(95) < 5s"), "{last}");
    assert_eq!(capacity["limit_value"], 5_000.0);

    // Every report has the same steps, also when it is made again.
    let run = &sandbox.runs()[0];
    let folder = run.0.to_str().unwrap().to_owned();
    let files = ["--html", "again.html", "--markdown", "m.md", "--junit", "j.xml", "--svg", "charts"];
    sandbox.run(&[&["report", &folder], &files[..]].concat()).expect_code(0);
    let read = |name: &str| std::fs::read_to_string(sandbox.path().join(name)).unwrap();
    let section = |page: &str| between(&read(page), "<section id=\"capacity\"", "</section>").to_owned();
    let (first, again) = (section("run.html"), section("again.html"));
    assert_eq!(first, again);
    let mut expected: Vec<&Value> = steps.iter().collect();
    expected.sort_by(|a, b| a["rate"].as_f64().unwrap().total_cmp(&b["rate"].as_f64().unwrap()));
    let expected: Vec<Vec<String>> = expected.into_iter().map(written).collect();
    assert_eq!(cells(between(&first, "<table id=\"capacity-table\"", "</table>")), expected);
    let sentence = between(last, "CAPACITY: ", ";");
    assert!(
        between(&first, "<p class=\"outcome good\">✓ ", "</p>").replace("&lt;", "<") == sentence,
        "{first}"
    );
    assert!(first.contains("<figure id=\"capacity-curve\">") && first.contains("/s held</text>"), "{first}");
    assert!(read("charts/capacity-curve.svg").contains("held"), "the chart as a file");
    let (comment, cases) = (read("m.md"), read("j.xml"));
    assert_eq!(
        between(&comment, "#### ✅ Capacity", "\n\n|  | endpoint").matches("\n| ").count(),
        steps.len() + 2
    );
    let case = between(&cases, "name=\"http_req_duration: p(95) &lt; 5s\"", "</testcase>");
    assert_eq!(case.matches(" started, ").count(), steps.len(), "{case}");
}

#[test]
fn when_even_the_first_rate_breaks_the_limit_the_search_fails() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/delay/30\"); }");
    let host = server.url();
    let output = sandbox
        .run(&[
            "run",
            "test.rhai",
            "-H",
            &host,
            "--find-capacity",
            "http_req_duration: p(50) < 1ms",
            "--step-time",
            "2s",
            "-q",
        ])
        .expect_code(99);
    assert!(
        output.stdout.contains("FAILED: no rate held http_req_duration: p(50) < 1ms"),
        "{}",
        output.shown()
    );
}

#[test]
fn a_rate_whose_iterations_fail_in_the_script_has_not_held() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); throw \"no token\"; }");
    let (host, limit) = (server.url(), "http_req_duration: p(95) < 30s");
    let arguments = ["run", "test.rhai", "-H", &host, "--find-capacity", limit, "--step-time", "2s"];
    let output = sandbox
        .run(&[&arguments[..], &["--max-vus", "20", "--only-summary", "--junit", "j.xml"]].concat())
        .expect_code(1);
    assert!(output.stdout.contains("100 % of the iterations failed"), "{}", output.shown());
    assert!(
        output.stdout.contains("FAILED: all ")
            && output.stdout.contains("iterations failed; first script error"),
        "{}",
        output.shown()
    );
    let step = output.run_dir().json()["capacity"]["steps"][0].clone();
    assert_eq!((step["held"].clone(), step["failed_iterations_share"].as_f64()), (false.into(), Some(1.0)));
    assert_eq!(step["why_not"], "most iterations failed");
    let cases = std::fs::read_to_string(sandbox.path().join("j.xml")).unwrap();
    let case = between(&cases, "name=\"the run\"", "</testcase>");
    assert!(case.contains("<failure message=\"all ") && case.contains("no token"), "{case}");
}

#[test]
fn everything_wrong_is_said_before_any_load() {
    let server = Server::start();
    let script = r#"
        scenario("own", #{ exec: "f", executor: "constant-vus", vus: 1, duration: "1s" });
        fn f() { http::get("/x"); }
    "#;
    let sandbox = Sandbox::with(script);
    let host = server.url();
    let search = |limit: &str, more: &[&str]| {
        let all = [&["run", "test.rhai", "-H", &host, "--find-capacity", limit], more].concat();
        sandbox.run(&all)
    };
    search("http_req_duratio: p(95) < 1s over 5s", &["--step-time", "1s", "--max-rate", "5"])
        .expect_code(104)
        .expect_stderr(&[
            "did you mean 'http_req_duration'",
            "remove 'over'",
            "a rate cannot be measured in less than 2 s",
            "max_rate (5/s) is below min_rate (10/s)",
            "scenario 'own' has its own executor",
        ]);
    search("http_req_duration: p(95) < 1s", &["-u", "5"]).expect_code(2).expect_stderr(&["--users"]);
    sandbox.run(&["run", "test.rhai", "--min-rate", "5"]).expect_code(2).expect_stderr(&["--find-capacity"]);
    assert_eq!(server.total(), 0);
}
