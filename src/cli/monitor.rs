//! `rhaid monitor`: resources alone, shown and written, or told to a run on another machine.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use tokio::net::TcpListener;

use super::args::MonitorArgs;
use super::exit::Exit;
use super::progress::{ColorChoice, Progress, ProgressKind};
use super::resources::named;
use super::signals::Signals;
use super::{event_loop, output};
use crate::metrics::{ResourceSource, Resources};
use crate::report::{Look, plain_resource_line, resource_line, resource_table};
use crate::resources::{Monitor, Sampler};
use crate::results::{ResourcesFile, run_folder};
use crate::web::serve_monitor;

/// How often new samples are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Measures for the time that was given, or until a signal.
pub(super) fn monitor(args: &MonitorArgs) -> Exit {
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
                    "{address} can be reached from other machines: give a --token that callers have to show"
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
        .map_err(|error| format!("cannot listen on {address}: {error} (another port with --serve)"))?;
    let mut signals = Signals::new();
    let address = listener.local_addr().unwrap_or(address);
    output::out(&format!(
        "rhaid monitor tells its figures on http://{address}; there: rhaid run SCRIPT --target-monitor http://{address}\n"
    ));
    let end = end_of(args.seconds);
    let stop = async move {
        tokio::select! {
            () = end => {}
            () = signals.next() => {}
        }
    };
    serve_monitor(listener, sampler, args.token.clone(), stop)
        .await
        .map_err(|error| format!("the monitor ended: {error}"))
}

async fn measure(args: &MonitorArgs, sampler: Sampler) -> Result<(), String> {
    let (started_at, start) = (SystemTime::now(), Instant::now());
    let folder = run_folder(&args.results_dir, "monitor", started_at).map_err(|error| error.to_string())?;
    let mut file = ResourcesFile::new(&folder.join("resources.csv"));
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
            progress.show(start.elapsed(), |_| vec![resource_line(&resources, args.seconds)], line);
        }
        if is_over {
            break;
        }
    }
    progress.finish();
    show(&resources, &folder);
    match problem {
        Some(error) => Err(error.to_string()),
        None => Ok(()),
    }
}

fn show(resources: &Resources, folder: &PathBuf) {
    let look = Look::detect(ColorChoice::Auto, std::io::stdout().is_terminal());
    if resources.stats.is_empty() {
        // Nothing was measured, so there is no file either.
        let _ = std::fs::remove_dir(folder);
        output::err("nothing was measured: the first sample is taken after a second\n");
        return;
    }
    output::out(&format!("{}\n", resource_table(resources, look).join("\n")));
    output::err(&format!("results: {}\n", folder.display()));
}

async fn end_of(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
