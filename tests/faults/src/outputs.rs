//! What a run says of itself, in every place, and whether the places agree.
//!
//! Pure but for reading files. Invariant: nothing here knows what the server saw.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A request as the samples tell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// How often it is counted.
    pub(crate) times: i64,
    pub(crate) failed: bool,
    pub(crate) status: u16,
}

/// Requests by their id.
pub(crate) type Samples = BTreeMap<String, Sample>;

/// The places that have to agree; some cannot be written while some faults last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Terminal,
    RunFolder,
    Junit,
    Markdown,
    Html,
    Samples,
}

/// Counts of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) requests: u64,
    pub(crate) failures: u64,
    pub(crate) interrupted: u64,
    pub(crate) retries: u64,
    /// The longest request, in milliseconds.
    pub(crate) longest_ms: f64,
    pub(crate) samples: Samples,
    pub(crate) json: Value,
}

/// The only folder of a run below the folder that it ran in.
pub(crate) fn run_folder(root: &Path) -> Option<PathBuf> {
    let mut entries = std::fs::read_dir(root).ok()?.flatten().map(|entry| entry.path());
    entries.find(|path| path.join("script").is_dir() || path.join("run.json").is_file())
}

/// Reads all places and compares them. Everything that does not agree is in the second part.
pub(crate) fn counted(
    folder: &Path,
    results: &Path,
    stdout: &str,
    without: &[Place],
) -> (Counted, Vec<String>) {
    let mut wrong = Vec::new();
    let has = |place| !without.contains(&place);
    let mut counted = Counted::default();
    let mut figures: Vec<(String, u64, u64)> = Vec::new();

    if has(Place::RunFolder) {
        match run_folder(results) {
            Some(run) => of_folder(&run, &mut counted, &mut figures, &mut wrong),
            None => wrong.push("there is no run folder".to_owned()),
        }
    }
    if has(Place::Terminal) {
        of_terminal(stdout, &mut figures, &mut wrong);
    }
    let read = |name: &str, wrong: &mut Vec<String>| {
        std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| {
            wrong.push(format!("{name}: {error}"));
            String::new()
        })
    };
    if has(Place::Samples) {
        let text = read("samples.json", &mut wrong);
        let (samples, requests, failures) = of_samples(&text, &mut wrong);
        counted.samples = samples;
        figures.push(("samples".to_owned(), requests, failures));
    }
    if let Some((_, requests, failures)) = figures.first() {
        (counted.requests, counted.failures) = (*requests, *failures);
    }
    let (requests, failures) = (counted.requests, counted.failures);
    for (place, here, failed) in &figures {
        if (*here, *failed) != (requests, failures) {
            wrong.push(format!(
                "{place}: {here} requests, {failed} failed; {}: {requests}, {failures}",
                figures[0].0
            ));
        }
    }
    let total = format!("{requests} requests");
    if has(Place::Junit) && !plain(&read("junit.xml", &mut wrong)).contains(&format!(">{total} in ")) {
        wrong.push(format!("JUnit does not say {total}"));
    }
    if has(Place::Markdown)
        && !plain(&read("run.md", &mut wrong)).contains(&format!("**{requests}** requests"))
    {
        wrong.push(format!("Markdown does not say {total}"));
    }
    if has(Place::Html) {
        match of_html(&read("run.html", &mut wrong)) {
            Some(here) if here == (requests, failures) => {}
            here => wrong.push(format!("the HTML report has {here:?}")),
        }
    }
    (counted, wrong)
}

fn plain(text: &str) -> String {
    text.replace(',', "")
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(u64::MAX)
}

fn sum(rows: &Value, column: &str) -> u64 {
    rows.as_array().map_or(u64::MAX, |rows| rows.iter().map(|row| number(&row[column])).sum())
}

fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let Ok(mut reader) = csv::Reader::from_path(path) else { return Vec::new() };
    reader.deserialize().flatten().collect()
}

fn cell(row: Option<&BTreeMap<String, String>>, column: &str) -> u64 {
    row.and_then(|row| row.get(column)?.parse().ok()).unwrap_or(u64::MAX)
}

/// `run.json`, within itself too, and the CSV files.
fn of_folder(
    run: &Path,
    counted: &mut Counted,
    figures: &mut Vec<(String, u64, u64)>,
    wrong: &mut Vec<String>,
) {
    let text = std::fs::read_to_string(run.join("run.json")).unwrap_or_default();
    let json: Value = match serde_json::from_str(&text) {
        Ok(json) => json,
        Err(error) => return wrong.push(format!("run.json: {error}")),
    };
    let values = |metric: &str, value: &str| json["metrics"][metric]["values"][value].as_u64();
    let mut add = |place: &str, requests, failures| figures.push((place.to_owned(), requests, failures));
    add("run.json", number(&json["total"]["requests"]), number(&json["total"]["failures"]));
    add(
        "run.json metrics",
        values("http_reqs", "count").unwrap_or(u64::MAX),
        values("http_req_failed", "passes").unwrap_or(u64::MAX),
    );
    for part in ["endpoints", "scenarios"] {
        add(&format!("run.json {part}"), sum(&json[part], "requests"), sum(&json[part], "failures"));
    }
    let statuses = json["total"]["statuses"].as_object();
    let statuses = statuses.map_or(u64::MAX, |counts| counts.values().map(number).sum());
    add("run.json statuses and groups", statuses, sum(&json["failures"], "count"));
    let latencies = |name: &str| json["total"][name]["count"].as_u64().unwrap_or(0);
    let (ok, failed) = (latencies("latency_ms"), latencies("failed_latency_ms"));
    add("run.json latencies", ok + failed, failed);

    let stats = rows(&run.join("stats.csv"));
    let (total, endpoints) = stats.split_last().map_or((None, &[][..]), |(last, rest)| (Some(last), rest));
    add("stats.csv", cell(total, "Request Count"), cell(total, "Failure Count"));
    let of = |column| endpoints.iter().map(|row| cell(Some(row), column)).fold(0, u64::saturating_add);
    add("stats.csv endpoints", of("Request Count"), of("Failure Count"));
    let history = rows(&run.join("stats_history.csv"));
    add(
        "stats_history.csv",
        cell(history.last(), "Total Request Count"),
        cell(history.last(), "Total Failure Count"),
    );
    let groups = rows(&run.join("failures.csv"));
    let groups = groups.iter().map(|row| cell(Some(row), "Occurrences")).fold(0, u64::saturating_add);
    add("failures.csv", number(&json["total"]["requests"]), groups);
    let timeline = rows(&run.join("timeline.csv"));
    let of = |column| timeline.iter().map(|row| cell(Some(row), column)).fold(0, u64::saturating_add);
    figures.push(("timeline.csv".to_owned(), of("requests"), of("failures")));

    counted.interrupted = json["interrupted_requests"].as_u64().unwrap_or(0);
    counted.retries = values("http_req_retries", "count").unwrap_or(0);
    let longest = |name: &str| json["total"][name]["p100"].as_f64().unwrap_or(0.0);
    counted.longest_ms = longest("latency_ms").max(longest("failed_latency_ms"));
    counted.json = json;
}

/// The row of the total and the verdict.
fn of_terminal(stdout: &str, figures: &mut Vec<(String, u64, u64)>, wrong: &mut Vec<String>) {
    let row = stdout.lines().find(|line| line.contains("Aggregated")).unwrap_or_default();
    let mut cells = row.split_whitespace().skip_while(|cell| *cell != "Aggregated").skip(1);
    let requests = cells.next().and_then(|cell| plain(cell).parse().ok()).unwrap_or(u64::MAX);
    let verdict = plain(stdout.trim_end().lines().last().unwrap_or_default());
    if !verdict.contains(&format!("{requests} requests")) {
        wrong.push(format!("the verdict does not say {requests} requests: {verdict}"));
    }
    let words: Vec<&str> = verdict.split_whitespace().collect();
    // `4 failed (0.30 %)`; iterations that failed are `of` something.
    let failed = words.windows(3).find(|words| words[1] == "failed" && words[2].starts_with('('));
    let failures = failed.map_or(Some(0), |words| words[0].parse().ok()).unwrap_or(u64::MAX);
    figures.push(("terminal".to_owned(), requests, failures));
}

/// The total in the figures that the page carries.
fn of_html(page: &str) -> Option<(u64, u64)> {
    let figures = page.split_once("id=\"figures\">")?.1.split_once("</script>")?.0;
    let figures: Value = serde_json::from_str(figures).ok()?;
    let columns = figures["endpoints"]["columns"].as_array()?;
    let column = |name: &str| columns.iter().position(|column| column == name);
    let (name, requests, failures) = (column("name")?, column("requests")?, column("failures")?);
    let rows = figures["endpoints"]["rows"].as_array()?;
    let total = rows.iter().find(|row| row[name] == "Aggregated")?;
    Some((total[requests].as_u64()?, total[failures].as_u64()?))
}

fn of_samples(text: &str, wrong: &mut Vec<String>) -> (Samples, u64, u64) {
    let mut samples = Samples::new();
    let (mut requests, mut failures) = (0, 0);
    // Of a run that was killed, the last line may be cut.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for line in whole.lines() {
        let Ok(value) = serde_json::from_str::<Value>(line) else {
            wrong.push(format!("a line of the samples is no JSON: {line:.80}"));
            continue;
        };
        let (data, tags) = (&value["data"], &value["data"]["tags"]);
        if value["type"] != "Point" {
            continue;
        }
        let sample = || tags["id"].as_str().map(str::to_owned);
        match value["metric"].as_str() {
            Some("http_reqs") => {
                let count = data["value"].as_i64().unwrap_or(0);
                requests += count;
                if let Some(id) = sample() {
                    let entry = samples.entry(id).or_default();
                    entry.times += count;
                    entry.status =
                        tags["status"].as_str().and_then(|status| status.parse().ok()).unwrap_or(0);
                }
            }
            Some("http_req_failed") if data["value"] == 1 => {
                failures += if tags["taken_back"].is_null() { 1 } else { -1 };
                if let Some(id) = sample() {
                    samples.entry(id).or_default().failed = true;
                }
            }
            _ => {}
        }
    }
    (samples, u64::try_from(requests).unwrap_or(u64::MAX), u64::try_from(failures).unwrap_or(u64::MAX))
}
