//! `resources.csv`: a row for each sample of machine, generator and target.
//!
//! Columns are the resource metrics by their names, in bytes, bytes per second, percent and counts. A figure
//! without data is `N/A`, never 0.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::error::ResultsError;
use super::growing_file::GrowingFile;
use super::tables::{NO_DATA, Table, decimals};
use crate::metrics::{Log, ProcessUse, ResourceSample, SystemUse, builtin};
use crate::text::utc::epoch_seconds;

/// The samples of a run, or of a monitor alone, as a growing file.
#[derive(Debug)]
pub struct ResourcesFile {
    path: PathBuf,
    /// Created with the first sample: a run that monitors nothing has no file.
    file: Option<GrowingFile>,
    samples: usize,
}

impl ResourcesFile {
    /// The file at this path; it is created with the first sample.
    pub fn new(path: &Path) -> ResourcesFile {
        ResourcesFile { path: path.to_owned(), file: None, samples: 0 }
    }

    /// Appends the samples that are not in it yet. `started_at` is what their time counts from.
    ///
    /// # Errors
    /// [`ResultsError`] if the file cannot be created or written; the next call writes what is missing.
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

/// The samples of a `resources.csv`, up to the last complete row.
pub(crate) fn read_resources(path: &Path) -> Result<Vec<ResourceSample>, String> {
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_slice());
    let columns = reader.headers().map_err(|error| error.to_string())?.clone();
    let samples = reader.byte_records().map_while(Result::ok).filter(|row| row.len() == columns.len());
    Ok(samples.filter_map(|row| sample(&columns, &row)).collect())
}

fn sample(columns: &csv::StringRecord, row: &csv::ByteRecord) -> Option<ResourceSample> {
    let value = |name: &str| -> Option<f64> {
        let index = columns.iter().position(|column| column == name)?;
        std::str::from_utf8(row.get(index)?).ok()?.parse().ok()
    };
    let count = |name: &str| value(name).map(|value| value.max(0.0) as u64);
    let process = |whose: &str| {
        let of = |what: &str| format!("{whose}_{what}");
        Some(ProcessUse {
            processes: count(&of("processes")).unwrap_or(1) as usize,
            cpu: value(&of("cpu")),
            memory: count(&of("memory"))?,
            threads: count(&of("threads")),
            fds: count(&of("fds")),
            disk_read: value(&of("disk_read")),
            disk_written: value(&of("disk_written")),
        })
    };
    let seconds = |name: &str| Duration::try_from_secs_f64(value(name)?).ok();
    Some(ResourceSample {
        at: seconds("elapsed_s")?,
        length: seconds("interval_s")?,
        system: SystemUse {
            cpu: value("system_cpu"),
            memory: count("system_memory"),
            net_sent: value("system_net_sent"),
            net_received: value("system_net_received"),
            disk_read: value("system_disk_read"),
            disk_written: value("system_disk_written"),
        },
        generator: process("generator"),
        target: process("target"),
    })
}

fn header() -> Vec<u8> {
    let metrics = builtin::resources().map(|metric| metric.name);
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
    cells.extend(sample.values().map(|(_, value)| cell(value)));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn samples_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resources.csv");
        let sample = ResourceSample {
            at: Duration::from_millis(2_001),
            length: Duration::from_secs(1),
            system: SystemUse { cpu: Some(12.5), memory: Some(7), ..SystemUse::default() },
            generator: None,
            target: Some(ProcessUse { processes: 2, memory: 1_024, fds: Some(9), ..ProcessUse::default() }),
        };
        let mut log = Log::default();
        log.push(sample.clone());
        log.push(ResourceSample { at: Duration::from_secs(3), ..sample.clone() });
        ResourcesFile::new(&path).update(&log, SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(read_resources(&path).unwrap()[0], sample);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 30]).unwrap();
        assert_eq!(read_resources(&path).unwrap().len(), 1, "half a row is none");
    }
}
