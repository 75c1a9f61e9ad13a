//! Which processes a run monitors, from its flags and its host.

use std::net::IpAddr;
use std::thread::JoinHandle;

use super::args::ResourceArgs;
use crate::Prepared;
use crate::resources::{Monitor, RemoteTarget, Sampler, TargetProcess};

/// A sampler that is being made while the script loads: asking the system takes as long.
pub(super) struct ComingSampler(Option<JoinHandle<Sampler>>);

impl ComingSampler {
    /// Begins to make one, unless the flags say that there is to be none.
    pub(super) fn of(args: &ResourceArgs) -> ComingSampler {
        let thread = || std::thread::Builder::new().name("rhaid-sampler".to_owned()).spawn(Sampler::new).ok();
        ComingSampler(if args.no_resources { None } else { thread() })
    }

    fn made(self) -> Sampler {
        self.0.and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

/// Adds a monitor to a test, as its flags say.
///
/// # Errors
/// If a given target is not found, with the reason.
pub(super) fn watch(
    prepared: Prepared,
    args: &ResourceArgs,
    sampler: ComingSampler,
) -> Result<Prepared, String> {
    if args.no_resources {
        return if args.names_target() {
            Err("--no-resources turns monitoring off, so it cannot be combined with a target; remove one of them"
                .to_owned())
        } else {
            Ok(prepared)
        };
    }
    let sampler = sampler.made();
    if let Some(url) = &args.target_monitor {
        let remote = RemoteTarget { url: url.clone(), token: args.target_monitor_token.clone() };
        let monitor = Monitor::new(sampler).with_remote(remote)?;
        return Ok(prepared.resources(monitor));
    }
    let named = named(args.target_pid, args.target_port, args.target_name.as_deref());
    let monitor = match named {
        Some(target) => Monitor::new(sampler.with_target(target).map_err(|error| error.to_string())?),
        // Nobody asked for it: where it is not found, there is nothing to complain about.
        None => match prepared.info().host.as_deref().and_then(local_port) {
            Some(port) => Monitor::new(sampler).with_target_if_found(TargetProcess::Port(port)),
            None => Monitor::new(sampler),
        },
    };
    Ok(prepared.resources(monitor))
}

/// The process that was named; `clap` has seen to it that it was in one way only.
pub(super) fn named(pid: Option<u32>, port: Option<u16>, name: Option<&str>) -> Option<TargetProcess> {
    let pid = pid.map(TargetProcess::Pid);
    pid.or(port.map(TargetProcess::Port)).or(name.map(|name| TargetProcess::Name(name.to_owned())))
}

/// The port of a host that is this machine by its address or as `localhost`.
fn local_port(host: &str) -> Option<u16> {
    let url = url::Url::parse(host).ok()?;
    let is_local = match url.host()? {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(address) => IpAddr::from(address).is_loopback(),
        url::Host::Ipv6(address) => IpAddr::from(address).is_loopback(),
    };
    if is_local { url.port_or_known_default() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_has_a_port_to_look_at() {
        for (host, port) in [
            ("http://127.0.0.1:8000", Some(8000)),
            ("http://localhost:8000/base", Some(8000)),
            ("https://localhost", Some(443)),
            ("http://[::1]:9", Some(9)),
            ("http://127.1.2.3", Some(80)),
            ("http://192.0.2.1:8000", None),
            ("http://localhost.example:8000", None),
            ("nothing", None),
        ] {
            assert_eq!(local_port(host), port, "{host}");
        }
    }
}
