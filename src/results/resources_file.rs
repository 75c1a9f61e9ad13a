//! `resources.csv`: a row for each sample of machine, generator and target.
//!
//! Columns are the resource metrics by their names, in bytes, bytes per second, percent and counts. A figure
//! without data is `N/A`, never 0.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::ResultsError;
use super::growing_file::GrowingFile;
use super::tables::{NO_DATA, Table, decimals};
use super::utc::epoch_seconds;
use crate::metrics::{Log, RESOURCE_METRICS, ResourceSample};

/// The samples of a run, or of a monitor alone, as a growing file.
#[derive(Debug)]
pub struct ResourcesFile {
    path: PathBuf,
    /// Made with the first sample: a run that watches nothing has no file.
    file: Option<GrowingFile>,
    samples: usize,
}

impl ResourcesFile {
    /// The file at this path; it is made with the first sample.
    pub fn new(path: &Path) -> ResourcesFile {
        ResourcesFile { path: path.to_owned(), file: None, samples: 0 }
    }

    /// Appends the samples that are not in it yet. `started_at` is what their time counts from.
    ///
    /// # Errors
    /// [`ResultsError`] when the file cannot be made or written; what is missing is written with the next call.
    pub fn update(
        &mut self,
        samples: &Log<ResourceSample>,
        started_at: SystemTime,
    ) -> Result<(), ResultsError> {
        let new = samples.since(self.samples);
        if new.is_empty() {
            return Ok(());
        }
        let mut table = Table::headless();
        new.iter().for_each(|sample| table.row(&row(sample, started_at)));
        let file = match &mut self.file {
            Some(file) => file,
            empty => {
                let mut file = GrowingFile::create(self.path.clone())?;
                file.append(&header())?;
                empty.insert(file)
            }
        };
        file.append(&table.into_bytes())?;
        self.samples += new.len();
        Ok(())
    }
}

fn header() -> Vec<u8> {
    let metrics = RESOURCE_METRICS.iter().map(|metric| metric.name);
    let columns: Vec<&str> = ["Timestamp", "elapsed_s", "interval_s"].into_iter().chain(metrics).collect();
    Table::new(&columns).into_bytes()
}

fn row(sample: &ResourceSample, started_at: SystemTime) -> Vec<String> {
    let mut cells = vec![
        epoch_seconds(started_at + sample.at).to_string(),
        decimals(sample.at.as_secs_f64(), 3),
        decimals(sample.length.as_secs_f64(), 3),
    ];
    let cell = |value: Option<f64>| value.map_or_else(|| NO_DATA.to_owned(), |value| decimals(value, 2));
    cells.extend(sample.values().map(cell));
    cells
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::ProcessUse;

    #[test]
    fn a_row_has_the_columns_of_the_header() {
        let target =
            Some(ProcessUse { processes: 2, cpu: Some(12.346), memory: 1024, ..ProcessUse::default() });
        let at = Duration::from_millis(2_001);
        let sample =
            ResourceSample { at, length: Duration::from_secs(1), target, ..ResourceSample::default() };
        let header = String::from_utf8(header()).unwrap();
        let row = row(&sample, SystemTime::UNIX_EPOCH + Duration::from_secs(100));
        assert_eq!(row.len(), header.trim().split(',').count());
        assert!(header.starts_with("Timestamp,elapsed_s,interval_s,target_cpu,target_memory,"), "{header}");
        assert_eq!(row[..6], ["102", "2.001", "1", "12.35", "1024", "N/A"]);
    }

    #[test]
    fn each_sample_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resources.csv");
        let mut file = ResourcesFile::new(&path);
        let mut log = Log::default();
        file.update(&log, SystemTime::UNIX_EPOCH).unwrap();
        assert!(!path.exists(), "nothing was watched");
        for at in 1..=3 {
            log.push(ResourceSample { at: Duration::from_secs(at), ..ResourceSample::default() });
            file.update(&log, SystemTime::UNIX_EPOCH).unwrap();
            file.update(&log, SystemTime::UNIX_EPOCH).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let times: Vec<&str> = text.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
        assert_eq!(times, ["1", "2", "3"]);
    }
}
