//! Texts that come from scripts and servers: how much of them is kept, and what they cannot do to who reads them.

use std::path::Path;

use crate::support::{ALL_OUTPUTS, Sandbox, Server};

/// Names and messages of 1 MB, each another one, at every place that keeps texts.
#[cfg(target_os = "linux")]
#[test]
fn texts_without_end_take_no_memory_without_end_and_the_report_says_what_was_cut() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        r#"
        const VALUES = metrics::counter("values");
        fn big() { http::get("/bytes/1000000", #{ record: false }).body }
        fn iteration() {
            let body = big();
            let text = `${vu::iteration()}-` + body;
            http::get("/x", #{ name: text, tags: #{ kind: text } }).fail(text);
            http::get("/status/500?q=" + vu::iteration(), #{ name: "/y" }).expect(text, |r| false);
            check(text, false);
            group(text, || http::get("/z"));
            measure(text, || 1);
            VALUES.add(1, #{ kind: text });
            print(text);
            if vu::iteration() % 2 == 0 { throw text; }
            fail(text);
        }
    "#,
    );
    let url = server.url();
    let mut arguments = vec!["run", "test.rhai", "-H", &url, "-i", "60", "-u", "2"];
    arguments.extend(ALL_OUTPUTS);
    arguments.push("--http-debug=headers");
    let (output, peak_kb) = sandbox.start(&arguments).wait_with_peak();
    let output = output.expect_code(1);
    assert!(peak_kb < 300_000, "{peak_kb} kB");
    for name in ["run_stats.csv", "run_failures.csv", "r.html", "j.xml", "m.md", "s.json", "o.json", "o.csv"]
    {
        let bytes = std::fs::metadata(sandbox.path().join(name)).unwrap().len();
        // Each sample has its name and its tags.
        let most = if name.starts_with("o.") { 20_000_000 } else { 2_000_000 };
        assert!(bytes < most, "{name} has {bytes} bytes");
    }
    let json = output.run_dir().json();
    assert!(json["texts_cut"].as_u64().unwrap() >= 60 * 8, "{}", json["texts_cut"]);
    let name = json["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"].as_str().unwrap().starts_with("1-"));
    let name = name.unwrap()["name"].as_str().unwrap();
    assert!(name.ends_with('…') && name.len() <= 500, "{name}");
    assert!(
        output.stderr.contains("was too long and was cut"),
        "{}",
        &output.stderr[output.stderr.len() - 3_000..]
    );
    assert!(
        std::fs::read_to_string(sandbox.path().join("r.html")).unwrap().contains("was too long and was cut")
    );
}

#[test]
fn groups_without_end_are_counted_as_others_and_the_report_says_so() {
    let sandbox = Sandbox::with(
        "fn iteration() { check(`check ${vu::iteration()}`, true); fail(`reason ${vu::iteration()}`); }",
    );
    let output = sandbox.run(&["run", "test.rhai", "-i", "600"]);
    let json = output.run_dir().json();
    assert_eq!(
        (json["groups_folded"].as_bool(), json["checks"].as_array().unwrap().len()),
        (Some(true), 501)
    );
    let errors = json["script_errors"].as_array().unwrap();
    assert_eq!(errors.iter().map(|error| error["count"].as_u64().unwrap()).sum::<u64>(), 600);
    assert!(
        output.shown().contains("too many different failures, script errors or checks"),
        "{}",
        output.shown()
    );
}

/// What a terminal, an editor or a reader of rows would act on.
fn dangerous(c: char) -> bool {
    let is_mark =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() && !matches!(c, '\n' | '\t') || is_mark || matches!(c, '\u{2028}' | '\u{2029}')
}

fn assert_clean(what: &str, text: &str) {
    let found = text.char_indices().find(|(_, c)| dangerous(*c));
    assert!(
        found.is_none(),
        "{what} has {found:?}: {:?}",
        found.map(|(at, _)| &text[at.saturating_sub(30)..][..40])
    );
}

fn assert_all_clean(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // Copies of scripts are the scripts.
            if !path.ends_with("script") {
                assert_all_clean(&path);
            }
        } else if path.extension().is_none_or(|extension| extension != "rhai") {
            assert_clean(&path.display().to_string(), &std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn no_control_character_reaches_any_output() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        r#"
        const EVIL = "a\x1b[2Jb\x07c\rGET,/forged,status 500,9\nGET,/forged,d\x7fe\u009bf\u202eg\u2066h\u061ci\u2028j";
        const VALUES = metrics::counter("values");
        fn iteration() {
            http::post("/echo", #{ body: EVIL, name: EVIL, tags: #{ kind: EVIL } }).fail(EVIL);
            http::get("/x", #{ headers: #{ "x-y": "\u009b\u202e" } }).expect(EVIL, |r| false);
            check(EVIL, false);
            group(EVIL, || http::get("/z"));
            measure(EVIL, || 1);
            VALUES.add(1, #{ kind: EVIL });
            print(EVIL);
            log::warn(EVIL);
            if vu::iteration() % 2 == 0 { throw EVIL; }
            fail(EVIL);
        }
        fn teardown() { throw EVIL; }
        on("test_stop", |facts| throw EVIL);
    "#,
    );
    let url = server.url();
    let mut arguments = vec!["run", "test.rhai", "-H", &url, "-i", "4", "--note", "n\u{1b}\u{9b}\u{202e}"];
    arguments.extend([
        "--label",
        "l\u{1b}\u{202e}",
        "--tag",
        "t=\u{1b}\u{202e}",
        "--param",
        "p=\u{1b}\u{202e}",
    ]);
    arguments.extend(ALL_OUTPUTS);
    arguments.push("--http-debug=headers");
    arguments.retain(|argument| !argument.starts_with("p=") && *argument != "--param");
    let output = sandbox.run(&arguments).expect_code(1);
    assert_clean("standard output", &output.stdout);
    assert_clean("standard error", &output.stderr);
    assert!(
        output.stderr.contains("teardown failed") && output.stderr.contains("␛[2J"),
        "{}",
        output.shown()
    );
    let folder = output.run_dir().0;
    let named = folder.to_str().unwrap();
    let again =
        ["report", named, "--html", "2.html", "--junit", "2.xml", "--markdown", "2.md", "--svg", "charts"];
    let again = sandbox.run(&again).expect_code(0);
    let shown = sandbox.run(&["report", named]).expect_code(0);
    let json = sandbox.run(&["report", named, "--json"]).expect_code(0);
    for output in [&again, &shown, &json] {
        assert_clean("report", &output.shown());
    }
    assert_all_clean(sandbox.path());
    // No text makes a row: every line of a CSV file is one.
    for name in ["run_failures.csv", "run_stats.csv", "run_stats_history.csv", "o.csv"] {
        let text = std::fs::read_to_string(sandbox.path().join(name)).unwrap();
        let columns = text.lines().next().unwrap().split(',').count();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.records().map(Result::unwrap).count(), text.lines().count() - 1, "{name}");
        assert!(!text.lines().any(|line| line.starts_with("GET,/forged")), "{name}\n{text}");
        assert!(columns > 3);
    }
    // The same name everywhere.
    let name = "a␛[2Jb␇c GET,/forged,status 500,9 GET,/forged,d␡e\u{fffd}f\u{fffd}g\u{fffd}h\u{fffd}i j";
    let run = output.run_dir().json();
    let names: Vec<_> = run["endpoints"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect();
    assert!(names.contains(&name.into()), "{names:?}");
    let stats = std::fs::read_to_string(sandbox.path().join("run_stats.csv")).unwrap();
    assert!(stats.contains(name), "{stats}");
}

/// A stored run that somebody else has written.
#[test]
fn a_stored_run_cannot_bring_control_characters_in_either() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/marker-name\").fail(\"marker-why\"); }");
    let output = sandbox.run_against(&server.url(), &["-i", "1", "--note", "marker-note"]).expect_code(1);
    let folder = output.run_dir().0;
    for name in ["state.json", "run.json"] {
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("marker", "m\u{202e}\\u001b[2J\u{9b}\\r\\n")).unwrap();
    }
    std::fs::remove_dir_all(sandbox.path().join("performance/reports")).unwrap();
    let named = folder.to_str().unwrap();
    let files =
        ["--html", "2.html", "--junit", "2.xml", "--markdown", "2.md", "--svg", "charts", "--csv", "c"];
    let written =
        sandbox.run(&[&["report", named, "--summary-export", "s.json"], &files[..]].concat()).expect_code(0);
    let shown = sandbox.run(&["report", named]).expect_code(0);
    let json = sandbox.run(&["report", named, "--json"]).expect_code(0);
    for output in [&written, &shown, &json] {
        assert_clean("report", &output.shown());
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert_all_clean(sandbox.path());
}
