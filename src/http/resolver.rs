//! Names to addresses.
//!
//! Owns the DNS cache of a worker thread and which address is tried first. Leaves connecting to `connector.rs`. The
//! system's own resolver is asked, on tokio's blocking threads; it does not tell how long its answers hold.
//!
//! Invariants: lookups of one name that happen at the same time are one lookup; a failed one is told to those
//! who waited for it and then forgotten; at most [`MAX_NAMES`] names are kept.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::error::{self, ErrorKind, HttpError};
use super::options::DnsChoice;
use super::transport::{Address, Transport};

/// A script that makes up names must not fill the memory.
pub(super) const MAX_NAMES: usize = 4096;

/// How long an address that did not answer is tried last.
const DOWN_FOR: Duration = Duration::from_secs(30);

/// The addresses that worker thread knows.
pub(super) struct Resolver {
    transport: Arc<Transport>,
    names: RefCell<HashMap<Box<str>, Rc<Entry>>>,
    fixed: HashMap<Box<str>, Rc<Addresses>>,
}

struct Entry {
    answer: OnceCell<Result<Rc<Addresses>, HttpError>>,
    asked: Instant,
}

/// The addresses of a name; never empty.
pub(super) struct Addresses {
    list: Vec<Address>,
    /// When each was last tried in vain.
    down: Vec<Cell<Option<Instant>>>,
    choice: DnsChoice,
    turn: Arc<AtomicUsize>,
}

impl Addresses {
    fn new(list: Vec<Address>, choice: DnsChoice, turn: Arc<AtomicUsize>) -> Rc<Addresses> {
        let down = list.iter().map(|_| Cell::new(None)).collect();
        Rc::new(Addresses { list, down, choice, turn })
    }

    pub(super) fn one(ip: IpAddr) -> Rc<Addresses> {
        Addresses::new(vec![Address { ip, port: None }], DnsChoice::First, Arc::default())
    }

    /// Every address with its index, in the order in which a new connection tries them: the chosen one, those it was
    /// chosen from, the others. It is chosen from those that are not down, of the family that the system puts first.
    pub(super) fn in_turn(&self) -> Vec<(usize, Address)> {
        let is_down = |index: &usize| self.down[*index].get().is_some_and(|since| since.elapsed() < DOWN_FOR);
        let all = || 0..self.list.len();
        let up: Vec<usize> = all().filter(|index| !is_down(index)).collect();
        let up = if up.is_empty() { all().collect() } else { up };
        let family = self.list[up[0]].ip.is_ipv4();
        let (mut order, others): (Vec<usize>, Vec<usize>) =
            up.iter().copied().partition(|&index| self.list[index].ip.is_ipv4() == family);
        let start = match self.choice {
            DnsChoice::First => 0,
            DnsChoice::RoundRobin => self.turn.fetch_add(1, Ordering::Relaxed),
            DnsChoice::Random => scrambled(self.turn.fetch_add(1, Ordering::Relaxed)),
        };
        let count = order.len();
        order.rotate_left(start % count);
        order.extend(others);
        let down: Vec<usize> = all().filter(|index| !order.contains(index)).collect();
        order.extend(down);
        order.into_iter().map(|index| (index, self.list[index])).collect()
    }

    /// Whether the address with this index answered.
    pub(super) fn note(&self, index: usize, answered: bool) {
        self.down[index].set((!answered).then(Instant::now));
    }
}

/// A number that has nothing to do with those before it (`splitmix64`).
fn scrambled(turn: usize) -> usize {
    let mut bits = (turn as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 1) as usize
}

impl Resolver {
    /// Knows what the settings say and nothing else yet.
    pub(super) fn new(transport: Arc<Transport>) -> Resolver {
        let choice = transport.options.dns;
        let addresses = |(name, list): (&String, &Vec<Address>)| {
            (name.as_str().into(), Addresses::new(list.clone(), choice, transport.turns.of(name)))
        };
        let fixed = transport.fixed.iter().map(addresses).collect();
        Resolver { transport, names: RefCell::default(), fixed }
    }

    /// The addresses of `name`, if they are known already.
    pub(super) fn cached(&self, name: &str) -> Option<Rc<Addresses>> {
        if let Some(addresses) = self.fixed.get(name) {
            return Some(addresses.clone());
        }
        let names = self.names.borrow();
        let entry = names.get(name).filter(|entry| self.holds(entry))?;
        entry.answer.get()?.as_ref().ok().cloned()
    }

    /// Looks `name` up, or waits for a lookup that is under way.
    pub(super) async fn look_up(&self, name: &str) -> Result<Rc<Addresses>, HttpError> {
        let entry = self.entry(name);
        let answer = entry.answer.get_or_init(|| self.ask(name)).await.clone();
        if answer.is_err() {
            let mut names = self.names.borrow_mut();
            // Another lookup may have begun meanwhile; that one is not ours to forget.
            if names.get(name).is_some_and(|current| Rc::ptr_eq(current, &entry)) {
                names.remove(name);
            }
        }
        answer
    }

    fn entry(&self, name: &str) -> Rc<Entry> {
        let mut names = self.names.borrow_mut();
        // One that is under way is waited for, however long its answer will hold.
        if let Some(entry) = names.get(name).filter(|entry| !entry.answer.initialized() || self.holds(entry))
        {
            return entry.clone();
        }
        if names.len() >= MAX_NAMES {
            names.clear();
        }
        let entry = Rc::new(Entry { answer: OnceCell::new(), asked: Instant::now() });
        names.insert(name.into(), entry.clone());
        entry
    }

    fn holds(&self, entry: &Entry) -> bool {
        entry.asked.elapsed() < self.transport.options.dns_ttl
    }

    async fn ask(&self, name: &str) -> Result<Rc<Addresses>, HttpError> {
        let failed =
            |reason: &str| HttpError::new(ErrorKind::Dns, format!("cannot resolve '{name}': {reason}"));
        let found = tokio::net::lookup_host((name, 0)).await.map_err(|cause| {
            // getaddrinfo's text follows this; the first part says nothing.
            let text = error::describe_io(&cause);
            let reason = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
            let told = failed(reason);
            if reason.starts_with("name or service not known") || reason.starts_with("no address") {
                told.coded(error::NO_SUCH_HOST)
            } else {
                told
            }
        })?;
        let mut list: Vec<Address> = Vec::new();
        for address in found.map(|socket| Address { ip: socket.ip(), port: None }) {
            if !list.contains(&address) {
                list.push(address);
            }
        }
        if list.is_empty() {
            return Err(failed("the name has no addresses").coded(error::NO_SUCH_HOST));
        }
        Ok(Addresses::new(list, self.transport.options.dns, self.transport.turns.of(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str], choice: DnsChoice) -> Rc<Addresses> {
        let list = list.iter().map(|ip| Address { ip: ip.parse().unwrap(), port: None }).collect();
        Addresses::new(list, choice, Arc::default())
    }

    fn firsts(addresses: &Addresses, count: usize) -> Vec<usize> {
        (0..count).map(|_| addresses.in_turn()[0].0).collect()
    }

    #[test]
    fn connections_go_to_the_address_that_the_choice_says() {
        let three = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
        assert_eq!(firsts(&addresses(&three, DnsChoice::First), 4), [0, 0, 0, 0]);
        assert_eq!(firsts(&addresses(&three, DnsChoice::RoundRobin), 5), [0, 1, 2, 0, 1]);
        let random = firsts(&addresses(&three, DnsChoice::Random), 3_000);
        for index in 0..3 {
            let count = random.iter().filter(|&&first| first == index).count();
            assert!((900..1_100).contains(&count), "{index}: {count}");
        }
    }

    #[test]
    fn one_that_does_not_answer_is_tried_last_for_a_while() {
        let three = addresses(&["10.0.0.1", "10.0.0.2", "10.0.0.3"], DnsChoice::RoundRobin);
        three.note(1, false);
        assert_eq!(firsts(&three, 4), [0, 2, 0, 2]);
        assert_eq!(three.in_turn().iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 2, 1]);
        three.note(1, true);
        assert_eq!(firsts(&three, 3), [2, 0, 1]);
        let one = addresses(&["10.0.0.1"], DnsChoice::First);
        one.note(0, false);
        assert_eq!(firsts(&one, 1), [0]);
    }

    #[test]
    fn the_family_that_the_system_puts_first_comes_first() {
        let mixed = addresses(&["::1", "127.0.0.1", "::2"], DnsChoice::RoundRobin);
        assert_eq!(firsts(&mixed, 4), [0, 2, 0, 2]);
        mixed.note(0, false);
        mixed.note(2, false);
        assert_eq!(firsts(&mixed, 2), [1, 1]);
    }
}
