//! Whether the system will let a run have what it needs, told before there is any load.
//!
//! Owns the estimate and the words. Pure but for [`warnings_for`]. Invariant: each warning says what is needed, what
//! there is, what will happen otherwise, and the command that helps. None of it ends a run: how many connections and
//! running iterations there will be depends on the target and the script.

use crate::system::Limits;

/// Files besides the connections: event loops and timers, results, the terminal, lookups of names.
const OTHER_FILES: u64 = 100;

/// Mappings besides the stacks: program, libraries, heaps.
const OTHER_MAPPINGS: u64 = 2_000;

/// Mappings of a stack: itself and its guard.
const MAPPINGS_PER_STACK: u64 = 2;

/// Ports that an address has at most, without the privileged ones.
const ALL_PORTS: u64 = 65_535 - 1_024 + 1;

/// What may go wrong when so many users run on this machine as it is.
pub(super) fn warnings_for(users: u64) -> Vec<String> {
    warnings(users, Limits::read())
}

fn warnings(users: u64, limits: Limits) -> Vec<String> {
    [files(users, limits), ports(users, limits), mappings(users, limits)].into_iter().flatten().collect()
}

fn files(users: u64, limits: Limits) -> Option<String> {
    let needed = users.saturating_add(OTHER_FILES);
    let allowed = limits.open_files.filter(|&allowed| allowed < needed)?;
    let command = if limits.open_files_hard.is_none_or(|hard| hard >= needed) {
        format!("ulimit -n {needed}")
    } else {
        format!("sudo prlimit --pid $$ --nofile={needed}:{needed}")
    };
    Some(format!(
        "{users} users with a connection each need about {needed} open files, and this process may have {allowed}; \
         connections beyond that fail. Raise the limit in this shell, then start again: {command}"
    ))
}

fn ports(users: u64, limits: Limits) -> Option<String> {
    let there_are = limits.ports.filter(|&ports| ports < users)?;
    let text = format!(
        "{users} users with a connection each need as many ports, and there are {there_are} for one address of the target; \
         connections beyond that fail."
    );
    Some(if users <= ALL_PORTS {
        format!("{text} Raise the limit: sudo sysctl -w net.ipv4.ip_local_port_range='1024 65535'")
    } else {
        format!(
            "{text} No setting allows more than {ALL_PORTS}: use a target with several addresses, or several machines"
        )
    })
}

fn mappings(users: u64, limits: Limits) -> Option<String> {
    let needed = users.saturating_mul(MAPPINGS_PER_STACK).saturating_add(OTHER_MAPPINGS);
    let allowed = limits.mappings.filter(|&allowed| allowed < needed)?;
    let at_once = allowed.saturating_sub(OTHER_MAPPINGS) / MAPPINGS_PER_STACK;
    Some(format!(
        "about {at_once} of {users} users can be inside an iteration at the same time (each needs \
         {MAPPINGS_PER_STACK} of the {allowed} memory mappings of a process); iterations beyond that fail. Those that wait \
         between iterations do not count. Raise the limit: sudo sysctl -w vm.max_map_count={needed}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINUX: Limits = Limits {
        open_files: Some(20_000),
        open_files_hard: Some(20_000),
        ports: Some(28_232),
        mappings: Some(65_530),
    };

    #[test]
    fn what_fits_is_not_mentioned() {
        assert_eq!(warnings(19_900, LINUX), [""; 0]);
        assert_eq!(warnings(1_000_000, Limits::default()), [""; 0], "what is not known is not blamed");
    }

    #[test]
    fn files_can_be_raised_with_or_without_privileges() {
        let [text] = &warnings(19_901, LINUX)[..] else { panic!("one warning") };
        assert!(text.ends_with("sudo prlimit --pid $$ --nofile=20001:20001"), "{text}");
        let soft = Limits { open_files: Some(1_024), open_files_hard: Some(50_000), ..LINUX };
        let [text] = &warnings(2_000, soft)[..] else { panic!("one warning") };
        assert!(text.contains("2100 open files") && text.ends_with("ulimit -n 2100"), "{text}");
    }

    #[test]
    fn fifty_thousand_users_meet_every_limit() {
        let text = warnings(50_000, LINUX);
        assert_eq!(text.len(), 3, "{text:#?}");
        assert!(
            text[1].contains("28232") && text[1].contains("ip_local_port_range='1024 65535'"),
            "{}",
            text[1]
        );
        assert!(text[2].starts_with("about 31765 of 50000 users"), "{}", text[2]);
        assert!(text[2].ends_with("vm.max_map_count=102000"), "{}", text[2]);
    }

    #[test]
    fn more_users_than_an_address_has_ports_need_another_address() {
        let text = &warnings(100_000, LINUX)[1];
        assert!(text.contains("several machines") && !text.contains("sysctl"), "{text}");
    }
}
