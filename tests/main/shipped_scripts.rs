//! Every script that comes with rhaid runs without an error against the demo application.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rhaid::LoadTest;
use rhaid::plan::EndedBy;
use rhaid::target::{Target, TargetOptions};

use crate::support::{Ran, Server, run};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

fn target() -> Target {
    Target::start(TargetOptions { median: Duration::ZERO, ..TargetOptions::default() }).unwrap()
}

fn script(name: &str, target: &Target, users: u64) -> LoadTest {
    let test = LoadTest::from_file(folder().join(name)).unwrap().host(&target.url());
    test.users(users).spawn_rate(1000.0).threads(2).seed(1)
}

/// Every user had a turn, and no request, check or line of the script failed.
#[track_caller]
fn without_failures(ran: Ran, users: u64) -> Ran {
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

/// Runs a script for two seconds.
#[track_caller]
fn runs(name: &str, users: u64) -> Ran {
    let target = target();
    without_failures(run(script(name, &target, users).run_time(Duration::from_secs(2))), users)
}

/// Runs so many iterations of a script.
#[track_caller]
fn iterates(name: &str, users: u64, iterations: u64) -> Ran {
    let target = target();
    without_failures(run(script(name, &target, users).iterations(iterations)), users)
}

/// The scripts with tests of their own.
const TESTED: &[&str] = &[
    "arrival-rate.rhai",
    "batch-page.rhai",
    "browse.rhai",
    "chat.rhai",
    "checkout.rhai",
    "file-upload.rhai",
    "from-k6/executors.rhai",
    "from-locust/double_wave.rhai",
    "from-locust/multiple_hosts.rhai",
    "from-locust/open_closed_workload.rhai",
    "from-locust/semaphore_wait.rhai",
    "from-locust/stages.rhai",
    "from-locust/staging_user_classes.rhai",
    "from-locust/step_load.rhai",
    "from-locust/stop_on_threshold.rhai",
    "from-locust/test_data_management.rhai",
    "from-locust/wait_user_count.rhai",
    "graphql.rhai",
    "leasing.rhai",
    "library.rhai",
    "login-csrf.rhai",
    "metrics.rhai",
    "pagination.rhai",
    "quality.rhai",
    "quickstart.rhai",
    "retry.rhai",
    "shape.rhai",
    "stages.rhai",
    "stop-on-condition.rhai",
    "tags.rhai",
    "transactions.rhai",
    "users-from-csv.rhai",
    "websocket.rhai",
];

/// A test for each script of which it is enough that nothing fails, and their list.
macro_rules! enough_that_nothing_fails {
    ($($test:ident: $file:literal,)*) => {
        const RUN: &[&str] = &[$($file),*];
        $(
            #[test]
            fn $test() {
                iterates($file, 5, 15);
            }
        )*
    };
}

enough_that_nothing_fails! {
    locust_add_command_line_argument: "from-locust/add_command_line_argument.rhai",
    locust_basic: "from-locust/basic.rhai",
    locust_browse_docs: "from-locust/browse_docs.rhai",
    locust_browse_docs_sequence: "from-locust/browse_docs_sequence.rhai",
    locust_client: "from-locust/client.rhai",
    locust_csrf_form_authentication: "from-locust/csrf_form_authentication.rhai",
    locust_custom_messages: "from-locust/custom_messages.rhai",
    locust_custom_wait_function: "from-locust/custom_wait_function.rhai",
    locust_dynamic_user_credentials: "from-locust/dynamic_user_credentials.rhai",
    locust_events: "from-locust/events.rhai",
    locust_locustfile: "from-locust/locustfile.rhai",
    locust_manual_stats_reporting: "from-locust/manual_stats_reporting.rhai",
    locust_markov_taskset: "from-locust/markov_taskset.rhai",
    locust_nested_inline_tasksets: "from-locust/nested_inline_tasksets.rhai",
    locust_poisson_demo: "from-locust/poisson_demo.rhai",
    locust_response_validations: "from-locust/response_validations.rhai",
    locust_rest: "from-locust/rest.rhai",
    locust_testdata_from_csv: "from-locust/testdata_from_csv.rhai",
    locust_users: "from-locust/users.rhai",
    locust_worker_index: "from-locust/worker_index.rhai",
    locust_x_forwarded_for: "from-locust/x-forwarded-for.rhai",
    k6_checks: "from-k6/checks.rhai",
    k6_crypto: "from-k6/crypto.rhai",
    k6_data: "from-k6/data.rhai",
    k6_execution: "from-k6/execution.rhai",
    k6_html: "from-k6/html.rhai",
    k6_lifecycle: "from-k6/lifecycle.rhai",
    k6_metrics: "from-k6/metrics.rhai",
    k6_requests: "from-k6/requests.rhai",
    k6_scenarios: "from-k6/scenarios.rhai",
    k6_thresholds: "from-k6/thresholds.rhai",
    k6_websockets: "from-k6/websockets.rhai",
}

#[test]
fn no_script_is_without_a_test() {
    let mut scripts = BTreeSet::new();
    for inside in ["", "from-locust/", "from-k6/"] {
        for file in std::fs::read_dir(folder().join(inside)).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".rhai") {
                scripts.insert(format!("{inside}{name}"));
            }
        }
    }
    assert_eq!(scripts, TESTED.iter().chain(RUN).map(|&name| name.to_owned()).collect());
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
    for tag in ["team:shop", "group:::browse", "group:::browse::again"] {
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

#[test]
fn graphql() {
    let ran = iterates("graphql.rhai", 4, 40);
    assert!(ran.endpoint("Best").0 > ran.endpoint("Analyze").0 && ran.endpoint("Analyze").0 > 0);
}

#[test]
fn stop_on_condition() {
    let ran = runs("stop-on-condition.rhai", 4);
    assert_eq!(*ran.report.ended_by(), EndedBy::UsersGone, "each has seen all pages");
    assert_eq!(ran.requests(), 4 * 5);
    let broken =
        Target::start(TargetOptions { error_rate: 1.0, median: Duration::ZERO, ..TargetOptions::default() });
    let broken = broken.unwrap();
    let ran = run(script("stop-on-condition.rhai", &broken, 4).run_time(Duration::from_secs(30)));
    assert_eq!(*ran.report.ended_by(), EndedBy::Aborted("ten requests in a row failed".into()));
}

#[test]
fn retry() {
    let ran = iterates("retry.rhai", 4, 8);
    let (started, asked) = (ran.endpoint("/jobs").0, ran.endpoint("/jobs/{job}").0);
    assert!(started == 8 && asked >= 2 * started, "{started} jobs, asked for {asked} times");
    assert_eq!(ran.snapshot().transactions.len(), 1);
}

#[test]
fn leasing() {
    // More users than there are accounts.
    let ran = iterates("leasing.rhai", 12, 60);
    assert_eq!(ran.check("nobody else has it"), (60, 0));
}

#[test]
fn transactions() {
    let ran = iterates("transactions.rhai", 4, 12);
    let counts: Vec<_> =
        ran.snapshot().transactions.iter().map(|t| (&*t.name, t.requests, t.failures)).collect();
    assert_eq!(counts, [("analyze", 12, 0), ("look around", 12, 0), ("sign in", 12, 0)]);
}

#[test]
fn library() {
    let ran = iterates("library.rhai", 4, 20);
    assert_eq!(ran.check("projects").0 + ran.check("a good score").0, 20);
}

#[test]
fn chat() {
    let ran = iterates("chat.rhai", 4, 8);
    assert_eq!(ran.check("my own words come back"), (24, 0));
}

#[test]
fn locust_multiple_hosts() {
    let (one, other) = (target(), target());
    let test = script("from-locust/multiple_hosts.rhai", &one, 3).param("api", &other.url());
    let ran = without_failures(run(test.iterations(20)), 3);
    assert!(ran.endpoint("/health").0 > 0 && ran.endpoint("/quality/insights").0 > 0);
}

#[test]
fn locust_semaphore_wait() {
    let server = Server::start();
    let test = LoadTest::from_file(folder().join("from-locust/semaphore_wait.rhai")).unwrap();
    let started = Instant::now();
    let ran = run(test.host(&server.url()).users(4).spawn_rate(10.0).threads(2).iterations(8));
    assert_eq!(without_failures(ran, 4).requests(), 8);
    let first = server.seen()[0].at;
    assert!(first - started >= Duration::from_millis(300), "before the fourth user: {:?}", first - started);
}

#[test]
fn locust_stop_on_threshold() {
    iterates("from-locust/stop_on_threshold.rhai", 3, 30);
    let half =
        Target::start(TargetOptions { error_rate: 0.5, median: Duration::ZERO, ..TargetOptions::default() });
    let half = half.unwrap();
    let ran = run(script("from-locust/stop_on_threshold.rhai", &half, 3).run_time(Duration::from_secs(30)));
    assert!(matches!(ran.report.ended_by(), EndedBy::Threshold(_)), "{:?}", ran.report.ended_by());
    assert!(!ran.report.passed());
}

#[test]
fn locust_test_data_management() {
    let ran = iterates("from-locust/test_data_management.rhai", 2, 6);
    let printed = ran.printed();
    let steps: Vec<char> = printed.iter().map(|text| text.chars().next().unwrap()).collect();
    assert_eq!(steps, ['1', '2', '3', '4', '4', '5', '5', '6', '7'], "in order: {printed:#?}");
}

/// Runs a script with the load that it describes itself.
#[track_caller]
fn runs_its_own_load(name: &str) -> Ran {
    let target = target();
    let test = LoadTest::from_file(folder().join(name)).unwrap().host(&target.url());
    without_failures(run(test.threads(2).seed(1)), 1)
}

/// Iterations that ended or were cut off.
fn iterations(ran: &Ran) -> u64 {
    let iterations = &ran.snapshot().iterations;
    iterations.completed + iterations.failed + iterations.interrupted
}

#[test]
fn arrival_rate() {
    let ran = runs_its_own_load("arrival-rate.rhai");
    assert_eq!(ran.endpoint("/quality/insights"), (40, 0), "20 a second for 2 s, exactly");
    let orders = ran.endpoint("/quality/analyze").0;
    assert!((40..130).contains(&orders), "about 80: {orders}");
}

#[test]
fn stages() {
    let ran = runs_its_own_load("stages.rhai");
    assert!(ran.endpoint("/quality/insights").0 > 0);
    // The area under the spike of 5, 50 and 5 a second.
    assert_eq!(ran.endpoint("/quality/analyze"), (30, 0));
}

#[test]
fn shape() {
    assert_eq!(*runs_its_own_load("shape.rhai").report.ended_by(), EndedBy::RunTime);
}

#[test]
fn k6_executors() {
    let ran = runs_its_own_load("from-k6/executors.rhai");
    let of = |scenario: &str| {
        let tag = ran.snapshot().tags.iter().find(|tag| &*tag.key == "scenario" && &*tag.value == scenario);
        tag.map_or(0, |tag| tag.requests.requests)
    };
    assert_eq!(["per-vu", "shared", "rate"].map(of), [6, 6, 10], "exactly what was asked for");
    assert!(of("constant-vus") > 0 && of("ramping-vus") > 0 && (8..=18).contains(&of("rush")));
}

#[test]
fn locust_open_closed_workload() {
    let target = target();
    let test = script("from-locust/open_closed_workload.rhai", &target, 4);
    let ran = without_failures(run(test.run_time(Duration::from_secs(1))), 4);
    assert!(iterations(&ran) >= 20 + 4, "the rate's 20 and those of the others");
}

#[test]
fn locust_shapes() {
    for name in ["double_wave", "stages", "staging_user_classes", "step_load", "wait_user_count"] {
        let ran = runs_its_own_load(&format!("from-locust/{name}.rhai"));
        assert_eq!(*ran.report.ended_by(), EndedBy::RunTime, "{name}");
        assert!(iterations(&ran) > 5, "{name}");
    }
}
