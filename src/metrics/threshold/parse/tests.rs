use super::*;
use crate::metrics::builtin::MetricKind;

fn own() -> Vec<CustomMetric> {
    let metric = |name: &str, kind, is_time| CustomMetric { name: name.to_owned(), kind, is_time };
    vec![
        metric("price", MetricKind::Trend, false),
        metric("render_time", MetricKind::Trend, true),
        metric("orders", MetricKind::Counter, false),
        metric("queue", MetricKind::Gauge, false),
    ]
}

#[track_caller]
fn read(text: &str) -> Threshold {
    parse(text, &own()).unwrap_or_else(|problems| {
        let shown: Vec<String> = problems.iter().map(|problem| problem.shown("here", text)).collect();
        panic!("{}", shown.join("\n"))
    })
}

/// The text from where a problem points to, and its message.
#[track_caller]
fn refused(text: &str, pointed_at: &str, message: &str) {
    let problems = parse(text, &own()).unwrap_err();
    let Problem { at, length, message: came } = &problems[0];
    assert_eq!(&text[*at..(*at + *length).min(text.len())], pointed_at, "{text}: {came}");
    assert!(came.contains(message), "{text}: {came}");
}

#[test]
fn the_whole_grammar() {
    let threshold = read(
        "http_req_duration{name:/quality/analyze, method:POST}: p(99.9) <= 1.5s over 30s in steady abort after 10s",
    );
    assert_eq!(threshold.metric, "http_req_duration");
    let tags = [("name", "/quality/analyze"), ("method", "POST")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(threshold.tags, tags);
    assert_eq!(threshold.aggregation, Aggregation::Percentile(99.9));
    assert_eq!((threshold.comparison, threshold.limit), (Operator::LessOrEqual, 1500.0));
    assert_eq!(threshold.window, Some(Duration::from_secs(30)));
    assert_eq!(threshold.phase.as_deref(), Some("steady"));
    assert_eq!(threshold.abort_after, Some(Duration::from_secs(10)));
    assert_eq!(threshold.selector(), "http_req_duration{name:/quality/analyze,method:POST}");
    assert_eq!(threshold.expression, "p(99.9) <= 1.5s over 30s in steady abort after 10s");
    assert_eq!(threshold.scope(), "any 30s of steady");
    assert_eq!(read("checks: rate > 0.9 abort").abort_after, Some(Duration::ZERO));
    assert_eq!(read("checks:rate>0.9 in \"peak load\" over 1m").phase.as_deref(), Some("peak load"));
}

#[test]
fn expressions_of_k6() {
    for (text, limit) in [
        ("http_req_duration: p(95)<500", 500.0),
        ("http_req_failed: rate<0.01", 0.01),
        ("http_req_duration{expected_response:true}: p(99.9) < 2000", 2000.0),
        ("http_reqs:count>=1e3", 1000.0),
        ("http_req_duration: med===12.5", 12.5),
        ("iterations: rate > 4", 4.0),
        ("queue: value!=-3", -3.0),
        ("checks{check:status is 200}: rate == 1", 1.0),
    ] {
        assert_eq!(read(text).limit, limit, "{text}");
    }
}

#[test]
fn units_wherever_a_number_is() {
    for (text, limit, quantity) in [
        ("http_req_duration: avg < 250us", 0.25, Quantity::Time),
        ("http_req_duration: avg < 2 s", 2000.0, Quantity::Time),
        ("iteration_duration: max < 1m30s", 90_000.0, Quantity::Time),
        ("iteration_duration: max < 2m", 120_000.0, Quantity::Time),
        ("http_req_failed: rate < 1 %", 0.01, Quantity::Share),
        ("http_req_failed: count < 3", 3.0, Quantity::Number),
        ("http_reqs: rate > 50/s", 50.0, Quantity::PerSecond),
        ("http_req_duration: rate > 50/s", 50.0, Quantity::PerSecond),
        ("data_received: count < 10MB", 1e7, Quantity::Bytes),
        ("data_received: rate < 10 kB/s", 1e4, Quantity::BytesPerSecond),
        ("target_cpu: avg < 85%", 85.0, Quantity::Percent),
        ("target_memory: max < 1GiB", 1_073_741_824.0, Quantity::Bytes),
        ("vus: max <= 10", 10.0, Quantity::Number),
        ("price: p(50) < 2kB", 2000.0, Quantity::Number),
        ("render_time: max < 2s", 2000.0, Quantity::Time),
        ("orders: sum > 7", 7.0, Quantity::Number),
    ] {
        let threshold = read(text);
        assert_eq!((threshold.limit, threshold.quantity), (limit, quantity), "{text}");
    }
}

#[test]
fn values_of_tags_may_hold_anything() {
    let value = |text: &str| read(text).tags.swap_remove(0).1;
    assert_eq!(value("http_reqs{name:/items/{id}}: count > 1"), "/items/{id}");
    assert_eq!(value("http_reqs{ name : http://x/y?a=b }: count > 1"), "http://x/y?a=b");
    assert_eq!(value("http_reqs{name:\"a, b}: c\"}: count > 1"), "a, b}: c");
    assert_eq!(value("http_reqs{name:'größe'}: count > 1"), "größe");
}

#[test]
fn problems_point_at_the_characters() {
    refused("", "", "name of a metric, as in http_req_duration: p(95) < 200ms, not the end");
    refused("http_req_duraton: p(95) < 1", "http_req_duraton", "did you mean 'http_req_duration'");
    refused("my_own: p(95) < 1", "my_own", "metrics::trend(\"my_own\")");
    refused("ordrs: count > 1", "ordrs", "did you mean 'orders'");
    refused("http_req_duration p(95) < 1", "p", "expected ':'");
    refused("http_req_duration: p95 < 1", "p95", "did you mean 'p(95)'");
    refused("http_req_duration: median < 1", "median", "did you mean 'med'");
    refused("http_req_duration: mx < 1", "mx", "did you mean 'max'");
    refused("http_req_duration: p(101) < 1", "101", "from 0 to 100");
    refused("http_req_duration: p(9x) < 1", "9x", "not a percentile");
    refused("http_req_duration: value < 1", "value", "has no value; it has avg");
    refused("http_reqs: p(95) < 1", "p(95)", "is a counter, which has no p(N)");
    refused("queue: avg < 1", "avg", "is a gauge");
    refused("http_reqs: count = 1", "=", "did you mean '=='");
    refused("http_reqs: count", "", "expected a comparison");
    refused("http_reqs: count > ", "", "expected a number");
    refused("http_reqs: count > many", "many", "is not a number");
    refused("http_req_duration: p(95) < 5 parsecs", "parsecs", "expected a time");
    refused("http_req_failed: rate < 5ms", "ms", "a share from 0 to 1");
    refused("http_reqs: rate > 5MB/s", "MB/s", "expected /s");
    refused("http_reqs: count > 1 ovr 30s", "ovr", "did you mean 'over'");
    refused("http_reqs: count > 1 over", "", "expected a time after 'over'");
    refused("http_reqs: count > 1 over 1.5s", "1.5s", "whole seconds");
    refused("http_reqs: count > 1 over 2h", "2h", "to 1h");
    refused("http_reqs: count > 1 in", "", "expected a phase");
    refused("http_reqs: count > 1 in a in b", "in", "duplicate");
    refused("http_reqs: count > 1 abort after soon", "soon", "is not a duration");
    refused("http_reqs: count > 1/s abort now", "/s", "plain number");
    refused("http_reqs{name}: count > 1", "}", "a value after the tag 'name'");
    refused("http_reqs{name:/x: count > 1", "{", "unclosed brace");
    refused("http_reqs{name:\"/x}: count > 1", "\"/x}: count > 1", "unclosed quote");
    refused("http_reqs{status:5xx}: count > 1", "5xx", "not a status");
    refused("http_reqs{name:a,name:b}: count > 1", "name", "duplicate");
    refused("vus{scenario:a}: max < 1", "scenario", "has no tags");
    refused("iterations{name:a}: count > 1", "name", "only the tag 'scenario'");
    refused("checks{status:200}: rate > 1", "status", "tag of requests");
}

#[test]
fn several_problems_of_one_expression() {
    let text = "http_req_duratoin{name:/x}: p(95) < 1 abort nw";
    assert_eq!(parse(text, &[]).unwrap_err().len(), 2);
    let text = "vus{scenario:a}: count < 1ms";
    assert_eq!(parse(text, &[]).unwrap_err().len(), 3);
}

#[test]
fn nothing_that_is_typed_makes_it_panic() {
    let seed = "http_req_duration{name:/x,é:ü}: p(95) <= 1.5e3ms over 30s in 'a' abort after 1m";
    for end in seed.char_indices().map(|(at, _)| at) {
        for other in ["", "{", "\"", "é", "p(", "-", "1e", ":", " "] {
            let text = format!("{}{other}", &seed[..end]);
            if let Err(problems) = parse(&text, &[]) {
                problems.iter().for_each(|problem| drop(problem.shown("here", &text)));
            }
            let _ = parse(&format!("{other}{}", &seed[end..]), &[]);
        }
    }
}
