//! Every script that comes with rhaid runs without an error against the demo application.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rhaid::LoadTest;
use rhaid::plan::EndedBy;
use rhaid::target::{Target, TargetOptions};

use crate::support::{Ran, run};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

#[track_caller]
fn runs(name: &str, users: u64) -> Ran {
    let target = Target::start(TargetOptions { median: Duration::ZERO, ..TargetOptions::default() }).unwrap();
    let test = LoadTest::from_file(folder().join(name)).unwrap().host(&target.url());
    let ran = run(test.users(users).spawn_rate(1000.0).threads(2).seed(1).run_time(Duration::from_secs(2)));
    let ran = ran.without_errors();
    assert!(
        ran.requests() >= users && ran.failures() == 0,
        "{} requests, {} failed",
        ran.requests(),
        ran.failures()
    );
    let failed: Vec<_> = ran.snapshot().checks.iter().filter(|(_, count)| count.fails > 0).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(ran.report.passed());
    ran
}

/// The scripts that the tests of this file run.
const TESTED: [&str; 12] = [
    "batch-page.rhai",
    "browse.rhai",
    "checkout.rhai",
    "file-upload.rhai",
    "login-csrf.rhai",
    "metrics.rhai",
    "pagination.rhai",
    "quality.rhai",
    "quickstart.rhai",
    "tags.rhai",
    "users-from-csv.rhai",
    "websocket.rhai",
];

#[test]
fn no_script_is_without_a_test() {
    let files = std::fs::read_dir(folder()).unwrap();
    let scripts: BTreeSet<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".rhai"))
        .collect();
    assert_eq!(scripts, TESTED.map(str::to_owned).into());
}

#[test]
fn quality() {
    let ran = runs("quality.rhai", 20);
    let names: Vec<&str> = ran.snapshot().endpoints.iter().map(|endpoint| &*endpoint.name).collect();
    assert_eq!(names, ["/health", "/quality/analyze", "/quality/insights"]);
    assert_eq!(ran.snapshot().checks.len(), 4, "{:?}", ran.snapshot().checks);
}

#[test]
fn quickstart() {
    let ran = runs("quickstart.rhai", 10);
    assert_eq!(ran.endpoint("/login"), (10, 0), "once for each user");
    let analyze = ran.endpoint("/quality/analyze").0;
    let insights = ran.endpoint("/quality/insights").0;
    assert!(analyze + insights >= 10, "{analyze} and {insights}");
}

#[test]
fn users_from_csv() {
    let ran = runs("users-from-csv.rhai", 3);
    assert_eq!(*ran.report.ended_by(), EndedBy::UsersGone, "it ends when the lines are used");
    assert_eq!((ran.endpoint("/login"), ran.check("logged in")), ((8, 0), (8, 0)), "once for each line");
    let tags: Vec<(&str, u64)> =
        ran.snapshot().tags.iter().map(|tag| (&*tag.value, tag.requests.requests)).collect();
    assert_eq!(tags.iter().map(|(_, requests)| requests).sum::<u64>(), 8, "{tags:?}");
}

#[test]
fn batch_page() {
    let ran = runs("batch-page.rhai", 3);
    let (insights, health) = (ran.endpoint("/quality/insights").0, ran.endpoint("/health").0);
    assert!(health >= 3 && insights == 5 * health, "five pages and their asset: {insights} and {health}");
}

#[test]
fn file_upload() {
    let ran = runs("file-upload.rhai", 3);
    assert_eq!(ran.endpoint("/upload").0, ran.requests());
    assert_eq!(ran.check("the whole file arrived").0, ran.requests());
}

#[test]
fn login_csrf() {
    let ran = runs("login-csrf.rhai", 5);
    assert_eq!(ran.endpoint("/login/form"), (10, 0), "the page and the form of each user");
    assert_eq!(ran.check("logged in"), (5, 0));
}

#[test]
fn pagination() {
    let ran = runs("pagination.rhai", 3);
    let (requests, complete) = (ran.endpoint("/quality/insights").0, ran.check("every page came").0);
    assert!(
        complete >= 1 && requests >= 6 * complete,
        "five pages and the empty one: {requests}, {complete}"
    );
}

#[test]
fn websocket() {
    let ran = runs("websocket.rhai", 3);
    let (connected, messages) = (ran.endpoint("chat").0, ran.endpoint("chat message").0);
    assert!(connected >= 3 && messages >= connected, "{connected} and {messages}");
    assert!(ran.check("my own words").0 >= messages);
}

#[test]
fn checkout() {
    let ran = runs("checkout.rhai", 5);
    let steps = ["/login", "/quality/insights", "/quality/analyze"].map(|name| ran.endpoint(name).0);
    assert!(steps[0] >= steps[1] && steps[1] >= steps[2] && steps[2] > 0, "in order: {steps:?}");
    assert!(steps[0] - steps[2] <= 5, "each user is in one pass at the end: {steps:?}");
}

#[test]
fn browse() {
    let ran = runs("browse.rhai", 10);
    let seen = ["home", "/quality/insights", "/quality/analyze"].map(|name| ran.endpoint(name).0);
    assert!(seen[0] >= 10 && seen[1] > seen[2] && seen[2] > 0, "{seen:?}");
}

#[test]
fn tags() {
    let ran = runs("tags.rhai", 10);
    let tags: Vec<String> =
        ran.snapshot().tags.iter().map(|tag| format!("{}:{}", tag.key, tag.value)).collect();
    for tag in ["team:shop", "group:browse", "group:browse::again"] {
        assert!(tags.iter().any(|known| known == tag), "no {tag} in {tags:?}");
    }
    assert!(ran.endpoint("/health").0 > 0);
}

#[test]
fn metrics() {
    let ran = runs("metrics.rhai", 10);
    let snapshot = ran.snapshot();
    let names: Vec<&str> = snapshot.custom.iter().filter(|c| c.tag.is_none()).map(|c| &*c.name).collect();
    assert_eq!(names, ["analysis_time", "has_score", "projects", "score", "submitted"]);
    let counts: Vec<_> = snapshot.transactions.iter().map(|t| (&*t.name, t.failures)).collect();
    assert_eq!(counts, [("choose a project", 0), ("review", 0)]);
}
