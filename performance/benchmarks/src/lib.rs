//! Shared by the bare loops: their arguments, the quota of requests and starting the users.
//!
//! Owns everything around the request, so that the loops differ only in the request. Leaves the request to each
//! binary and measuring to the scripts next to this crate.
//!
//! Invariant: everything runs on one thread, and exactly the requested number of requests is sent.

use std::fmt::Display;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What can end a user early, and with it the run.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What to send, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The URL that every request gets.
    pub url: String,
    /// Users, each with its own connection.
    pub users: u64,
    /// Total requests of all users.
    pub requests: u64,
    /// How long a user waits after each request; with zero, it sends the next immediately.
    pub think: Duration,
}

impl Settings {
    /// Reads `--url URL --users N --requests TOTAL [--think SECONDS]`, in any order.
    ///
    /// # Errors
    /// A sentence for a person: the flag, what was expected and what was found.
    pub fn from_args(args: impl IntoIterator<Item = String>) -> Result<Settings, String> {
        let (mut url, mut users, mut requests, mut think) = (None, None, None, 0.0);
        let mut args = args.into_iter();
        while let Some(flag) = args.next() {
            let value = args.next().ok_or_else(|| format!("{flag}: expected a value after it"))?;
            match flag.as_str() {
                "--url" => url = Some(value),
                "--users" => users = Some(number(&flag, &value)?),
                "--requests" => requests = Some(number(&flag, &value)?),
                "--think" => think = number(&flag, &value)?,
                _ => return Err(format!("{flag}: expected --url, --users, --requests or --think")),
            }
        }
        Ok(Settings {
            url: url.ok_or("--url URL is required")?,
            users: users.filter(|&users| users > 0).ok_or("--users N is required, and above 0")?,
            requests: requests.ok_or("--requests TOTAL is required")?,
            think: Duration::try_from_secs_f64(think).map_err(|error| format!("--think: {error}"))?,
        })
    }
}

fn number<T: FromStr<Err: Display>>(flag: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("{flag}: expected a number, got `{value}` ({error})"))
}

/// The remaining requests, shared by all users.
#[derive(Debug)]
pub struct Quota(AtomicU64);

impl Quota {
    /// Takes one request; `false` if none is left.
    pub fn take(&self) -> bool {
        self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// Runs `user` once for each user on a single-threaded runtime until the quota is used up, and prints the totals.
/// Arguments come from the command line. A user that fails ends the run with status 1, invalid arguments with 2.
///
/// Users start immediately; with a think time, their starts are spread over it, as they would be after a while anyway.
pub fn drive<F>(user: impl Fn(Arc<Settings>, Arc<Quota>) -> F) -> ExitCode
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let settings = match Settings::from_args(std::env::args().skip(1)) {
        Ok(settings) => Arc::new(settings),
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    match run(&settings, user) {
        Ok(elapsed) => {
            println!("{} requests in {:.3} s", settings.requests, elapsed.as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run<F>(settings: &Arc<Settings>, user: impl Fn(Arc<Settings>, Arc<Quota>) -> F) -> Result<Duration, Error>
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let quota = Arc::new(Quota(AtomicU64::new(settings.requests)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let start = Instant::now();
    runtime.block_on(async {
        let mut users = tokio::task::JoinSet::new();
        for number in 0..settings.users {
            let delay = settings.think.mul_f64(number as f64 / settings.users as f64);
            let user = user(settings.clone(), quota.clone());
            users.spawn(async move {
                if !delay.is_zero() {
                    tokio::time::sleep(delay).await;
                }
                user.await
            });
        }
        while let Some(ended) = users.join_next().await {
            ended??;
        }
        Ok(start.elapsed())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(args: &str) -> Result<Settings, String> {
        Settings::from_args(args.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_read_in_any_order() {
        let read = settings("--users 5 --url http://127.0.0.1:1/ --think 1.5 --requests 20").unwrap();
        assert_eq!((read.url.as_str(), read.users, read.requests), ("http://127.0.0.1:1/", 5, 20));
        assert_eq!(read.think, Duration::from_millis(1_500));
    }

    #[test]
    fn wrong_arguments_are_named() {
        for (args, says) in [
            ("--users 5 --requests 1", "--url"),
            ("--url u --users 0 --requests 1", "--users"),
            ("--url u --users 1", "--requests"),
            ("--url u --users x --requests 1", "got `x`"),
            ("--url u --users 1 --requests 1 --think -1", "--think"),
            ("--url", "expected a value"),
            ("--rate 5", "--rate"),
        ] {
            let why = settings(args).unwrap_err();
            assert!(why.contains(says), "{args}: {why}");
        }
    }

    #[test]
    fn a_quota_gives_out_exactly_what_it_has() {
        let quota = Quota(AtomicU64::new(3));
        assert_eq!([(); 5].map(|()| quota.take()), [true, true, true, false, false]);
    }
}
