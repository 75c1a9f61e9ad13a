//! Scripts as the page's editor reads, checks and saves them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::form;
use crate::cli::docs::text_of;
use crate::cli::{config_file, output};
use crate::report::Look;
use crate::system::read_text;
use crate::web::{Editor, Refusal};
use crate::{LoadTest, Severity};

/// Largest script, in bytes.
const LARGEST: u64 = 1 << 20;

/// Where the reference is shown: a narrow column.
const LOOK: Look = Look { width: 60, unicode: true, color: false };

/// See the module's description.
pub(super) struct ScriptEditor {
    folder: PathBuf,
    config: Option<PathBuf>,
}

impl ScriptEditor {
    pub(super) fn new(folder: PathBuf, config: Option<PathBuf>) -> ScriptEditor {
        ScriptEditor { folder, config }
    }

    /// The script that a body names, and the text in it.
    fn named<'a>(&self, body: &'a Value) -> Result<(PathBuf, &'a str), Refusal> {
        let (Some(script), Some(text)) = (body["script"].as_str(), body["text"].as_str()) else {
            return Err(Refusal::Wrong("the body is {\"script\": …, \"text\": …}".to_owned()));
        };
        Ok((form::script(&self.folder, script)?, text))
    }
}

fn read(path: &Path) -> Result<String, Refusal> {
    read_text(path, LARGEST)
        .map_err(|error| Refusal::NotFound(format!("cannot read {}: {error}", path.display())))
}

/// Tells a text from a changed one.
fn version(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl Editor for ScriptEditor {
    fn read(&self, script: &str) -> Result<Value, Refusal> {
        let text = read(&form::script(&self.folder, script)?)?;
        Ok(json!({ "script": script, "version": version(&text), "text": text }))
    }

    fn save(&self, changed: &Value) -> Result<Value, Refusal> {
        let (path, text) = self.named(changed)?;
        if changed["version"].as_str() != Some(version(&read(&path)?).as_str()) {
            let why = "somebody changed the script in the meantime; load it again, or save yours elsewhere";
            return Err(Refusal::NotNow(why.to_owned()));
        }
        output::write_file(&path, text.as_bytes()).map_err(Refusal::NotNow)?;
        Ok(json!({ "version": version(text) }))
    }

    fn check(&self, body: &Value) -> Result<Value, Refusal> {
        let (path, text) = self.named(body)?;
        let config = config_file::load(self.config.as_ref()).map_err(Refusal::Wrong)?;
        let test = LoadTest::from_text(&path.display().to_string(), text);
        let test = config.args.lib.iter().fold(test, |test, root| test.lib_root(root));
        let report = test.options(config.options()).find_problems();
        let file = path.display().to_string();
        let problems: Vec<Value> = report
            .problems
            .iter()
            .map(|problem| {
                let is_here = problem.file == file;
                // What is wrong with an import stands at the beginning, with its own place.
                let message = if is_here { problem.message.clone() } else { problem.to_string() };
                json!({
                    "line": if is_here { problem.line } else { None },
                    "column": if is_here { problem.column } else { None },
                    "severity": if problem.severity == Severity::Error { "error" } else { "warning" },
                    "message": message,
                })
            })
            .collect();
        Ok(json!({ "problems": problems }))
    }

    fn docs(&self, word: &str) -> Result<Value, Refusal> {
        match text_of(word, LOOK) {
            Some(text) => Ok(json!({ "word": word, "text": text })),
            None => Err(Refusal::NotFound(format!("the reference says nothing on '{word}'"))),
        }
    }
}
