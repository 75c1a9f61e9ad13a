//! What `POST /api/v1/control` takes: changes of a run, as JSON.

use serde::Deserialize;

use crate::run::{Control, Stopper};

/// What is to be done, all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Orders {
    /// In their order.
    controls: Vec<Control>,
    reload: bool,
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

/// What a body asks for. A pause ends before anything else is done, and begins after it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn orders(body: &[u8]) -> Result<Orders, String> {
    let wishes: Wishes = serde_json::from_slice(body).map_err(|error| {
        format!("{error}; a body is for instance {{\"users\": 20}}, {{\"rate\": 50}} or {{\"pause\": true}}")
    })?;
    let scenario = wishes.scenario;
    let mut controls = Vec::new();
    if wishes.pause == Some(false) {
        controls.push(Control::Resume);
    }
    // First: a change of users or of the rate makes stages of its own.
    if wishes.next_stage {
        controls.push(Control::NextStage);
    }
    if let Some(users) = wishes.users {
        if users > MOST_USERS {
            return Err(format!("users is {users}; at most 1,000,000 can run"));
        }
        if let Some(rate) = wishes.spawn_rate.filter(|rate| !(rate.is_finite() && *rate > 0.0)) {
            return Err(format!("spawn_rate is {rate}; it must be above 0"));
        }
        let spawn_rate = wishes.spawn_rate;
        controls.push(Control::Users { scenario: scenario.clone(), users, spawn_rate });
    } else if wishes.spawn_rate.is_some() {
        return Err("spawn_rate goes with users".to_owned());
    }
    if let Some(rate) = wishes.rate {
        if scenario.is_some() && wishes.users.is_some() {
            return Err("scenario has users or a rate; make two calls to change both".to_owned());
        }
        controls.push(Control::Rate { scenario, rate });
    } else if scenario.is_some() && wishes.users.is_none() {
        return Err("scenario goes with users or rate".to_owned());
    }
    if wishes.pause == Some(true) {
        controls.push(Control::Pause);
    }
    if controls.is_empty() && !wishes.reload {
        return Err("nothing is asked for: give users, rate, pause, next_stage or reload".to_owned());
    }
    Ok(Orders { controls, reload: wishes.reload })
}

impl Orders {
    /// Does all of it; gives what was done, in words.
    ///
    /// # Errors
    /// Why something of it cannot be done now; then nothing was.
    pub(super) async fn carry_out(self, run: &Stopper) -> Result<Vec<String>, String> {
        let done = self.controls.iter().map(words).chain(self.reload.then(|| "script reloaded".to_owned()));
        let done = done.collect();
        if !self.controls.is_empty() {
            run.control_all(self.controls).await.map_err(|error| error.to_string())?;
        }
        if self.reload {
            run.reload();
        }
        Ok(done)
    }
}

fn words(control: &Control) -> String {
    match control {
        Control::Users { scenario, users, .. } => format!("users{} set to {users}", of(scenario)),
        Control::Rate { scenario, rate } => format!("rate{} set to {rate}/s", of(scenario)),
        Control::Pause => "paused".to_owned(),
        Control::Resume => "resumed".to_owned(),
        Control::NextStage => "went on to the next stage".to_owned(),
    }
}

fn of(scenario: &Option<String>) -> String {
    scenario.as_ref().map(|scenario| format!(" of {scenario}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_asks_for_one_or_more_changes() {
        let users = Control::Users { scenario: None, users: 20, spawn_rate: None };
        let read =
            |body: &str| orders(body.as_bytes()).map(|orders| (orders.controls, orders.reload)).unwrap();
        assert_eq!(read("{\"users\": 20}"), (vec![users.clone()], false));
        assert_eq!(read("{\"pause\": false, \"reload\": true}"), (vec![Control::Resume], true));
        assert_eq!(read("{\"next_stage\": true}"), (vec![Control::NextStage], false));
        // Whatever the order in the body: a load that is paused cannot be changed.
        assert_eq!(read("{\"pause\": true, \"users\": 20}").0, [users.clone(), Control::Pause]);
        assert_eq!(read("{\"users\": 20, \"pause\": false}").0, [Control::Resume, users]);
        for (body, words) in [
            ("{}", "nothing is asked for"),
            ("{\"user\": 20}", "unknown field `user`"),
            ("{\"users\": -1}", "invalid value"),
            ("{\"users\": 1e9}", "floating point"),
            ("{\"users\": 1000001}", "at most"),
            ("{\"spawn_rate\": 1}", "goes with users"),
            ("{\"users\": 2, \"spawn_rate\": 0}", "above 0"),
            ("{\"scenario\": \"a\"}", "goes with"),
            ("{\"scenario\": \"a\", \"users\": 1, \"rate\": 1}", "two calls"),
            ("[1]", "for instance"),
            ("", "for instance"),
        ] {
            let error = orders(body.as_bytes()).unwrap_err();
            assert!(error.contains(words), "{body}: {error}");
        }
    }
}
