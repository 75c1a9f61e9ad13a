//! Runs by their age: `last` is the newest run below a folder, `last~1` the one before it.
//!
//! Owns the words and the order. Leaves what is in a run to its readers.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

use super::trend::run_folders;

/// Characters of a folder's name that say when the run began: `2026-11-25T09-00-00Z`.
const TIME: usize = 20;

/// How many runs back `last` or `last~N` reaches; `None` for any other word.
pub fn runs_back(named: &str) -> Option<usize> {
    match named.strip_prefix("last")? {
        "" => Some(0),
        rest => {
            let digits = rest.strip_prefix('~')?;
            // A sign is no digit.
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        }
    }
}

/// The run so many runs before the newest one below `results`, of whatever test.
///
/// # Errors
/// A sentence, if there are not that many.
pub(super) fn last_run(back: usize, results: &Path) -> Result<PathBuf, String> {
    let folders = run_folders(results).unwrap_or_default();
    let count = folders.len();
    if let Some(found) = nth_newest(back, folders) {
        return Ok(found);
    }
    let results = results.display();
    Err(match count {
        0 => format!("there are no runs in {results}"),
        1 => format!("there is only one run in {results}: last"),
        count => format!("there are only {count} runs in {results}: last to last~{}", count - 1),
    })
}

/// Of some folders of runs, the one so many runs before the newest.
pub fn nth_newest(back: usize, mut folders: Vec<PathBuf>) -> Option<PathBuf> {
    // Names begin with the time, so that only runs that began in the same second have to be read.
    folders.sort();
    folders.reverse();
    let mut skipped = 0;
    for second in folders.chunk_by(|a, b| time_of(a) == time_of(b)) {
        if back >= skipped + second.len() {
            skipped += second.len();
            continue;
        }
        let mut second = second.to_vec();
        if second.len() > 1 {
            second.sort_by_cached_key(|folder| {
                std::cmp::Reverse((started_at(folder), begun(folder), folder.clone()))
            });
        }
        return Some(second.swap_remove(back - skipped));
    }
    None
}

fn time_of(folder: &Path) -> Option<String> {
    let name = folder.file_name()?.to_string_lossy();
    name.get(..TIME).map(str::to_owned)
}

/// When the copy of a run's script was made, with its first request still to come: it tells runs apart that began in the
/// same second. `None` for a run that was copied without its script.
pub(super) fn begun(folder: &Path) -> Option<SystemTime> {
    fs::metadata(folder.join("script")).and_then(|script| script.modified()).ok()
}

/// RFC 3339 in UTC, which sorts as text; empty for a run that cannot be read.
fn started_at(folder: &Path) -> String {
    let json = fs::read(folder.join("run.json")).ok().and_then(|text| serde_json::from_slice(&text).ok());
    json.and_then(|json: Value| Some(json["started_at"].as_str()?.to_owned())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_name_a_run_by_its_age() {
        assert_eq!(["last", "last~0", "last~12"].map(runs_back), [Some(0), Some(0), Some(12)]);
        for other in
            ["", "Last", "last~", "last~x", "last~-1", "last~+1", "last-1", "last1", "latest", "last~1 "]
        {
            assert_eq!(runs_back(other), None, "{other}");
        }
        assert_eq!(runs_back("last~99999999999999999999999"), None, "no number");
    }

    #[test]
    fn runs_are_ordered_by_their_start_not_by_their_names() {
        let root = tempfile::tempdir().unwrap();
        let run = |name: &str, started: &str| {
            fs::create_dir(root.path().join(name)).unwrap();
            fs::write(root.path().join(name).join("run.json"), format!("{{\"started_at\":\"{started}\"}}"))
                .unwrap();
        };
        run("2026-11-25T09-00-00Z_z", "2026-11-25T09:00:00.1Z");
        run("2026-11-25T09-00-01Z_shop", "2026-11-25T09:00:01.1Z");
        run("2026-11-25T09-00-01Z_shop-10", "2026-11-25T09:00:01.9Z");
        run("2026-11-25T09-00-01Z_shop-2", "2026-11-25T09:00:01.2Z");
        run("2026-11-25T09-00-02Z_a", "damaged\\");
        fs::create_dir(root.path().join("2026-11-25T09-00-03Z_monitor")).unwrap();
        let names: Vec<String> = (0..5)
            .map(|back| {
                last_run(back, root.path()).unwrap().file_name().unwrap().to_str().unwrap()[17..].to_owned()
            })
            .collect();
        assert_eq!(names, ["02Z_a", "01Z_shop-10", "01Z_shop-2", "01Z_shop", "00Z_z"]);
        assert!(last_run(5, root.path()).unwrap_err().ends_with("last to last~4"));
    }
}
