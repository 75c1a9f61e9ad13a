//! `rhaid report RUN`: recreates every format from the run directory, and shows percentiles for part of a run.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::ReportArgs;
use super::compare::{BASELINES_DIR, baseline_curves, baseline_of, link_reports};
use super::exit::Exit;
use super::output;
pub(super) use super::output::write_file;
use super::places::Places;
use super::progress::ColorChoice;
use crate::analysis::TrendPoint;
use crate::metrics::EndpointStats;
use crate::report::{
    Look, Model, capacity_chart, compared_markdown, compared_summary, distribution_charts, html_report,
    junit, masked, percentile_table, timeline_charts, trend_row,
};
use crate::results::{
    StoredRun, Trend, Window, compared_run_json, find_run, json_text, runs_back, summary_export,
    write_csv_files,
};
use crate::text::clean_line;

/// Runs of the same test that a report shows beside its own.
const LAST_RUNS: usize = 20;

/// Endpoints or tags that a message names.
const MOST_NAMED: usize = 8;

/// Makes the reports that the arguments ask for; without any, prints the summary.
pub(super) fn report(args: &ReportArgs) -> Exit {
    let folder = match find(&args.run, &args.results_dir) {
        Ok(folder) => folder,
        Err(problem) => {
            output::error(&problem);
            return Exit::Configuration;
        }
    };
    let run = match StoredRun::read(&folder) {
        Ok(run) => run,
        Err(error) => {
            output::error(&error.to_string());
            return Exit::Configuration;
        }
    };
    run.problems.iter().for_each(|problem| output::err(&format!("warning: {problem}\n")));
    if let Some(window) = window(args) {
        return show_window(args, &run, window);
    }
    match write_all(args, &run) {
        Ok(()) => Exit::Passed,
        Err(problem) => {
            output::error(&problem);
            Exit::Configuration
        }
    }
}

/// The run's folder: a path, the name of a run among the results, or `last`.
fn find(named: &Path, results: &Path) -> Result<PathBuf, String> {
    let among_results = results.join(named);
    if named.is_dir() {
        Ok(named.to_owned())
    } else if among_results.is_dir() {
        Ok(among_results)
    } else if let Some(word) = named.to_str().filter(|word| runs_back(word).is_some()) {
        find_run(word, Path::new(BASELINES_DIR), results)
    } else {
        let newest = match find_run("last", Path::new(BASELINES_DIR), results) {
            Ok(_) => "the newest one is: last",
            Err(_) => "no run is stored there yet",
        };
        Err(format!("no run '{}' here or in {}; {newest}", named.display(), results.display()))
    }
}

/// What the command reads and writes.
fn places(args: &ReportArgs, run: &StoredRun) -> Places {
    let mut places = Places::default();
    places.reads_run("the run's", &run.folder);
    places.may_write("--html", args.html.as_ref());
    places.may_write("--junit", args.junit.as_ref());
    places.may_write("--markdown", args.markdown.as_ref());
    places.may_write("--summary-export", args.summary_export.as_ref());
    places.writes_csv(args.csv.as_ref());
    places
}

fn write_all(args: &ReportArgs, run: &StoredRun) -> Result<(), String> {
    places(args, run).check()?;
    let baseline =
        args.baseline.as_ref().map(|named| baseline_of(named, &run.record.info.name, &args.results_dir));
    let baseline = baseline.transpose()?;
    let comparison = baseline
        .as_ref()
        .map(|baseline| crate::results::compare(baseline, &run.folder, args.noise))
        .transpose()
        .map_err(|error| error.to_string())?;
    let mut made = false;
    let mut tell = |what: &str, path: &Path| {
        made = true;
        output::err(&format!("{what}: {}\n", path.display()));
    };
    let model = Model::new(&run.record, &run.recording.intervals, &run.problems);
    let model = match (&comparison, &baseline) {
        (Some(comparison), Some(baseline)) => model.compared(comparison, baseline_curves(baseline)),
        _ => model,
    };
    let model = model.among(last_runs(args, run));
    if let Some(path) = &args.html {
        write_file(path, html_report(&model).as_bytes())?;
        tell("report", path);
    }
    let record = &run.record;
    if let Some(path) = &args.junit {
        write_file(path, junit(record).as_bytes())?;
        tell("JUnit", path);
    }
    if let Some(path) = &args.markdown {
        write_file(path, compared_markdown(record, comparison.as_ref()).as_bytes())?;
        tell("Markdown", path);
    }
    if let Some(folder) = &args.svg {
        let points: Vec<&TrendPoint> = model.last_runs.iter().collect();
        let row = if points.len() > 1 { trend_row(&points) } else { Vec::new() };
        let charts = [timeline_charts(&model), distribution_charts(&model), row].concat();
        for chart in charts.iter().chain(&capacity_chart(&model)) {
            write_file(&folder.join(format!("{}.svg", chart.id)), chart.svg_file().as_bytes())?;
        }
        tell("charts", folder);
    }
    if let Some(prefix) = &args.csv {
        write_csv_files(prefix, &run.record.snapshot).map_err(|error| error.to_string())?;
        tell("CSV files", prefix);
    }
    if let Some(path) = &args.summary_export {
        write_file(path, json_text(&summary_export(record)).as_bytes())?;
        tell("summary", path);
    }
    if args.json {
        output::out(&json_text(&compared_run_json(record, comparison.as_ref())));
    } else if !made {
        let look = Look::detect(ColorChoice::Auto, std::io::stdout().is_terminal());
        output::out(&compared_summary(record, comparison.as_ref(), look));
    }
    Ok(())
}

/// The last runs of the test of this one, with the ways to their reports from a page.
pub(super) fn last_runs_linked(folder: &Path, page: &Path) -> Vec<TrendPoint> {
    let mut points = Trend::up_to(folder, LAST_RUNS);
    // The page itself is not there yet, or old.
    if let Some((_, earlier)) = points.split_last_mut() {
        link_reports(earlier, page, folder.parent().unwrap_or(Path::new("")));
    }
    points
}

/// The last runs of the test, read only where they are shown.
fn last_runs(args: &ReportArgs, run: &StoredRun) -> Vec<TrendPoint> {
    match (&args.html, &args.svg) {
        (Some(page), _) => last_runs_linked(&run.folder, page),
        (None, Some(_)) => Trend::up_to(&run.folder, LAST_RUNS),
        (None, None) => Vec::new(),
    }
}

fn window(args: &ReportArgs) -> Option<Window> {
    let is_part = args.from.is_some() || args.to.is_some() || args.endpoint.is_some() || args.tag.is_some();
    is_part.then(|| Window { from: args.from.unwrap_or_default(), to: args.to })
}

/// Figures of a part of the run, of endpoints or tags whose name holds a text.
fn show_window(args: &ReportArgs, run: &StoredRun, window: Window) -> Exit {
    let end = run.record.snapshot.elapsed;
    let is_empty = window.from >= window.to.unwrap_or(end).min(end);
    if is_empty {
        output::error(&format!(
            "--from and --to select nothing: the run took {}",
            crate::text::format::run_length(end)
        ));
        return Exit::Usage;
    }
    let (mut rows, wanted) = match &args.tag {
        Some(tag) => (run.tags_in(window), Some(tag)),
        None => (run.endpoints_in(window), args.endpoint.as_ref()),
    };
    let mut nothing = match args.tag {
        Some(_) => "this part of the run has no tagged requests".to_owned(),
        None => "this part of the run has no requests".to_owned(),
    };
    if let Some(wanted) = wanted {
        if !rows.is_empty() {
            nothing = nothing_called(wanted, args.tag.is_some(), &rows);
        }
        let wanted = wanted.to_lowercase();
        let is_wanted = |stats: &EndpointStats| {
            let (key, name) = (stats.method.to_lowercase(), stats.name.to_lowercase());
            format!("{key} {name}").contains(&wanted) || format!("{key}:{name}").contains(&wanted)
        };
        rows.retain(is_wanted);
    }
    if rows.is_empty() {
        output::error(&nothing);
        return Exit::NoRequests;
    }
    if args.json {
        output::out(&json_text(&crate::results::endpoints_json(&rows)));
    } else {
        let look = Look::detect(ColorChoice::Auto, std::io::stdout().is_terminal());
        let (from, to) = (seconds(window.from), seconds(window.to.unwrap_or(end).min(end)));
        output::out(&format!("{}\n", percentile_table(&rows, &format!("{from} to {to}"), look).join("\n")));
    }
    Exit::Passed
}

/// That no endpoint or tag of this part holds a text, and what there is instead.
fn nothing_called(wanted: &str, is_tag: bool, rows: &[EndpointStats]) -> String {
    let (what, between) = if is_tag { ("tag", ":") } else { ("endpoint", " ") };
    // The total has no method.
    let all = || rows.iter().filter(|stats| !stats.method.is_empty());
    let names = all().take(MOST_NAMED).map(|stats| format!("{}{between}{}", stats.method, stats.name));
    let names = masked(&clean_line(&names.collect::<Vec<_>>().join(", "))).into_owned();
    let more = all().count().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("no {what} in this part of the run contains '{}'; found {names}{more}", clean_line(wanted))
}

fn seconds(time: Duration) -> String {
    crate::text::format_clock(time)
}
