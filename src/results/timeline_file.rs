//! `timeline.csv`: what the run was doing, second by second, appended as it goes.
//!
//! Owns its columns, for writing and for reading. Leaves latencies to `latency.hlog`.

use std::path::PathBuf;
use std::time::Duration;

use super::error::ResultsError;
use super::growing_file::GrowingFile;
use crate::metrics::{HistoryPoint, Snapshot};
use crate::text::clean_line;

/// The first line.
pub(crate) const HEADER: &str = "elapsed_s,length_s,phase,users,users_target,in_flight,requests,failures,stage,iterations_planned,users_peak\n";

/// One row.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TimelineRow {
    /// End of the interval, as time since the start of the load.
    pub at: Duration,
    /// Its length.
    pub length: Duration,
    /// What the run was doing at its end.
    pub phase: String,
    /// Virtual users at its end.
    pub users: u64,
    /// Virtual users that should have run at its end.
    pub users_target: u64,
    /// Requests that waited for their response at its end.
    pub in_flight: u64,
    /// Requests that got their verdict in it; negative when verdicts were taken back.
    pub requests: i64,
    /// Those of them that failed.
    pub failures: i64,
    /// Name of the stage at its end, if it had one.
    pub stage: Option<String>,
    /// Iterations of a rate that were due until its end.
    pub iterations_planned: Option<u64>,
    /// Most virtual users within it; older files do not say.
    pub users_peak: Option<u64>,
}

/// See the module's description.
#[derive(Debug)]
pub(crate) struct TimelineFile {
    file: GrowingFile,
    points: usize,
}

impl TimelineFile {
    pub(crate) fn create(path: PathBuf) -> Result<Self, ResultsError> {
        let mut file = GrowingFile::create(path)?;
        file.append(HEADER.as_bytes())?;
        Ok(TimelineFile { file, points: 0 })
    }

    /// Appends the points that are not in it yet and change no more.
    pub(crate) fn update(&mut self, snapshot: &Snapshot) -> Result<(), ResultsError> {
        let points = snapshot.history.settled_since(self.points);
        if points.is_empty() {
            return Ok(());
        }
        let rows: String = points.iter().map(|point| row(point)).collect();
        self.file.append(rows.as_bytes())?;
        self.points += points.len();
        Ok(())
    }
}

/// A name as a cell. Line breaks become spaces: a row is a line, so that half a row is known as such.
fn cell(name: &str) -> String {
    let name = clean_line(name);
    if name.contains([',', '"']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name }
}

/// The name at the begin of a text, which is empty without one, and what follows it.
fn name(text: &str) -> Option<(Option<String>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        return Some(((end > 0).then(|| text[..end].to_owned()), &text[end..]));
    };
    // A quote within is two of them.
    let mut from = 0;
    loop {
        let end = from + quoted[from..].find('"')?;
        if !quoted[end + 1..].starts_with('"') {
            return Some((Some(quoted[..end].replace("\"\"", "\"")), &quoted[end + 1..]));
        }
        from = end + 2;
    }
}

fn row(point: &HistoryPoint) -> String {
    format!(
        "{:.3},{:.3},{},{},{},{},{},{},{},{},{}\n",
        point.at.as_secs_f64(),
        point.length.as_secs_f64(),
        point.phase.as_str(),
        point.users,
        point.users_target,
        point.in_flight,
        point.total.requests,
        point.total.failures,
        point.stage.as_deref().map_or_else(String::new, cell),
        point.iterations_planned.map_or_else(String::new, |planned| planned.to_string()),
        point.users_peak,
    )
}

/// A row as it was written; `None` for the header and for half a row.
pub(crate) fn read_row(line: &str) -> Option<TimelineRow> {
    // The name may hold commas; older files end before it, or with it.
    let mut cells = line.splitn(9, ',');
    let mut cell = || cells.next();
    let mut row = TimelineRow {
        at: seconds(cell()?)?,
        length: seconds(cell()?)?,
        phase: cell()?.to_owned(),
        users: cell()?.parse().ok()?,
        users_target: cell()?.parse().ok()?,
        in_flight: cell()?.parse().ok()?,
        requests: cell()?.parse().ok()?,
        failures: cell()?.parse().ok()?,
        stage: None,
        iterations_planned: None,
        users_peak: None,
    };
    let (stage, rest) = name(cell().unwrap_or_default())?;
    row.stage = stage;
    let number = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    match rest.strip_prefix(',') {
        None if rest.is_empty() => {}
        Some(rest) => {
            let (planned, peak) = rest.split_once(',').unwrap_or((rest, ""));
            (row.iterations_planned, row.users_peak) = (number(planned)?, number(peak)?);
        }
        None => return None,
    }
    Some(row)
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_of_a_stage_comes_back_and_older_rows_have_less() {
        let line = |stage: &str| format!("1.000,1.000,steady,5,5,1,10,2{stage}");
        for (stage, read) in [("rush", "rush"), ("a, \"b\"", "a, \"b\""), ("two\nlines", "two lines")] {
            for (planned, number) in [("", None), (",", None), (",70", Some(70))] {
                let row = read_row(&line(&format!(",{}{planned}", cell(stage)))).unwrap();
                assert_eq!((row.stage.as_deref(), row.failures), (Some(read), 2));
                assert_eq!(row.iterations_planned, number);
            }
        }
        for none in ["", ",", ",,"] {
            let row = read_row(&line(none)).unwrap();
            assert_eq!((row.stage, row.iterations_planned), (None, None));
        }
        assert_eq!(read_row(&line(",,70")).unwrap().iterations_planned, Some(70));
        let row = read_row(&line(",rush,,12")).unwrap();
        assert_eq!((row.iterations_planned, row.users_peak), (None, Some(12)));
        assert_eq!(read_row(&line(",,70,12")).unwrap().users_peak, Some(12));
        for damaged in [",rush,7x", ",\"rush", ",\"rush\"70", ",rush,70,1x", ",rush,70,1,"] {
            assert_eq!(read_row(&line(damaged)), None, "{damaged}");
        }
        assert_eq!(read_row(HEADER.trim_end()), None);
    }
}
