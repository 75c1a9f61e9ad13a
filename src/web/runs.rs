//! The runs on disk, as the page lists and opens them. Invariant: nothing outside the results directory is read.

use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use super::launcher::Refusal;
use crate::analysis::{DEFAULT_NOISE, TrendPoint};
use crate::report::{Model, comparison_page, html_report};
use crate::results::{StoredRun, Trend, compare};
use crate::text::format;

/// Most runs in the list, the newest ones.
const MOST_RUNS: usize = 200;

/// Runs of the same test that a report shows beside its own.
const LAST_RUNS: usize = 20;

/// The file in a run's folder that holds its token while it is on.
pub const CONTROL_FILE: &str = "control.json";

/// Most bytes of a file that is given.
const MOST_BYTES: u64 = 256 << 20;

/// The runs, newest first.
pub(super) fn list(root: &Path) -> Value {
    let mut points = Trend::read(root, None).map(|trend| trend.points).unwrap_or_default();
    points.sort_by(|a, b| b.started_at.cmp(&a.started_at));
    points.truncate(MOST_RUNS);
    json!({ "runs": points.iter().map(run).collect::<Vec<_>>() })
}

fn run(point: &TrendPoint) -> Value {
    let latency = |index: usize| point.latency_ms.map(|latency| latency[index]);
    let users = point.users_max.or(point.users);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let shown_latency = |index| or_dash(latency(index).map(|ms| format::latency((ms * 1e3).round() as u64)));
    json!({
        "id": point.folder,
        "name": point.name,
        "started_at": point.started_at,
        "users": users,
        "requests": point.requests,
        "rate": point.rate,
        "failed_share": point.failed_share,
        "latency_ms": { "p50": latency(0), "p95": latency(1), "p99": latency(2) },
        "passed": point.passed,
        "shown": {
            "users": or_dash(users.map(format::count)),
            "requests": format::count(point.requests),
            "rate": format::rate(point.rate),
            "failed": or_dash(point.failed_share.map(format::percent)),
            "p50": shown_latency(0),
            "p95": shown_latency(1),
            "p99": shown_latency(2),
        },
    })
}

/// A run's folder.
fn folder(root: &Path, id: &str) -> Result<PathBuf, Refusal> {
    let found = child(root, id).filter(|folder| folder.is_dir());
    found.ok_or_else(|| {
        Refusal::NotFound("there is no run of that name; GET /api/v1/runs lists them".to_owned())
    })
}

/// What lies directly in a folder under a plain name, and is no link to elsewhere.
fn child(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut parts = Path::new(name).components();
    let (Some(Component::Normal(part)), None) = (parts.next(), parts.next()) else { return None };
    // How a run is steered is nobody's business who can only look.
    if part.to_str() != Some(name) || name.contains(['\\', '\0']) || name == CONTROL_FILE {
        return None;
    }
    let path = folder.join(part);
    let is_inside = path.canonicalize().ok()?.parent() == Some(folder.canonicalize().ok()?.as_path());
    is_inside.then_some(path)
}

/// A file of a run, with its kind.
pub(super) fn file(root: &Path, id: &str, name: &str) -> Result<(&'static str, Vec<u8>), Refusal> {
    let folder = folder(root, id)?;
    let nothing = || Refusal::NotFound("the run has no file of that name".to_owned());
    let path = child(&folder, name).filter(|path| path.is_file()).ok_or_else(nothing)?;
    let kind = match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => "application/json",
        Some("csv") => "text/csv; charset=utf-8",
        // Whatever it is, a browser shall not take it for a page.
        _ => "text/plain; charset=utf-8",
    };
    let length = path.metadata().map(|metadata| metadata.len()).unwrap_or(0);
    if length > MOST_BYTES {
        return Err(Refusal::NotNow(format!("the file has {length} bytes; take it from {}", path.display())));
    }
    std::fs::read(&path).map(|bytes| (kind, bytes)).map_err(|_| nothing())
}

/// The report of a run, from its files.
pub(super) fn report(root: &Path, id: &str) -> Result<String, Refusal> {
    let folder = folder(root, id)?;
    let run = StoredRun::read(&folder).map_err(|error| Refusal::NotFound(error.to_string()))?;
    let model = Model::new(&run.record, &run.recording.intervals, &run.problems);
    Ok(html_report(&model.among(Trend::up_to(&folder, LAST_RUNS))))
}

/// What changed from one run to a later one.
pub(super) fn comparison(root: &Path, before: &str, after: &str) -> Result<String, Refusal> {
    let (before, after) = (folder(root, before)?, folder(root, after)?);
    let comparison =
        compare(&before, &after, DEFAULT_NOISE).map_err(|error| Refusal::NotFound(error.to_string()))?;
    Ok(comparison_page(&comparison))
}

/// A name for a file that is saved.
pub(super) fn safe(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_in_the_list_has_the_users_that_ran_or_of_old_those_that_were_planned() {
        let mut point = crate::fixture::last_runs(1).remove(0);
        (point.users, point.users_max) = (Some(1_003), Some(5));
        assert_eq!(run(&point)["users"], 5);
        let shown = run(&point)["shown"].clone();
        // As the report has them.
        let expected = json!({
            "users": "5", "requests": "12,345", "rate": "120.0", "failed": "1.2", "p50": "20ms", "p95": "80ms", "p99": "150ms"
        });
        assert_eq!(shown, expected);
        point.users_max = None;
        assert_eq!(run(&point)["users"], 1_003);
    }

    #[test]
    fn nothing_outside_the_results_is_found() {
        let root = std::env::temp_dir().join(format!("rhaid-runs-{}", std::process::id()));
        let run = root.join("results").join("run");
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(root.join("secret"), "s").unwrap();
        std::fs::write(run.join("run.json"), "{}").unwrap();
        let results = root.join("results");
        assert_eq!(file(&results, "run", "run.json").unwrap(), ("application/json", b"{}".to_vec()));
        for (id, name) in [
            ("..", "secret"),
            ("run", "../../secret"),
            ("run/..", "secret"),
            (".", "run"),
            ("", "run.json"),
            ("run", ".."),
            ("run", ""),
            ("/", "secret"),
            ("run", "./run.json"),
            ("run/", "run.json"),
            ("run", "run.json/"),
            ("run\0", "run.json"),
        ] {
            assert!(matches!(file(&results, id, name), Err(Refusal::NotFound(_))), "{id} {name}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(root.join("secret"), run.join("link")).unwrap();
            std::os::unix::fs::symlink(&root, results.join("away")).unwrap();
            assert!(file(&results, "run", "link").is_err());
            assert!(file(&results, "away", "secret").is_err());
        }
        std::fs::remove_dir_all(&root).unwrap();
    }
}
