//! What the coordinator before has ordered, as the stream tells it: whoever goes on orders it no second time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::clock::unix_ns;
use crate::cluster::link::Kept;
use crate::cluster::protocol::Order;
use crate::cluster::seal::Key;
use crate::executor::schedule::Schedule;
use crate::executor::share::{Allowances, Deal};
use crate::run::Command;

/// See the module's description.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    setup: bool,
    /// When the load began, nanoseconds since 1970.
    start: Option<u64>,
    begun: BTreeSet<usize>,
    schedules: BTreeMap<usize, Arc<Schedule>>,
    /// Events of the run that listeners were called for, as text.
    announced: BTreeSet<String>,
    deals: Vec<Arc<Deal>>,
    allowances: Option<Arc<Allowances>>,
}

impl Ordered {
    /// What these orders say, in their order.
    pub(super) fn read(orders: &[Kept], key: &Key) -> Ordered {
        let mut ordered = Ordered::default();
        for kept in orders {
            let order = key.open(&kept.payload).ok().and_then(|opened| serde_json::from_slice(&opened).ok());
            match order {
                Some(Order::Start { at, .. }) => ordered.start = Some(at),
                Some(Order::Tell { command, .. }) => ordered.take(*command),
                // What nobody could follow orders nothing.
                Some(Order::Last { .. } | Order::End) | None => {}
            }
        }
        ordered
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Setup => self.setup = true,
            Command::Begin { lane, schedule, .. } => {
                self.begun.insert(lane);
                self.schedules.insert(lane, schedule);
            }
            Command::Follow { lane, schedule } => {
                self.schedules.insert(lane, schedule);
            }
            Command::Share(deal) => self.deals.push(deal),
            Command::Allow(allowances) => self.allowances = Some(allowances),
            Command::Announce(..) => {
                self.announced.insert(text(&command));
            }
            _ => {}
        }
    }

    /// Whether this has been ordered already.
    pub(super) fn knows(&self, command: &Command) -> bool {
        match command {
            Command::Setup => self.setup,
            Command::Start { .. } => self.start.is_some(),
            Command::Begin { lane, .. } => self.begun.contains(lane),
            Command::Announce(..) => self.announced.contains(&text(command)),
            _ => false,
        }
    }

    /// When the load began.
    pub(super) fn start(&self) -> Option<Instant> {
        let since = Duration::from_nanos(unix_ns().saturating_sub(self.start?));
        Instant::now().checked_sub(since)
    }

    /// The schedules that lanes follow now.
    pub(super) fn schedules(&self) -> Vec<(usize, Arc<Schedule>)> {
        self.schedules.iter().map(|(&lane, schedule)| (lane, schedule.clone())).collect()
    }

    /// What agents may take of numbers of iterations, if that was changed.
    pub(super) fn allowances(&self) -> Option<Arc<Allowances>> {
        self.allowances.clone()
    }

    /// How the load was dealt anew, each time.
    pub(super) fn deals(&self) -> &[Arc<Deal>] {
        &self.deals
    }
}

fn text(command: &Command) -> String {
    serde_json::to_string(command).unwrap_or_default()
}
