//! Copies of the script's files in the run directory, under names that stay inside it.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::error::ResultsError;

/// Longest name of a copy; file systems end at 255 bytes.
const LONGEST_NAME: usize = 150;

/// Writes each `(name, text)` into `folder`.
pub(crate) fn copy_files(folder: &Path, files: &[(String, String)]) -> Result<(), ResultsError> {
    fs::create_dir(folder).map_err(ResultsError::create("the directory", folder))?;
    let mut taken = HashSet::new();
    for (name, text) in files {
        let path = folder.join(copy_name(name, &mut taken));
        fs::write(&path, text).map_err(ResultsError::create("the file", &path))?;
    }
    Ok(())
}

/// `../lib/x.rhai` becomes `lib__x.rhai`: one file name, without a way out of its folder.
fn copy_name(name: &str, taken: &mut HashSet<String>) -> String {
    let parts: Vec<String> =
        name.split(['/', '\\']).filter(|part| !part.chars().all(|c| c == '.')).map(safe_name).collect();
    let flat = parts.join("__");
    let stem = flat.strip_suffix(".rhai").unwrap_or(&flat);
    // All characters are ASCII by now. The end of a long name tells more than its beginning.
    let stem = &stem[stem.len().saturating_sub(LONGEST_NAME)..];
    let stem = if stem.is_empty() { "script" } else { stem };
    let numbered = |n: usize| if n == 1 { format!("{stem}.rhai") } else { format!("{stem}-{n}.rhai") };
    let mut n = 1;
    // Compared without case, as some file systems do.
    while !taken.insert(numbered(n).to_ascii_lowercase()) {
        n += 1;
    }
    numbered(n)
}

/// The text with everything but letters, digits and `._-` replaced: safe in any file name.
pub(crate) fn safe_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let mut taken = HashSet::new();
        for (name, copy) in [
            ("shop.rhai", "shop.rhai"),
            ("std/auth", "std__auth.rhai"),
            ("../lib/x.rhai", "lib__x.rhai"),
            ("../../../../etc/passwd", "etc__passwd.rhai"),
            ("/abs/x.rhai", "abs__x.rhai"),
            ("C:\\tests\\x.rhai", "C___tests__x.rhai"),
            ("SHOP.rhai", "SHOP-2.rhai"),
            ("..", "script.rhai"),
            ("", "script-2.rhai"),
            ("naïve\n\0.rhai", "na_ve__.rhai"),
        ] {
            assert_eq!(copy_name(name, &mut taken), copy, "{name:?}");
        }
        assert_eq!(copy_name(&"é/".repeat(500), &mut taken).len(), LONGEST_NAME + ".rhai".len());
    }
}
