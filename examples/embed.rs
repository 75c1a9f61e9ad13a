//! A load test embedded in a program: the script as text, two host functions, totals at the end.
//!
//! Run it with `cargo run --example embed`. It starts the demo application in this process, so it needs no
//! server, and finishes within a second or two.
#![allow(clippy::print_stdout, reason = "the example prints its results; the library itself never prints")]

use std::time::{Duration, Instant};

use rhaid::rhai::{Dynamic, ImmutableString};
use rhaid::target::{Target, TargetOptions};
use rhaid::{AsyncCall, LoadTest, Sample};

const SCRIPT: &str = r#"
    task("order", 3);
    task("look");

    fn order() {
        let quote = fetch_quote("ACME");
        let body = "ACME@" + quote;
        let response = http::post("/quality/analyze", #{
            json: #{ source: body },
            headers: #{ "x-signature": sign(body) },
            expect: 200,
        });
        check("the order is scored", response.json("score") == 100.0);
    }

    fn look() { http::get("/quality/insights"); }
"#;

/// A plain host function: it computes a value and returns immediately.
fn sign(text: ImmutableString) -> String {
    // FNV-1a; a real program would use its own signature here.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// An asynchronous host function: the virtual user waits, but its thread does not.
async fn fetch_quote(call: AsyncCall) -> Result<Dynamic, String> {
    let started = Instant::now();
    // Stands in for a client of another protocol.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let Some(symbol) = call.args.first().and_then(|argument| argument.clone().into_string().ok()) else {
        return Err("fetch_quote takes a symbol as text".to_owned());
    };
    call.record(Sample::new(started.elapsed()).method("QUOTE"));
    Ok(Dynamic::from(symbol.len() as i64 * 25))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let target = Target::start(TargetOptions::default())?;
    let report = LoadTest::from_text("orders.rhai", SCRIPT)
        .host(&target.url())
        .users(5)
        .spawn_rate(50.0)
        .iterations(100)
        .with_engine(|engine| {
            engine.register_fn("sign", sign);
        })
        .with_async_fn("fetch_quote", fetch_quote)
        .on_message(|message| println!("{message}"))
        .run()
        .await?;

    let total = &report.snapshot().total;
    println!("{} requests, {} failed", total.requests, total.failures);
    for endpoint in &report.snapshot().endpoints {
        let median_ms = endpoint.ok.map_or(f64::NAN, |ok| ok.median_us() as f64 / 1000.0);
        println!(
            "  {:4} {:20} {:4}  p50 {median_ms:.1} ms",
            endpoint.method, endpoint.name, endpoint.requests
        );
    }
    for (name, count) in &report.snapshot().checks {
        println!("  check '{name}': {} passed, {} failed", count.passes, count.fails);
    }
    if report.passed() && total.failures == 0 && report.snapshot().script_errors.is_empty() {
        Ok(())
    } else {
        Err(format!("the test did not pass: it ended by {}", report.ended_by().as_str()).into())
    }
}
