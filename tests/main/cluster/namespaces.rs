//! Agents in network namespaces of their own: other machines, as far as the network is concerned.

use std::process::Command;
use std::time::Duration;

use super::*;

/// A bridge of this machine with namespaces on it, each with an address of its own. Gone when dropped.
struct Lan {
    number: u32,
    spaces: usize,
}

fn ip(arguments: &str) {
    let done =
        Command::new("ip").args(arguments.split(' ')).output().expect("ip is needed: apt install iproute2");
    assert!(done.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&done.stderr));
}

impl Lan {
    fn new(spaces: usize) -> Lan {
        // Names of interfaces have 15 characters at most; tests of other checkouts may run beside this one.
        let number = std::process::id() % 100_000;
        let lan = Lan { number, spaces };
        ip(&format!("link add rhb{number} type bridge"));
        ip(&format!("addr add {}/24 dev rhb{number}", lan.addr(254)));
        ip(&format!("link set rhb{number} up"));
        for space in 1..=spaces {
            let (name, here, there) = (lan.name(space), lan.link(space), format!("rhp{number}-{space}"));
            ip(&format!("netns add {name}"));
            ip(&format!("link add {here} type veth peer name {there}"));
            ip(&format!("link set {there} netns {name}"));
            ip(&format!("link set {here} master rhb{number} up"));
            ip(&format!("-n {name} addr add {}/24 dev {there}", lan.addr(space)));
            ip(&format!("-n {name} link set {there} up"));
            ip(&format!("-n {name} link set lo up"));
        }
        lan
    }

    fn addr(&self, host: usize) -> String {
        format!("10.{}.{}.{host}", 64 + (self.number >> 8) % 64, self.number % 256)
    }

    fn name(&self, space: usize) -> String {
        format!("rhaid-{}-{space}", self.number)
    }

    fn link(&self, space: usize) -> String {
        format!("rhv{}-{space}", self.number)
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for space in 1..=self.spaces {
            let _ = Command::new("ip").args(["netns", "del", &self.name(space)]).output();
            let _ = Command::new("ip").args(["link", "del", &self.link(space)]).output();
        }
        let _ = Command::new("ip").args(["link", "del", &format!("rhb{}", self.number)]).output();
    }
}

/// With one's network cut for ten seconds in between.
#[test]
fn three_agents_in_three_network_namespaces_share_300_users() {
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    assert!(
        is_root || std::env::var_os("CI").is_none(),
        "this test makes network namespaces, so it needs root"
    );
    if !is_root {
        // Straight to the terminal: what tests print is not shown when they pass.
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "NOT TESTED: agents in network namespaces need root");
        return;
    }
    let lan = Lan::new(3);
    let (nats, server) = (Nats::start_at(&lan.addr(254)), Server::start_at(&lan.addr(254)));
    let sandbox = Sandbox::with(
        "fn on_start() { print(\"user \" + vu::id()); } fn iteration() { http::get(\"/x\"); sleep(1); }",
    );
    let arguments = ["-H", &server.url(), "--agents", "3", "-u", "300", "-r", "1000", "-t", "90"];
    let mut running = coordinator(&sandbox, &nats.url(), &arguments);
    let agents: Vec<Agent> = (1..=3)
        .map(|space| {
            let within = ["ip", "netns", "exec", &lan.name(space)];
            Agent::start_with(&nats.url(), &format!("a{space}"), &within, &["--once"])
        })
        .collect();
    wait_until("all users have said so", || {
        users_of_agents(&running.stderr()).values().map(BTreeSet::len).sum::<usize>() == 300
    });
    assert_eq!(counts(&users_of_agents(&running.stderr())), [("a1", 100), ("a2", 100), ("a3", 100)]);
    ip(&format!("link set {} down", lan.link(2)));
    running.wait_for_stderr("agent 'a2' is lost");
    std::thread::sleep(Duration::from_secs(6));
    ip(&format!("link set {} up", lan.link(2)));
    running.wait_for_stderr("agent 'a2' is heard again");
    std::thread::sleep(Duration::from_secs(2));
    running.signal("INT");
    let output = running.wait().expect_code(105);
    let (run, json) = (output.run_dir(), output.run_dir().json());
    // Users whose share goes back to the second agent may be stopped while they wait for an answer.
    let interrupted = json["interrupted_requests"].as_u64().unwrap();
    assert_eq!(requests(&run) + interrupted, server.hits("/x"), "{interrupted}\n{}", output.shown());
    assert_eq!(json["failures"], serde_json::json!([]));
    for agent in agents {
        agent.running.wait().expect_code(0);
    }
}
