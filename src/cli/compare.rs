//! `rhaid compare`, `rhaid baseline` and `rhaid trend`: comparing runs.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use super::args::{BaselineCommand, CompareArgs, TrendArgs};
use super::exit::Exit;
use super::output;
use super::output::write_file;
use super::places::Places;
use super::progress::ColorChoice;
use crate::analysis::comparison_sentence;
use crate::analysis::{Comparison, TrendPoint};
use crate::report::{
    BaselineCurves, Look, comparison_markdown, comparison_page, comparison_table, trend_charts, trend_page,
    trend_table,
};
use crate::results::{self, StoredRun, Trend, baseline_names, find_run, runs_back, save_baseline};

/// Where baselines are kept unless it is said otherwise.
pub(super) const BASELINES_DIR: &str = "performance/benchmarks/baselines";

/// A comparison as one text.
type ComparisonText = fn(&Comparison) -> String;

/// Compares two stored runs.
pub(super) fn compare(args: &CompareArgs) -> Exit {
    let found = |named: &str| find_run(named, &args.places.baselines_dir, &args.places.results_dir);
    let compared = found(&args.before).and_then(|before| Ok((before, found(&args.after)?))).and_then(
        |(before, after)| {
            let mut places = Places::default();
            [&before, &after].into_iter().for_each(|run| places.reads_run("the run's", run));
            places.may_write("--html", args.html.as_ref());
            places.may_write("--markdown", args.markdown.as_ref());
            places.check()?;
            crate::results::compare(&before, &after, args.noise).map_err(|error| error.to_string())
        },
    );
    let comparison = match compared {
        Ok(comparison) => comparison,
        Err(problem) => return refuse(&problem),
    };
    let files: [(_, ComparisonText); 2] =
        [(&args.html, comparison_page), (&args.markdown, comparison_markdown)];
    let mut made = false;
    for (path, text) in files {
        let Some(path) = path else { continue };
        if let Err(problem) = write_file(path, text(&comparison).as_bytes()) {
            return refuse(&problem);
        }
        output::err(&format!("comparison: {}\n", path.display()));
        made = true;
    }
    if args.json {
        output::out(&results::json_text(&comparison.json()));
    } else if made {
        output::out(&format!("{}\n", comparison_sentence(&comparison)));
    } else {
        output::out(&format!("{}\n", comparison_table(&comparison, look()).join("\n")));
    }
    if args.fail_on_regression && comparison.has_regression() { Exit::Regression } else { Exit::Passed }
}

/// Keeps a run as a baseline, or lists those that are kept.
pub(super) fn baseline(command: &BaselineCommand) -> Exit {
    match command {
        BaselineCommand::Save { runs, name, places } => {
            let found = runs.iter().map(|run| find_run(run, &places.baselines_dir, &places.results_dir));
            let runs = match found.collect::<Result<Vec<_>, _>>() {
                Ok(runs) => runs,
                Err(problem) => return refuse(&problem),
            };
            // The parser demands one.
            let Some((first, more)) = runs.split_first() else { return Exit::Usage };
            match save_baseline(first, more, name.as_deref(), &places.baselines_dir) {
                Ok(place) => {
                    output::out(&format!(
                        "{}\nnext: rhaid run SCRIPT --baseline --fail-on-regression\n",
                        place.display()
                    ));
                    Exit::Passed
                }
                Err(error) => refuse(&error.to_string()),
            }
        }
        BaselineCommand::List { places } => {
            let names = baseline_names(&places.baselines_dir);
            if names.is_empty() {
                output::err(&format!("no baselines in {}\n", places.baselines_dir.display()));
            }
            names.iter().for_each(|name| output::out(&format!("{name}\n")));
            Exit::Passed
        }
    }
}

/// Shows the trend over many runs.
pub(super) fn trend(args: &TrendArgs) -> Exit {
    // A folder of this name is meant before the word.
    let asked = args.runs.as_deref();
    let back = asked.filter(|runs| !runs.is_dir()).and_then(Path::to_str).and_then(runs_back);
    let folder = asked.filter(|_| back.is_none()).unwrap_or(&args.results_dir);
    let mut trend = match Trend::read(folder, args.name.as_deref()) {
        Ok(trend) => trend,
        Err(error) => return refuse(&format!("cannot read {}: {error}", folder.display())),
    };
    trend.problems.iter().for_each(|problem| output::err(&format!("warning: skipped: {problem}\n")));
    if trend.points.is_empty() {
        let of = args.name.as_ref().map_or_else(String::new, |name| format!(" of the test '{name}'"));
        return refuse(&format!("no runs{of} in {} (runs with --once do not count)", folder.display()));
    }
    if let Some(Err(count)) = back.map(|back| trend.keep_test_of_last(back)) {
        let runs = if count == 1 { "run" } else { "runs" };
        return refuse(&format!("{} has only {count} {runs}", folder.display()));
    }
    match trend_files(args, folder, &mut trend) {
        Ok(true) => return Exit::Passed,
        Ok(false) => {}
        Err(problem) => return refuse(&problem),
    }
    let tables: Vec<String> = trend
        .groups(args.last)
        .iter()
        .map(|(name, points)| trend_table(name, points, look()).join("\n") + "\n")
        .collect();
    output::out(&tables.join("\n"));
    Exit::Passed
}

/// Writes the requested files; whether there was one.
fn trend_files(args: &TrendArgs, runs: &Path, trend: &mut Trend) -> Result<bool, String> {
    if let Some(path) = &args.html {
        output::check_file(path)?;
        link_reports(&mut trend.points, path, runs);
        write_file(path, trend_page(&trend.groups(args.last), &trend.problems).as_bytes())?;
        output::err(&format!("trend: {}\n", path.display()));
    }
    if let Some(folder) = &args.svg {
        for (index, (name, points)) in trend.groups(args.last).iter().enumerate() {
            for chart in trend_charts(&format!("trend-{}", index + 1), name, points) {
                write_file(&folder.join(format!("{}.svg", chart.id)), chart.svg_file().as_bytes())?;
            }
        }
        output::err(&format!("charts: {}\n", folder.display()));
    }
    Ok(args.html.is_some() || args.svg.is_some())
}

/// Gives runs the way from a page to their reports, those that have one; the page's folder is made, since ways lead from it.
pub(super) fn link_reports(points: &mut [TrendPoint], page: &Path, runs: &Path) {
    let _ = page.parent().map(std::fs::create_dir_all);
    let reports = reports_of(runs);
    for point in points {
        point.report = report_link(page, runs, &reports, &point.folder);
    }
}

/// Where reports of the runs of this folder are: `performance/reports` for `performance/results`.
fn reports_of(runs: &Path) -> PathBuf {
    runs.canonicalize().unwrap_or_else(|_| runs.to_owned()).with_file_name("reports")
}

/// The way from a page to the report of a run; `None` when there is no report.
fn report_link(page: &Path, runs: &Path, reports: &Path, run: &str) -> Option<String> {
    let places = [runs.join(run).join("report.html"), reports.join(format!("{run}.html"))];
    let report = places.iter().find_map(|place| place.canonicalize().ok())?;
    let folder = page.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().ok()?;
    let from: Vec<_> = folder.components().collect();
    let to: Vec<_> = report.components().collect();
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut way = format!("./{}", "../".repeat(from.len() - common));
    let rest: Vec<_> = to[common..].iter().map(|part| part.as_os_str().to_string_lossy()).collect();
    // What would end the path of an address.
    way.push_str(&rest.join("/").replace('%', "%25").replace('?', "%3F").replace('#', "%23"));
    Some(way)
}

/// The run that `--baseline` names: by its path or name, or the baseline of the script's name.
///
/// # Errors
/// If there is none, with the reason.
pub(super) fn baseline_of(named: &str, script: &str, results: &Path) -> Result<PathBuf, String> {
    let named = if named.is_empty() { script } else { named };
    find_run(named, Path::new(BASELINES_DIR), results)
}

/// The timeline of the baseline run; what cannot be read is skipped.
pub(super) fn baseline_curves(folder: &Path) -> Option<BaselineCurves> {
    let run = StoredRun::read(folder).ok()?;
    Some(BaselineCurves::new(&run.record.snapshot, &run.recording.intervals))
}

fn look() -> Look {
    Look::detect(ColorChoice::Auto, std::io::stdout().is_terminal())
}

fn refuse(problem: &str) -> Exit {
    output::error(problem);
    Exit::Configuration
}
