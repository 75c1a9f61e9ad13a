//! What `POST /api/v1/control` takes: changes of a run, as JSON.

use serde::Deserialize;

use crate::run::{Control, Stopper};

/// One thing to be done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Order {
    Control(Control),
    Reload,
    Stop,
}

/// The body. What is not given stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wishes {
    users: Option<u64>,
    spawn_rate: Option<f64>,
    rate: Option<f64>,
    scenario: Option<String>,
    pause: Option<bool>,
    #[serde(default)]
    next_stage: bool,
    #[serde(default)]
    reload: bool,
}

/// Most users, as for `--users`.
const MOST_USERS: u64 = 1_000_000;

/// What a body asks for.
///
/// # Errors
/// What is wrong with it.
pub(super) fn orders(body: &[u8]) -> Result<Vec<Order>, String> {
    let wishes: Wishes = serde_json::from_slice(body).map_err(|error| {
        format!("{error}; a body is for instance {{\"users\": 20}}, {{\"rate\": 50}} or {{\"pause\": true}}")
    })?;
    let scenario = wishes.scenario;
    let mut orders = Vec::new();
    if let Some(paused) = wishes.pause {
        orders.push(Order::Control(if paused { Control::Pause } else { Control::Resume }));
    }
    if let Some(users) = wishes.users {
        if users > MOST_USERS {
            return Err(format!("users is {users}; at most 1,000,000 can run"));
        }
        if let Some(rate) = wishes.spawn_rate.filter(|rate| !(rate.is_finite() && *rate > 0.0)) {
            return Err(format!("spawn_rate is {rate}; it must be above 0"));
        }
        let spawn_rate = wishes.spawn_rate;
        orders.push(Order::Control(Control::Users { scenario: scenario.clone(), users, spawn_rate }));
    } else if wishes.spawn_rate.is_some() {
        return Err("spawn_rate goes with users".to_owned());
    }
    if let Some(rate) = wishes.rate {
        orders.push(Order::Control(Control::Rate { scenario, rate }));
    } else if scenario.is_some() && wishes.users.is_none() {
        return Err("scenario goes with users or rate".to_owned());
    }
    if wishes.next_stage {
        orders.push(Order::Control(Control::NextStage));
    }
    if wishes.reload {
        orders.push(Order::Reload);
    }
    if orders.is_empty() {
        return Err("nothing is asked for: give users, rate, pause, next_stage or reload".to_owned());
    }
    Ok(orders)
}

impl Order {
    /// Does it.
    ///
    /// # Errors
    /// Why it cannot be done now.
    pub(super) async fn carry_out(self, run: &Stopper) -> Result<(), String> {
        match self {
            Order::Control(control) => run.control(control).await.map_err(|error| error.to_string()),
            Order::Reload => {
                run.reload();
                Ok(())
            }
            Order::Stop => {
                run.stop();
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_asks_for_one_or_more_changes() {
        let users = Control::Users { scenario: None, users: 20, spawn_rate: None };
        assert_eq!(orders(b"{\"users\": 20}"), Ok(vec![Order::Control(users)]));
        assert_eq!(orders(b"{\"pause\": false, \"reload\": true}").unwrap().len(), 2);
        assert_eq!(orders(b"{\"next_stage\": true}"), Ok(vec![Order::Control(Control::NextStage)]));
        for (body, words) in [
            ("{}", "nothing is asked for"),
            ("{\"user\": 20}", "unknown field `user`"),
            ("{\"users\": -1}", "invalid value"),
            ("{\"users\": 1e9}", "floating point"),
            ("{\"users\": 1000001}", "at most"),
            ("{\"spawn_rate\": 1}", "goes with users"),
            ("{\"users\": 2, \"spawn_rate\": 0}", "above 0"),
            ("{\"scenario\": \"a\"}", "goes with"),
            ("[1]", "for instance"),
            ("", "for instance"),
        ] {
            let error = orders(body.as_bytes()).unwrap_err();
            assert!(error.contains(words), "{body}: {error}");
        }
    }
}
