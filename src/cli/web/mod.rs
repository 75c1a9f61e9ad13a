//! `rhaid web`: the page that waits to be started, as Locust's does.

mod editor;
mod form;
mod launcher;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::launcher::PageLauncher;
use super::args::{ClusterArgs, CoordinatorArgs, WebArgs};
use super::exit::Exit;
use super::page::Page;
use super::signals::Signals;
use super::{event_loop, output};
use crate::cluster::Coordinator;

/// Serves the page until a signal comes.
pub(super) fn web(args: &WebArgs) -> Exit {
    told(serve(args, None))
}

/// The same, with the runs on agents.
pub(super) fn coordinator(args: &CoordinatorArgs) -> Exit {
    let options = args.cluster.coordinator();
    let served = || {
        // Before a server is started for it.
        place(args.web.path.as_deref().unwrap_or(Path::new(".")))?;
        let coordinator = Coordinator::open(options).map_err(|error| error.to_string())?;
        serve(&args.web, Some((coordinator, args.cluster.clone())))
    };
    told(served())
}

fn told(served: Result<(), String>) -> Exit {
    match served {
        Ok(()) => Exit::Passed,
        Err(problem) => {
            output::error(&problem);
            Exit::Configuration
        }
    }
}

fn serve(args: &WebArgs, cluster: Option<(Coordinator, ClusterArgs)>) -> Result<(), String> {
    let (folder, script) = place(args.path.as_deref().unwrap_or(Path::new(".")))?;
    let command = if cluster.is_some() { "coordinator" } else { "web" };
    let launcher = Arc::new(PageLauncher::new(folder, script, args, cluster));
    let page = Arc::new(Page::open(&args.page(), &args.results_dir, Some(launcher.clone()))?);
    launcher.show_on(&page);
    launcher.invite();
    output::out(&format!("rhaid {command}: {}\n", page.url()));
    if output::problem().is_some() {
        // Nobody learns where it is; what is wrong is told at the end.
        return Ok(());
    }
    let event_loop = event_loop().map_err(|_| "the page cannot be kept open".to_owned())?;
    event_loop.block_on(async {
        let mut signals = Signals::new();
        signals.next().await;
    });
    // A run that is on has heard the signal too, and ends as Ctrl-C ends it.
    launcher.wait();
    Ok(())
}

/// The folder whose scripts can be started, and the one that is chosen at first.
fn place(path: &Path) -> Result<(PathBuf, Option<String>), String> {
    if path.is_dir() {
        return Ok((path.to_owned(), None));
    }
    if !path.is_file() {
        return Err(format!(
            "there is no script or directory '{}'; rhaid new test.rhai writes a script to start from",
            path.display()
        ));
    }
    if path.extension().is_none_or(|extension| extension != "rhai") {
        return Err(format!("'{}' is no Rhai script: its name has to end in .rhai", path.display()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok((folder.to_owned(), name))
}
