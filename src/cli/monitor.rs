//! `rhaid monitor`: resources without a run, shown and written, or served to a run on another machine.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tokio::net::TcpListener;

use super::args::MonitorArgs;
use super::exit::Exit;
use super::output::write_file;
use super::progress::{ColorChoice, Progress, ProgressKind};
use super::resources::named;
use super::signals::Signals;
use super::{event_loop, output};
use crate::metrics::{ResourceSource, Resources};
use crate::report::{Look, plain_resource_line, resource_line, resource_table, resources_svg};
use crate::resources::{Monitor, Sampler};
use crate::results::{ResourcesFile, run_folder};
use crate::web::serve_monitor;

/// How often new samples are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Measures for the time that was given, or until a signal.
pub(super) fn monitor(args: &MonitorArgs) -> Exit {
    let mut files = super::places::Places::default();
    files.may_write("--csv", args.csv.as_ref());
    files.may_write("--svg", args.svg.as_ref());
    if let Err(problem) = files.check() {
        output::error(&problem);
        return Exit::Usage;
    }
    let sampler = Sampler::new();
    let sampler = match named(args.pid, args.port, args.name.as_deref()) {
        None => sampler,
        Some(target) => match sampler.with_target(target) {
            Ok(sampler) => sampler,
            Err(error) => {
                output::error(&error.to_string());
                return Exit::Configuration;
            }
        },
    };
    let runtime = match event_loop() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let ended = match args.serve {
        Some(address) => {
            if !address.ip().is_loopback() && args.token.is_none() {
                output::error(&format!(
                    "{address} is reachable from other machines; set a --token that callers must send"
                ));
                return Exit::Usage;
            }
            runtime.block_on(serve(args, address, sampler))
        }
        None => runtime.block_on(measure(args, sampler)),
    };
    match ended {
        Ok(()) => Exit::Passed,
        Err(problem) => {
            output::error(&problem);
            Exit::Configuration
        }
    }
}

async fn serve(args: &MonitorArgs, address: std::net::SocketAddr, sampler: Sampler) -> Result<(), String> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error} (choose another port with --serve)"))?;
    let mut signals = Signals::new();
    let address = listener.local_addr().unwrap_or(address);
    output::out(&format!(
        "rhaid monitor listens on http://{address}; on the other machine: rhaid run SCRIPT --target-monitor http://{address}\n"
    ));
    if output::problem().is_some() {
        // Nobody learns where it listens; what is wrong is told at the end.
        return Ok(());
    }
    let end = end_of(args.seconds);
    let stop = async move {
        tokio::select! {
            () = end => {}
            () = signals.next() => {}
        }
    };
    serve_monitor(listener, sampler, args.token.clone(), stop)
        .await
        .map_err(|error| format!("the monitor failed: {error}"))
}

async fn measure(args: &MonitorArgs, sampler: Sampler) -> Result<(), String> {
    let (started_at, start) = (SystemTime::now(), Instant::now());
    let places = Places::choose(args, started_at)?;
    let mut file = ResourcesFile::new(&places.csv);
    let mut monitor = Monitor::new(sampler);
    let mut resources = Resources::default();
    let stderr_is_terminal = std::io::stderr().is_terminal();
    let kind = match (args.quiet, stderr_is_terminal) {
        (true, _) => ProgressKind::Off,
        (_, true) => ProgressKind::Live,
        (_, false) => ProgressKind::Plain,
    };
    let mut progress = Progress::new(kind, Look::detect(ColorChoice::Auto, stderr_is_terminal));
    let mut signals = Signals::new();
    monitor.begin(start);
    let mut look = tokio::time::interval(LOOK_EVERY);
    // The last second's sample is taken at its end: a moment is left for it.
    let end = end_of(args.seconds.map(|time| time + LOOK_EVERY));
    let mut end = std::pin::pin!(end);
    let mut problem = None;
    loop {
        let is_over = tokio::select! {
            () = &mut end => true,
            () = signals.next() => true,
            _ = look.tick() => false,
        };
        let batch = monitor.take();
        for (_, event) in &batch.events {
            progress.message(&format!("warning: {event}"));
        }
        let is_new = !batch.samples.is_empty();
        resources.extend(batch);
        if is_new {
            problem = file.update(&resources.samples, started_at).err();
            let line = || plain_resource_line(&resources);
            progress.show(start.elapsed(), |_, _| vec![resource_line(&resources, args.seconds)], line);
        }
        if is_over {
            break;
        }
    }
    progress.finish();
    if resources.stats.is_empty() {
        places.clear();
        output::err("nothing was measured: the first sample is taken after one second\n");
        return Ok(());
    }
    let look = Look::detect(ColorChoice::Auto, std::io::stdout().is_terminal());
    output::out(&format!("{}\n", resource_table(&resources, look).join("\n")));
    // One file that fails must not keep the other from being written.
    let drawn =
        resources_svg(&resources, started_at).map_or(Ok(()), |svg| write_file(&places.svg, svg.as_bytes()));
    places.tell();
    problem.map_or(Ok(()), |error| Err(error.to_string())).and(drawn)
}

/// Where the files of a measurement go.
struct Places {
    /// Made when a file was given no other place.
    folder: Option<PathBuf>,
    csv: PathBuf,
    svg: PathBuf,
}

impl Places {
    /// Tries the files that were asked for, and makes the folder of those that were not.
    fn choose(args: &MonitorArgs, started_at: SystemTime) -> Result<Places, String> {
        // A place that cannot be written to is told before anything is measured, not after it.
        for path in [&args.csv, &args.svg].into_iter().flatten() {
            output::check_file(path)?;
            if let Some(folder) = path.parent() {
                let failed = |error| format!("cannot create the directory {}: {error}", folder.display());
                std::fs::create_dir_all(folder).map_err(failed)?;
            }
        }
        let folder = match (&args.csv, &args.svg) {
            (Some(_), Some(_)) => None,
            _ => Some(
                run_folder(&args.results_dir, "monitor", started_at).map_err(|error| error.to_string())?,
            ),
        };
        let place = |asked: &Option<PathBuf>, name: &str| match (asked, &folder) {
            (Some(path), _) => path.clone(),
            (None, folder) => folder.as_deref().unwrap_or(Path::new("")).join(name),
        };
        let (csv, svg) = (place(&args.csv, "resources.csv"), place(&args.svg, "resources.svg"));
        Ok(Places { folder, csv, svg })
    }

    /// Nothing was measured: no empty file or folder is left.
    fn clear(&self) {
        for path in [&self.csv, &self.svg] {
            if path.metadata().is_ok_and(|file| file.is_file() && file.len() == 0) {
                let _ = std::fs::remove_file(path);
            }
        }
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir(folder);
        }
    }

    fn tell(&self) {
        let is_apart = |path: &Path| self.folder.is_none() || path.parent() != self.folder.as_deref();
        for (what, path) in [("CSV", &self.csv), ("chart", &self.svg)] {
            if is_apart(path) {
                output::err(&format!("{what}: {}\n", path.display()));
            }
        }
        if let Some(folder) = &self.folder {
            output::err(&format!("results: {}\n", folder.display()));
        }
    }
}

async fn end_of(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
