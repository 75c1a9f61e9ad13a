//! A server that knows the truth: it responds after a log-normal time and records how long each response really took.
//!
//! `truth --port PORT [--median MS] [--sigma N] [--seed N]`. Any GET gets a response; `GET /truth` returns the figures
//! since its previous call, as `COUNT P50_MS P99_MS`, and starts over. After `GET /freeze/MS`, the server sends no responses
//! for that many milliseconds; it still accepts connections.
//!
//! A time is measured from reading the last byte of the request to writing the response, whatever the server's own
//! timer made of the drawn time. So anything that a client reports beyond it is the way through the kernel and the
//! client's own delay. Single-threaded, HTTP/1.1 with keep-alive, requests without a body.

use std::cell::RefCell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, LogNormal};
use rhaid_benchmarks::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request head longer than this does not come from a load generator.
const LONGEST_HEAD: usize = 16 << 10;

struct Truth {
    rng: StdRng,
    times: LogNormal<f64>,
    answered_us: Vec<u64>,
    frozen_until: Option<Instant>,
}

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("truth: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Error> {
    let (mut port, mut median_ms, mut sigma, mut seed) = (None, 20.0_f64, 0.6, 42);
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(|| format!("{flag}: expected a value after it"))?;
        match flag.as_str() {
            "--port" => port = Some(value.parse::<u16>()?),
            "--median" => median_ms = value.parse()?,
            "--sigma" => sigma = value.parse()?,
            "--seed" => seed = value.parse()?,
            _ => return Err(format!("{flag}: expected --port, --median, --sigma or --seed").into()),
        }
    }
    let port = port.ok_or("--port PORT is required")?;
    let truth = Rc::new(RefCell::new(Truth {
        rng: StdRng::seed_from_u64(seed),
        times: LogNormal::new((median_ms / 1_000.0).ln(), sigma)?,
        answered_us: Vec::new(),
        frozen_until: None,
    }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let truth = truth.clone();
            // A client that disconnects in the middle is not the server's problem.
            tokio::task::spawn_local(async move { drop(answer(stream, truth).await) });
        }
    })
}

/// Answers the requests of one connection until the client closes it.
async fn answer(mut stream: TcpStream, truth: Rc<RefCell<Truth>>) -> Result<(), Error> {
    let mut head = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            if head.len() > LONGEST_HEAD || stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        };
        let begun = Instant::now();
        if head.starts_with(b"GET /truth ") {
            let text = truth.borrow_mut().take();
            stream.write_all(&response(&text)).await?;
        } else if let Some(time) = freeze_time(&head) {
            truth.borrow_mut().frozen_until = Some(begun + time);
            stream.write_all(&response("frozen\n")).await?;
        } else {
            let time = {
                let truth = &mut *truth.borrow_mut();
                truth.times.sample(&mut truth.rng)
            };
            // The timer has a granularity of a millisecond; much shorter times are no wait at all.
            if time > 1e-4 {
                tokio::time::sleep(Duration::from_secs_f64(time)).await;
            }
            let frozen_until = truth.borrow().frozen_until;
            if let Some(until) = frozen_until {
                tokio::time::sleep_until(until.into()).await;
            }
            let took = begun.elapsed();
            stream.write_all(&response("{\"status\":\"ok\"}\n")).await?;
            truth.borrow_mut().answered_us.push(took.as_micros() as u64);
        }
        head.drain(..end);
    }
}

/// The time requested by `GET /freeze/MS`.
fn freeze_time(head: &[u8]) -> Option<Duration> {
    let rest = head.strip_prefix(b"GET /freeze/")?;
    let end = rest.iter().position(|&byte| byte == b' ')?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok().map(Duration::from_millis)
}

fn response(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

impl Truth {
    fn take(&mut self) -> String {
        let mut times = std::mem::take(&mut self.answered_us);
        times.sort_unstable();
        match (percentile(&times, 50), percentile(&times, 99)) {
            (Some(p50), Some(p99)) => format!("{} {p50:.3} {p99:.3}\n", times.len()),
            _ => "0 - -\n".to_owned(),
        }
    }
}

/// The nearest rank of sorted microseconds, in milliseconds.
fn percentile(sorted_us: &[u64], percent: usize) -> Option<f64> {
    let rank = (sorted_us.len() * percent).div_ceil(100).max(1);
    sorted_us.get(rank - 1).map(|&us| us as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_freeze_is_read() {
        assert_eq!(freeze_time(b"GET /freeze/3000 HTTP/1.1\r\n\r\n"), Some(Duration::from_secs(3)));
        assert_eq!(freeze_time(b"GET /health HTTP/1.1\r\n\r\n"), None);
        assert_eq!(freeze_time(b"GET /freeze/long HTTP/1.1\r\n\r\n"), None);
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let times: Vec<u64> = (1..=200).map(|n| n * 1_000).collect();
        assert_eq!((percentile(&times, 50), percentile(&times, 99)), (Some(100.0), Some(198.0)));
        assert_eq!(percentile(&[7_500], 99), Some(7.5));
        assert_eq!(percentile(&[], 50), None);
    }
}
