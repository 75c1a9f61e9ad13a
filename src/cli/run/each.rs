//! Several loads, one after the other, with one overall verdict (`--profile all`).

use std::path::PathBuf;

use super::ending::Ended;
use crate::cli::args::{OutputArgs, RunArgs, SampleTarget};
use crate::cli::exit::Exit;
use crate::cli::output::{self, look_of};
use crate::cli::profiles::Shape;
use crate::metrics::ThresholdText;
use crate::plan::Options;
use crate::report::{Mark, Tone};

/// Runs a test with each load, one after the other, and judges all of them together.
///
/// A signal ends the whole; a load that failed does not keep the next from being run.
pub(super) fn run_each(
    shapes: &[Shape],
    args: &RunArgs,
    run: impl Fn(&Options, &[ThresholdText], &RunArgs) -> Ended,
) -> Exit {
    let several = shapes.len() > 1;
    let mut ended: Vec<(String, Option<Ended>)> = Vec::new();
    for shape in shapes {
        let is_stopped =
            ended.iter().any(|(_, ended)| ended.as_ref().is_some_and(|e| e.exit == Exit::Signal));
        if is_stopped {
            ended.push((shape.name.clone(), None));
            continue;
        }
        let mut args = args.clone();
        args.load.profile = Some(shape.name.clone());
        if several {
            if !args.output.quiet {
                output::err(&format!("\nprofile {}\n", shape.name));
            }
            args.output = named_apart(args.output, &shape.name);
        }
        let outcome = run(&shape.options, &shape.limits, &args);
        // What is set wrongly for one is so for all; a run whose files could not be written has a verdict.
        let cannot_start =
            matches!(outcome.exit, Exit::Configuration | Exit::Usage) && outcome.verdict.is_empty();
        ended.push((shape.name.clone(), Some(outcome)));
        if cannot_start {
            break;
        }
    }
    let exit = |ended: &Option<Ended>| ended.as_ref().map(|ended| ended.exit);
    let failed: Vec<&(String, Option<Ended>)> =
        ended.iter().filter(|(_, outcome)| exit(outcome) != Some(Exit::Passed)).collect();
    let find = |wanted: fn(Exit) -> bool| {
        failed.iter().filter_map(|(_, outcome)| exit(outcome)).find(|&exit| wanted(exit))
    };
    // A file that could not be written must not hide a breached threshold.
    let first = find(|exit| exit == Exit::Signal)
        .or_else(|| find(|exit| exit != Exit::Configuration))
        .or_else(|| find(|_| true));
    let has_run = |ended: &Option<Ended>| ended.as_ref().is_none_or(|ended| !ended.verdict.is_empty());
    if several && ended.iter().all(|(_, ended)| has_run(ended)) {
        let text = verdicts(&ended, failed.len(), args);
        if args.output.stdout_is_taken() { output::err_as_it_is(&text) } else { output::out(&text) }
    }
    first.unwrap_or(Exit::Passed)
}

fn verdicts(ended: &[(String, Option<Ended>)], failed: usize, args: &RunArgs) -> String {
    let look = look_of(&args.output);
    let mut text = format!("\n{}\n", look.paint(Tone::Strong, " profiles"));
    for (name, outcome) in ended {
        let (mark, tone, verdict) = match outcome {
            Some(ended) if ended.exit == Exit::Passed => (Mark::Pass, Tone::Good, ended.verdict.trim()),
            Some(ended) => (Mark::Fail, Tone::Bad, ended.verdict.trim()),
            None => (Mark::Fail, Tone::Bad, "not run"),
        };
        text.push_str(&format!("   {} {name:<10} {verdict}\n", look.paint(tone, look.mark(mark))));
    }
    let all = ended.len();
    text.push_str(&match failed {
        0 => format!(" {}: {all} of {all} profiles\n", look.paint(Tone::Good, "PASSED")),
        failed => {
            format!(" {}: {failed} of {all} profiles did not pass\n", look.paint(Tone::Bad, "FAILED"))
        }
    });
    text
}

/// Files that each run writes by name get the name of its load.
fn named_apart(output: OutputArgs, name: &str) -> OutputArgs {
    let prefix = |path: PathBuf| PathBuf::from(format!("{}_{name}", path.display()));
    let file = |path: PathBuf| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let extension = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
        path.with_file_name(format!("{stem}_{name}{extension}"))
    };
    let apart = |target: SampleTarget| match target.path.extension() {
        _ if target.is_stdout() => target,
        Some(extension) if extension == "gz" => {
            let inner = file(target.path.with_extension(""));
            SampleTarget { path: format!("{}.gz", inner.display()).into(), ..target }
        }
        _ => SampleTarget { path: file(target.path), ..target },
    };
    OutputArgs {
        csv: output.csv.map(prefix),
        out: output.out.into_iter().map(apart).collect(),
        html: output.html.map(file),
        junit: output.junit.map(file),
        markdown: output.markdown.map(file),
        summary_export: output.summary_export.map(file),
        ..output
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::SamplesFormat;

    #[test]
    fn files_by_name_do_not_overwrite_each_other() {
        let output = OutputArgs {
            csv: Some("out/run".into()),
            summary_export: Some("out/run.json".into()),
            html: Some("report.html".into()),
            out: vec![SampleTarget { format: SamplesFormat::Csv, path: "out/s.csv.gz".into() }],
            ..OutputArgs::default()
        };
        let apart = named_apart(output, "load");
        assert_eq!(apart.out[0].path, PathBuf::from("out/s_load.csv.gz"));
        assert_eq!(apart.html, Some("report_load.html".into()));
        assert_eq!(apart.csv, Some("out/run_load".into()));
        assert_eq!(apart.summary_export, Some("out/run_load.json".into()));
    }
}
