//! What a page that waits to be started asks of the program around it.

use serde_json::Value;

/// Why something that was asked for is not done, for the one who asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// It is wrong: what, and what to do.
    Wrong(String),
    /// It does not go together with what is going on.
    NotNow(String),
    /// There is no such thing.
    NotFound(String),
}

/// Starts runs for the page. All of it may take as long as loading a script does.
pub trait Launcher: Send + Sync + 'static {
    /// The scripts that can be started, as paths relative to the folder, with what is known of each.
    fn scripts(&self) -> Value;

    /// What the form for a script asks for: its parameters, scenarios and defaults.
    ///
    /// # Errors
    /// When there is no such script, or it does not load.
    fn form(&self, script: &str) -> Result<Value, Refusal>;

    /// What a filled form would do, without doing it: the planned load, and the command that does the same.
    ///
    /// # Errors
    /// What is wrong with it.
    fn plan(&self, form: &Value) -> Result<Value, Refusal>;

    /// Starts a run. When it gives an `id`, the load begins; with none, it waits for agents.
    ///
    /// # Errors
    /// What is wrong with it, or that another run is on.
    fn start(&self, form: &Value) -> Result<Value, Refusal>;

    /// Runs the script once with one user; gives the requests and responses as text.
    ///
    /// # Errors
    /// As [`Launcher::start`].
    fn try_once(&self, form: &Value) -> Result<Value, Refusal>;

    /// What changes scripts; `None` when that is not allowed.
    fn editor(&self) -> Option<&dyn Editor>;
}

/// Changes scripts for the page.
pub trait Editor: Send + Sync {
    /// The text of a script, and a version that tells it from later ones.
    ///
    /// # Errors
    /// When there is no such script.
    fn read(&self, script: &str) -> Result<Value, Refusal>;

    /// Saves a script that is `{script, text, version}`; gives the new version.
    ///
    /// # Errors
    /// When there is no such script, or somebody changed it since that version.
    fn save(&self, changed: &Value) -> Result<Value, Refusal>;

    /// What is wrong with a text that is `{script, text}`, without saving it.
    ///
    /// # Errors
    /// When there is no such script.
    fn check(&self, text: &Value) -> Result<Value, Refusal>;

    /// What the reference says on a word.
    ///
    /// # Errors
    /// When it says nothing.
    fn docs(&self, word: &str) -> Result<Value, Refusal>;
}
