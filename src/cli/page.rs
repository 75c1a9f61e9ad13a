//! The live page as the command serves it: where, and how others on this machine find it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::args::PageArgs;
use super::control_file::ControlFile;
use super::output;
use crate::metrics::{IntervalTaker, Mark};
use crate::plan::RunRecord;
use crate::web::{Launcher, LivePage, LogLevel, PageSettings, Recruiting};
use crate::{Level, RunHandle};

/// Where the page is unless it is said otherwise: Locust's port.
const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8089);

/// See the module's description.
pub(super) struct Page {
    page: LivePage,
    /// Lets `rhaid ctl` find it.
    control: ControlFile,
}

impl Page {
    /// Serves the page if it is asked for.
    ///
    /// # Errors
    /// When it cannot be served there, with what to do.
    pub(super) fn of_run(args: &PageArgs, results_dir: &Path) -> Result<Option<Page>, String> {
        if !args.web && !args.control {
            return Ok(None);
        }
        let page = Page::open(args, results_dir, None)?;
        if args.web {
            output::err(&format!("live page: {}\n", page.page.url()));
        }
        Ok(Some(page))
    }

    /// Serves the page.
    ///
    /// # Errors
    /// As [`Page::of_run`].
    pub(super) fn open(
        args: &PageArgs,
        results_dir: &Path,
        launcher: Option<Arc<dyn Launcher>>,
    ) -> Result<Page, String> {
        let is_shown = args.web || launcher.is_some();
        let usual = if is_shown { DEFAULT_ADDRESS } else { SocketAddr::new(DEFAULT_ADDRESS.ip(), 0) };
        let address = args.web_address.unwrap_or(usual);
        let settings =
            PageSettings { address, token: args.web_token.clone(), results_dir: results_dir.to_owned() };
        let page = LivePage::open(&settings, launcher).map_err(|error| {
            format!("cannot serve the live page on {address}: {error}; choose another address with --web-address, such as 0 for a free port")
        })?;
        let control = ControlFile::write(&page.base_url(), page.token());
        Ok(Page { page, control })
    }

    /// Its address for a browser.
    pub(super) fn url(&self) -> String {
        self.page.url()
    }

    /// Shows that a run waits for agents; false once somebody has stopped it there.
    pub(super) fn recruit(&self, recruiting: &Recruiting) -> bool {
        self.page.recruit(recruiting)
    }

    /// Shows why that run does not begin.
    pub(super) fn end_recruiting(&self, problem: String) {
        self.page.end_recruiting(problem);
    }

    /// Shows a run that has begun.
    pub(super) fn begin(&self, run: &RunHandle, taker: IntervalTaker, folder: &Path) {
        self.control.write_in(folder);
        self.page.begin(run, taker, folder);
    }

    /// Shows what the run says on the terminal, at this time of its load.
    pub(super) fn say(&self, level: Level, at: Duration, text: &str) {
        let level = match level {
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warning => LogLevel::Warning,
            Level::Error => LogLevel::Error,
        };
        self.page.say(level, at, text);
    }

    /// Shows a moment that is marked on the timeline.
    pub(super) fn mark(&self, mark: &Mark) {
        self.page.say(LogLevel::Mark, mark.at, &mark.text);
    }

    /// Shows what came of it.
    pub(super) fn finish(&self, record: &RunRecord) {
        self.control.remove_from_folder();
        self.page.finish(record);
    }

    /// Gives viewers a moment to take what there is.
    pub(super) fn close(self) {
        self.page.close();
    }
}
