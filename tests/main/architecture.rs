//! Whether the folders of `src` import each other only as `ARCHITECTURE.md` says, and the profiles in `Cargo.toml` are what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn folders_import_only_what_the_architecture_allows() {
    let allowed = allowed();
    let mut wrong = Vec::new();
    let mut unused: BTreeSet<(String, String)> =
        allowed.iter().flat_map(|(from, to)| to.iter().map(|to| (from.clone(), to.clone()))).collect();
    for (from, to, place) in imports() {
        unused.remove(&(from.clone(), to.clone()));
        if !allowed.get(&from).is_some_and(|names| names.contains(&to)) {
            wrong.push(format!("{place}: {from} imports {to}"));
        }
    }
    assert!(wrong.is_empty(), "not in the list of arrows in ARCHITECTURE.md:\n{}", wrong.join("\n"));
    assert!(unused.is_empty(), "arrows in ARCHITECTURE.md that no import follows: {unused:?}");
}

#[test]
fn the_allowed_arrows_make_no_circle() {
    let mut open = allowed();
    while !open.is_empty() {
        let done: Vec<String> = open
            .iter()
            .filter(|(_, to)| to.iter().all(|to| !open.contains_key(to)))
            .map(|(from, _)| from.clone())
            .collect();
        assert!(!done.is_empty(), "a circle among {:?}", open.keys());
        open.retain(|from, _| !done.contains(from));
    }
}

#[test]
fn every_folder_has_a_place_in_the_list() {
    let folders: BTreeSet<String> = folders().into_iter().collect();
    assert_eq!(allowed().into_keys().collect::<BTreeSet<_>>(), folders);
}

/// What each folder may import, from the block below "### Arrows" in `ARCHITECTURE.md`: a line `from: to to`.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).unwrap();
    let block = text.split("### Arrows").nth(1).and_then(|rest| rest.split("```").nth(1));
    let lines = block.expect("ARCHITECTURE.md has a block of arrows").lines().skip(1);
    let arrow = |line: &str| {
        let (from, to) = line.split_once(':').unwrap_or_else(|| panic!("no arrow: {line}"));
        (from.trim().to_owned(), to.split_whitespace().map(str::to_owned).collect())
    };
    lines.filter(|line| !line.trim().is_empty()).map(arrow).collect()
}

fn folders() -> Vec<String> {
    let entries = fs::read_dir(Path::new(ROOT).join("src")).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// Every import of one folder by another outside of tests: from, to, where it stands.
fn imports() -> Vec<(String, String, String)> {
    let folders = folders();
    let named_at_root = names_at_root(&folders);
    let path = Regex::new(r"\bcrate::(?:\{([^}]*)\}|(\w+))").unwrap();
    let first_word = Regex::new(r"^\s*(\w+)").unwrap();
    let mut found = Vec::new();
    for folder in &folders {
        for file in rust_files(&Path::new(ROOT).join("src").join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let code: Vec<&str> = code
                .lines()
                .map(|line| if line.trim_start().starts_with("//") { "" } else { line })
                .collect();
            let code = code.join("\n");
            for import in path.captures_iter(&code) {
                let line = code[..import.get(0).unwrap().start()].matches('\n').count() + 1;
                let names: Vec<&str> = match (import.get(1), import.get(2)) {
                    (Some(group), _) => group.as_str().split(',').collect(),
                    (None, name) => vec![name.unwrap().as_str()],
                };
                for name in names {
                    let Some(name) = first_word.captures(name).map(|word| word[1].to_owned()) else {
                        continue;
                    };
                    let to = if folders.contains(&name) { Some(&name) } else { named_at_root.get(&name) };
                    if let Some(to) = to.filter(|to| *to != folder) {
                        let file = file.strip_prefix(ROOT).unwrap().display();
                        found.push((folder.clone(), to.clone(), format!("{file}:{line}")));
                    }
                }
            }
        }
    }
    assert!(found.len() > 100, "imports are found");
    found
}

/// Names that `src/lib.rs` passes on, and the folder that each is from.
fn names_at_root(folders: &[String]) -> BTreeMap<String, String> {
    let text = fs::read_to_string(Path::new(ROOT).join("src/lib.rs")).unwrap();
    let reexport = Regex::new(r"use (\w+)::(?:\{([^}]*)\}|(\w+)(?: as (\w+))?);").unwrap();
    let mut names = BTreeMap::new();
    for found in reexport.captures_iter(&text) {
        let Some(folder) = folders.iter().find(|folder| **folder == found[1]) else { continue };
        let list = found.get(2).or(found.get(4)).or(found.get(3)).map_or("", |names| names.as_str());
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            names.insert(name.to_owned(), folder.clone());
        }
    }
    names
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            files.extend(rust_files(&path));
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") && name != "made.rs" {
            files.push(path);
        }
    }
    files
}

/// The engine alone is lean: nothing of NATS comes with it.
#[test]
fn without_features_there_is_no_nats() {
    let tree = |features: &[&str]| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = std::process::Command::new(cargo);
        command.args([
            "tree",
            "--locked",
            "--offline",
            "--prefix",
            "none",
            "-e",
            "normal",
            "--format",
            "{p}",
        ]);
        let output = command.args(features).current_dir(ROOT).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().any(|line| line.starts_with("async-nats "))
    };
    assert!(tree(&[]), "the command line has it");
    assert!(!tree(&["--no-default-features"]));
}

/// A profile inherits the settings for single packages too, and those of `release` trade speed for the time of the build.
#[cfg(feature = "cli")]
#[test]
fn dist_inherits_no_setting_that_makes_release_build_fast() {
    let read = |name: &str| -> toml::Table {
        let text = fs::read_to_string(Path::new(ROOT).join(name)).unwrap();
        text.parse().unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let (manifest, lock) = (read("Cargo.toml"), read("Cargo.lock"));
    let (release, dist) = (&manifest["profile"]["release"], &manifest["profile"]["dist"]);
    let setting = |package: &str, key: &str| {
        let own = |profile: &toml::Value| profile.get("package")?.get(package)?.get(key)?.as_integer();
        own(dist).or_else(|| own(release)).or_else(|| dist.get(key)?.as_integer())
    };
    for package in release["package"].as_table().unwrap().keys() {
        assert_eq!(setting(package, "opt-level"), Some(3), "{package} in dist");
        assert_eq!(setting(package, "codegen-units"), Some(1), "{package} in dist");
        let locked =
            lock["package"].as_array().unwrap().iter().any(|locked| locked["name"].as_str() == Some(package));
        assert!(locked, "the profile `release` names {package}, which is no longer a dependency");
    }
    assert_eq!(setting("any other package", "opt-level"), Some(3));
    assert_eq!(dist["lto"].as_str(), Some("fat"));
    assert_eq!(release["panic"].as_str(), Some("unwind"), "dropping a suspended fiber unwinds it");
    assert!(dist.get("panic").is_none());
}
