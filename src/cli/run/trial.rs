//! A script tried once for somebody who does not look at this terminal: the requests and what came of them, as text.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Asked;
use super::refused::Refused;
use crate::cli::args::RunArgs;
use crate::cli::event_loop;
use crate::report::{Look, short_summary};
use crate::{HttpDebug, Report};

/// How long a trial may take.
const LONGEST: Duration = Duration::from_secs(60);

/// Most bytes of the text.
const MOST_TEXT: usize = 1 << 20;

/// Runs one user through one iteration; gives what it did, and whether all of it was good.
///
/// # Errors
/// Why it cannot be run, as text.
pub(in crate::cli) fn tried_once(args: &RunArgs) -> Result<(String, bool), String> {
    let args = RunArgs { once: true, http_debug: Some(HttpDebug::Full), ..args.clone() };
    let lines = Arc::new(Mutex::new(String::new()));
    let report = trial(&args, &lines).map_err(|refused| refused.words())?;
    let mut text = lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
    text.push_str(&short_summary(report.record(), Look { width: 100, unicode: true, color: false }));
    Ok((crate::text::clean_lines(&text).join("\n"), report.passed()))
}

fn trial(args: &RunArgs, lines: &Arc<Mutex<String>>) -> Result<Report, Refused> {
    let lines = lines.clone();
    let test = Asked::of(args)?.first_test()?.on_message(move |message| {
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < MOST_TEXT {
            lines.push_str(&format!("{message}\n"));
        }
    });
    let prepared = test.prepare()?;
    let event_loop = event_loop()?;
    let report = event_loop.block_on(async {
        let handle = prepared.start().await?;
        let stopper = handle.stopper();
        let late = async {
            tokio::time::sleep(LONGEST).await;
            stopper.stop();
            tokio::time::sleep(Duration::from_secs(2)).await;
            stopper.stop();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            report = handle.wait() => report,
            () = late => Err(crate::RunError::Thread(std::io::ErrorKind::TimedOut.into())),
        }
    });
    event_loop.shutdown_background();
    Ok(report?)
}
