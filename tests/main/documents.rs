//! The documents lead where they say: every relative link and every anchor in them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::support::Sandbox;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All documents that are shipped.
fn documents() -> Vec<PathBuf> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let others = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "performance/benchmarks/README.md",
    ];
    pages.chain(others.iter().map(|name| root().join(name))).collect()
}

/// The lines outside of code blocks.
fn prose(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// How a heading is linked to, as on the usual sites for code.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(text: &str) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let headings = prose(text).into_iter().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let anchor = anchor(line.trim_start_matches('#'));
            let count = seen.entry(anchor.clone()).or_default();
            *count += 1;
            if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
        })
        .collect()
}

/// The targets of links in a document, without those in code.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in prose(text) {
        // Every second piece stands between backticks.
        let outside: String =
            line.split('`').enumerate().map(|(at, piece)| if at % 2 == 0 { piece } else { "code" }).collect();
        for piece in outside.split("](").skip(1) {
            if let Some((target, _)) = piece.split_once(')') {
                links.push(target.to_owned());
            }
        }
    }
    links
}

#[test]
fn links_lead_somewhere() {
    let mut count = 0;
    let mut broken = Vec::new();
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (file, wanted) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { document.clone() } else { folder(&document).join(file) };
            if !target.exists() {
                broken.push(format!("{}: there is no {link}", document.display()));
            } else if !wanted.is_empty() {
                let there = std::fs::read_to_string(&target).unwrap_or_default();
                if !anchors(&there).iter().any(|anchor| anchor == wanted) {
                    broken.push(format!("{}: {link} has no such heading", document.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(count > 80, "only {count} links were found");
}

fn folder(document: &Path) -> &Path {
    document.parent().unwrap()
}

#[test]
fn anchors_are_made_as_sites_make_them() {
    assert_eq!(anchor(" `options.http`"), "optionshttp");
    assert_eq!(anchor("Checks and the course of an iteration"), "checks-and-the-course-of-an-iteration");
    assert_eq!(anchors("# A\n## A\n```\n# B\n```\n"), ["a", "a-1"]);
    assert_eq!(links("[a](b.md#c) `[x](y)` [`z`](w)"), ["b.md#c", "w"]);
}

#[test]
fn every_script_in_the_documents_is_free_of_mistakes() {
    let sandbox = Sandbox::new();
    let mut count = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        // What stands there is checked by the tests of the reference and of the guides.
        let elsewhere = ["docs/script-api.md", "docs/from-k6.md", "docs/from-locust.md"];
        if elsewhere.iter().any(|name| document.ends_with(name)) {
            continue;
        }
        for (index, block) in text.split("```rhai\n").skip(1).enumerate() {
            let script = block.split("```").next().unwrap();
            let page = document.file_stem().unwrap().to_str().unwrap();
            sandbox.write(&format!("{page}-{}.rhai", index + 1), script);
            count += 1;
        }
    }
    assert!(count >= 18, "only {count} were found");
    sandbox.write("big.iso", "bytes");
    sandbox.write("words.txt", "word\n");
    sandbox.write("data/users.csv", "user,password\nann,a\n");
    sandbox.write("lib/shop.rhai", "fn browse(page) { http::get(\"/x\") }");
    let output = sandbox.run(&["check", ".", "--json"]);
    let mut problems: Vec<serde_json::Value> = serde_json::from_str(&output.stdout).unwrap();
    // A fragment names functions that stand elsewhere, or declares nothing.
    problems.retain(|problem| {
        let is_fragment = problem["code"] == "unknown-task"
            || problem["message"].as_str().unwrap().starts_with("the script declares nothing to run");
        !is_fragment
    });
    assert!(problems.is_empty(), "{problems:#?}");
}
