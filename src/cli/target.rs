//! `rhaid target`: the demo application alone.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::args::TargetArgs;
use super::exit::Exit;
use super::signals::Signals;
use super::{event_loop, output};
use crate::target::{TargetOptions, serve};

/// Serves the demo application until a signal.
pub(super) fn target(args: &TargetArgs) -> Exit {
    let options = TargetOptions {
        median: args.median,
        sigma: args.sigma,
        knee: args.knee,
        error_rate: args.error_rate,
        error_route: args.error_route.clone(),
        stall_at: args.stall_at,
        stall_length: args.stall_length,
        leak_per_s: u64::from(args.leak) * 1_000_000,
        seed: args.seed,
    };
    if let Err(problem) = options.validate() {
        output::error(&problem);
        return Exit::Configuration;
    }
    let runtime = match event_loop() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let address = SocketAddr::new(args.address, args.port);
    runtime.block_on(async {
        let listener = match TcpListener::bind(address).await {
            Ok(listener) => listener,
            Err(error) => {
                output::error(&format!(
                    "cannot listen on {address}: {error} (choose another port with --port)"
                ));
                return Exit::Configuration;
            }
        };
        let mut signals = Signals::new();
        // With port 0 the system chooses; this line is how to learn it.
        let address = listener.local_addr().unwrap_or(address);
        output::out(&format!("rhaid target listens on http://{address} (Ctrl-C stops it)\n"));
        if output::problem().is_some() {
            // Nobody learns where it listens; what is wrong is told at the end.
            return Exit::Passed;
        }
        match serve(listener, options, async move { signals.next().await }).await {
            Ok(()) => Exit::Passed,
            Err(error) => {
                output::error(&format!("the target failed: {error}"));
                Exit::Configuration
            }
        }
    })
}
