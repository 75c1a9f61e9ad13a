//! The pages for those who come from another tool say what the scripts say, which other tests run.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The cells of a table's row; none of another line.
fn cells(line: &str) -> Vec<String> {
    let Some(row) = line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")) else { return Vec::new() };
    // A bar of the script is escaped, one between cells is not.
    row.replace("\\|", "\u{0}").split(" | ").map(|cell| cell.replace('\u{0}', "|")).collect()
}

/// The code in a cell, as Markdown reads it: between as many backticks as it began with.
fn code(cell: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = cell;
    while let Some(start) = rest.find('`') {
        let ticks = rest[start..].bytes().take_while(|byte| *byte == b'`').count();
        let fence = &rest[start..start + ticks];
        let inside = &rest[start + ticks..];
        let end = inside.find(fence).unwrap_or_else(|| panic!("not closed: {cell}"));
        found.push(inside[..end].trim());
        rest = &inside[end + ticks..];
    }
    found
}

/// The text of the script that a cell links to, if it does.
fn linked(cell: &str) -> Option<String> {
    let path = cell.strip_prefix('[')?.split_once("](../")?.1.strip_suffix(')')?;
    path.ends_with(".rhai")
        .then(|| std::fs::read_to_string(root().join(path)).unwrap_or_else(|_| panic!("no {path}")))
}

/// How many constructs a page shows. Each stands in the file that its row names.
fn constructs(name: &str) -> usize {
    let text = page(name);
    let mut count = 0;
    for line in text.lines() {
        let cells = cells(line);
        let [_, here, file] = &cells[..] else { continue };
        let Some(script) = linked(file) else { continue };
        for snippet in code(here) {
            assert!(script.contains(snippet), "{name}: not in {file}: {snippet}");
            count += 1;
        }
    }
    count
}

/// The blocks of script in a page stand in one of the files of a folder.
fn blocks_are_from(name: &str, folder: &str) {
    let files = std::fs::read_dir(root().join(folder)).unwrap().map(|file| file.unwrap().path());
    let scripts: Vec<String> =
        files.filter(|path| path.is_file()).map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let text = page(name);
    let blocks: Vec<&str> =
        text.split("```rhai\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!blocks.is_empty(), "{name} shows a script");
    for block in blocks {
        assert!(
            scripts.iter().any(|script| script.contains(block)),
            "{name}: in no file of {folder}:\n{block}"
        );
    }
}

#[test]
fn what_is_said_to_users_of_locust_is_in_scripts_that_run() {
    let constructs = constructs("from-locust.md");
    assert!(constructs >= 60, "{constructs} constructs");
    blocks_are_from("from-locust.md", "scripts/from-locust");
}

#[test]
fn what_is_said_to_users_of_k6_is_in_scripts_that_run() {
    let constructs = constructs("from-k6.md");
    assert!(constructs >= 60, "{constructs} constructs");
    blocks_are_from("from-k6.md", "scripts/from-k6");
}

#[test]
fn no_equivalent_of_an_example_is_longer_than_the_original() {
    let text = page("from-locust.md");
    let mut rows = 0;
    for line in text.lines() {
        let cells = cells(line);
        let [_, theirs, file, ours] = &cells[..] else { continue };
        let Some(script) = linked(file) else { continue };
        let theirs: usize = theirs.trim_end_matches('*').parse().unwrap();
        assert_eq!(ours.parse::<usize>().unwrap(), script.lines().count(), "{file}");
        assert!(script.lines().count() <= theirs, "{file} is longer than the original");
        rows += 1;
    }
    let shown = std::fs::read_dir(root().join("scripts/from-locust")).unwrap();
    let scripts =
        shown.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "rhai"));
    // `client` and `users` are made for the tables of constructs.
    assert_eq!(rows, scripts.count() - 2, "every equivalent has its row");
}
