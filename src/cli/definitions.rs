//! `rhaid definitions DIR`: what an editor's language server is to know of the script API.

use std::path::Path;

use super::exit::Exit;
use super::output;
use crate::script_reference::{DefinitionFile, MARK, definitions as files};

/// Writes the definition files; those that are there already are written again, files of others are not.
pub(super) fn definitions(folder: &Path) -> Exit {
    if folder.exists() && !folder.is_dir() {
        output::error(&format!("'{}' is a file; give a directory for the definitions", folder.display()));
        return Exit::Usage;
    }
    let files = files();
    if let Some((name, _)) = files.iter().find(|(name, _)| is_foreign(&folder.join(name))) {
        output::error(&format!(
            "'{}' was not written by `rhaid definitions`; rename it, or choose another directory",
            folder.join(name).display()
        ));
        return Exit::Usage;
    }
    match write(folder, &files) {
        Ok(()) => {
            output::out(&format!("{} definition files in {}\n", files.len(), folder.display()));
            Exit::Passed
        }
        Err(error) => {
            output::error(&format!("cannot write to '{}': {error}", folder.display()));
            Exit::Configuration
        }
    }
}

/// Whether there is something that this command did not write.
fn is_foreign(path: &Path) -> bool {
    match std::fs::read_to_string(path) {
        Ok(text) => text.lines().next() != Some(MARK),
        // Nothing there, or something that cannot be read and so is not ours.
        Err(_) => path.exists(),
    }
}

fn write(folder: &Path, files: &[DefinitionFile]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    files.iter().try_for_each(|(name, text)| std::fs::write(folder.join(name), text))
}
