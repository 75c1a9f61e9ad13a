//! `data`: files into tables, rows to users; hostile files, refused paths, exactness over threads.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use rhaid::LoadTest;

use crate::support::{Ran, Sandbox, Server, load_test, run, try_run};

/// A test whose script lies in a sandbox with the data it reads.
fn test_in(sandbox: &Sandbox, script: &str) -> LoadTest {
    let path = sandbox.write("test.rhai", script);
    LoadTest::from_file(path).unwrap().defaults(rhaid::plan::Options {
        spawn_rate: Some(100_000.0),
        threads: Some(1),
        seed: Some(1),
        ..Default::default()
    })
}

fn with_file(name: &str, bytes: impl AsRef<[u8]>) -> Sandbox {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path().join(name), bytes).unwrap();
    sandbox
}

/// What one iteration of a script prints, with one data file beside it.
#[track_caller]
fn printed(name: &str, bytes: impl AsRef<[u8]>, script: &str) -> Vec<String> {
    let sandbox = with_file(name, bytes);
    let ran = run(test_in(&sandbox, script).iterations(1)).without_errors();
    ran.printed().into_iter().map(str::to_owned).collect()
}

/// Why a script with one data file does not load.
#[track_caller]
fn refused(name: &str, bytes: impl AsRef<[u8]>, read: &str) -> String {
    let sandbox = with_file(name, bytes);
    match test_in(&sandbox, &format!("const T = {read};\nfn iteration() {{}}")).prepare() {
        Ok(_) => panic!("{read} is accepted"),
        Err(error) => error.to_string(),
    }
}

fn numbers(rows: usize) -> String {
    let mut text = String::from("id,name\n");
    for row in 0..rows {
        writeln!(text, "{row},user {row}").unwrap();
    }
    text
}

/// How often each line was printed.
fn counts(ran: &Ran) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for line in ran.printed() {
        *counts.entry(line).or_default() += 1;
    }
    counts
}

#[test]
fn a_table_is_read_by_row_number_and_iterated() {
    let script = r#"
        const USERS = data::csv("users.csv");
        const FIRST = USERS[0].name;
        let total = 0;
        for user in USERS { total += parse_int(user.id); }
        fn iteration() {
            print(`${USERS.len} ${USERS.len()} ${FIRST} ${total} ${USERS[-1].name} ${USERS[1].id}`);
            for user in USERS { print(user.name); }
            let copy = USERS[0];
            copy.name = "changed";
            print(USERS[0].name);
            print(USERS);
        }
    "#;
    let printed = printed("users.csv", numbers(3), script);
    assert_eq!(printed[0], "3 3 user 0 3 user 2 1");
    assert_eq!(printed[1..5], ["user 0", "user 1", "user 2", "user 0"]);
    assert!(printed[5].contains("the table 'users.csv' of 3 rows"), "{}", printed[5]);
}

#[test]
fn files_of_each_kind_become_values() {
    let script = r#"
        const LINES = data::lines("f");
        const TEXT = data::text("f");
        const BYTES = data::bytes("f");
        fn iteration() { print(`${LINES.len} ${LINES[0]} ${LINES[-1]} ${TEXT.len()} ${BYTES.len()} ${type_of(BYTES)}`); }
    "#;
    assert_eq!(printed("f", "\u{feff}one\r\n\r\ntwo", script), ["2 one two 10 13 blob"]);
    let script = r#"
        const J = data::json("j.json");
        fn iteration() { print(`${J.len} ${J[1].tags[0]} ${J[2]}`); print(J.next().n + 1); }
    "#;
    assert_eq!(printed("j.json", r#"[{"n": 1}, {"tags": ["ü"]}, 2.5]"#, script), ["3 ü 2.5", "2"]);
    let script =
        r#"const J = data::json("j.json"); fn iteration() { print(J.a.b + 1); print(J.none == ()); }"#;
    assert_eq!(printed("j.json", "\u{feff}{\"a\": {\"b\": 41}, \"none\": null}", script), ["42", "true"]);
}

#[test]
fn csv_files_as_they_come_from_spreadsheets() {
    let script = r#"
        const T = data::csv("t.csv", #{ delimiter: ";" });
        fn iteration() { for row in T { print(`${row.user}|${row["full name"]}|${row.note}`); } }
    "#;
    let file = "\u{feff}user;full name;note\r\nann;\"Ann \"\"A\"\" Ö; B\";\"two\r\nlines\"\r\n\r\nbob;;x\r\n";
    assert_eq!(printed("t.csv", file, script), ["ann|Ann \"A\" Ö; B|two\r\nlines", "bob||x"]);
    let script = r#"
        const RAGGED = data::csv("t.csv", #{ ragged: true });
        const BARE = data::csv("t.csv", #{ header: false, ragged: true });
        const NAMED = data::csv("t.csv", #{ header: false, columns: ["x", "y"], ragged: true });
        const PART = data::csv("t.csv", #{ columns: ["b"], ragged: true });
        fn iteration() {
            print(`${RAGGED[0]} ${RAGGED[1]}`);
            print(`${BARE[0]} ${BARE[1]} ${BARE[2]}`);
            print(NAMED[1]);
            print(PART[1]);
        }
    "#;
    assert_eq!(
        printed("t.csv", "a,b\n1\n2,3,4\n", script),
        [
            r##"#{"a": "1", "b": ""} #{"a": "2", "b": "3"}"##,
            r#"["a", "b"] ["1"] ["2", "3", "4"]"#,
            r##"#{"x": "1", "y": ""}"##,
            r##"#{"b": "3"}"##
        ]
    );
}

/// Runs one iteration of a script beside a file with the command; gives what it printed and its peak of memory in kB.
#[cfg(target_os = "linux")]
fn printed_with_peak(name: &str, bytes: &[u8], script: &str) -> (String, u64) {
    let sandbox = with_file(name, bytes);
    sandbox.write("test.rhai", script);
    let server = Server::start();
    let arguments =
        ["run", "test.rhai", "--host", &server.url(), "--users", "4", "--threads", "4", "--iterations", "4"];
    let (output, peak_kb) =
        sandbox.start(&[&arguments[..], &["--spawn-rate", "1000"]].concat()).wait_with_peak();
    (output.expect_code(0).stderr, peak_kb)
}

#[cfg(target_os = "linux")]
#[test]
fn a_million_lines_take_little_more_memory_than_the_file() {
    let mut file = String::from("\u{feff}user,password,note\r\n");
    for row in 0..1_000_000 {
        match row % 1000 {
            // Ragged ones, and cells with all that may stand in quotes.
            7 => write!(file, "user {row},short\r\n").unwrap(),
            8 => write!(file, "user {row},a,b,c,d\r\n").unwrap(),
            9 => write!(file, "\"user {row}\",\"a,\r\n\"\"b\"\"\",ü\r\n").unwrap(),
            _ => write!(file, "user {row},secret-{row},nothing to say\r\n").unwrap(),
        }
    }
    let script = r#"
        const T = data::csv("t.csv", #{ ragged: true });
        fn iteration() {
            http::get("/");
            print(`${T.len} ${T[7].note.len} ${T[8].note} ${T[9].password.len} ${T[-1].password} ${T.random().user.len > 4}`);
        }
    "#;
    let (printed, peak_kb) = printed_with_peak("t.csv", file.as_bytes(), script);
    assert_eq!(printed.matches("1000000 0 b 7 secret-999999 true").count(), 4, "{printed}");
    // Four threads and four users share the rows; the file itself is read in one piece first.
    let file_kb = file.len() as u64 / 1024;
    // A debug build without data takes up to 80 MB.
    assert!(peak_kb < 3 * file_kb + 85_000, "{peak_kb} kB for a file of {file_kb} kB");
}

#[cfg(target_os = "linux")]
#[test]
fn fifty_megabytes_of_json_are_shared_by_all_threads() {
    let mut file = String::from("[\n");
    for row in 0..200_000 {
        writeln!(file, "{{\"id\": {row}, \"name\": \"user {row}\", \"text\": \"{}\"}},", "x".repeat(200))
            .unwrap();
    }
    file += "{\"id\": -1}]";
    assert!(file.len() > 48_000_000);
    let script = r#"
        const T = data::json("t.json");
        fn iteration() {
            http::get("/");
            print(`${T.len} ${T[199999].name} ${T[-1].id} ${T.random().id >= -1}`);
        }
    "#;
    let (printed, peak_kb) = printed_with_peak("t.json", file.as_bytes(), script);
    assert_eq!(printed.matches("200001 user 199999 -1 true").count(), 4, "{printed}");
    let file_kb = file.len() as u64 / 1024;
    assert!(peak_kb < 3 * file_kb + 60_000, "{peak_kb} kB for a file of {file_kb} kB");
}

#[test]
fn files_that_cannot_be_read_say_why_and_where() {
    let check = |name: &str, bytes: &[u8], read: &str, parts: &[&str]| {
        let error = refused(name, bytes, read);
        assert!(error.contains("test.rhai:1:"), "a place is missing: {error}");
        for part in parts {
            assert!(error.contains(part), "no {part:?} in\n{error}");
        }
    };
    let csv = r#"data::csv("f")"#;
    check("f", b"a,b\n1,2\n\n3\n", csv, &["'f' has 1 cell in line 4, but 2 are expected", "ragged: true"]);
    check("f", b"a,b\n1,2\n\"x,3\n4,5\n6,7\n", csv, &["has an unclosed quote in line 3"]);
    check("f", b"a,b\n1,\xff\n", csv, &["not valid UTF-8 at line 2 (byte 6 of the file is 0xff)"]);
    check("f", b"\xff\xfea\0", r#"data::lines("f")"#, &["UTF-16"]);
    check("f", b"", csv, &["is empty"]);
    check("f", b"[1, 2", r#"data::json("f")"#, &["'f' is not JSON", "line 1"]);
    check("f", b"a,a\n", csv, &["has two columns named 'a'"]);
    check("f", b"user,pw\n", r#"data::csv("f", #{ columns: ["usr"] })"#, &["did you mean 'user'"]);
    check("f", b"a\n", r#"data::csv("f", #{ delimeter: ";" })"#, &["did you mean 'delimiter'"]);
    check("f", b"a\n", r#"data::csv("f", #{ delimiter: ";;" })"#, &["must be one character"]);
    check("users.csv", b"a\n", r#"data::csv("user.csv")"#, &["looked for", "did you mean 'users.csv'"]);
    check("f", b"a\n", r#"data::text("")"#, &["the file name is missing"]);
    check("f", b"a\n", r#"data::text(".")"#, &["is a folder"]);
    check("f", &vec![0; (16 << 20) + 1], r#"data::bytes("f")"#, &["larger than 16 MB"]);
}

#[test]
fn nothing_outside_the_scripts_folder_can_be_read() {
    for path in [
        "../../etc/passwd",
        "../../../../../../../../../../etc/passwd",
        "/etc/passwd",
        "/etc/nosuch",
        "./x/../../up.txt",
        "..",
    ] {
        let error = refused("f", "x", &format!("data::text(\"{path}\")"));
        assert!(error.contains(&format!("'{path}' is refused")) && error.contains("--data DIR"), "{error}");
    }
    #[cfg(unix)]
    {
        let sandbox = Sandbox::new();
        std::os::unix::fs::symlink("/etc/passwd", sandbox.path().join("users.txt")).unwrap();
        let test = test_in(&sandbox, "const T = data::lines(\"users.txt\"); fn iteration() {}");
        let Err(error) = test.prepare() else { panic!("a link out of the folder is followed") };
        assert!(error.to_string().contains("symbolic link"), "{error}");
    }
}

#[test]
fn a_data_root_allows_another_folder() {
    let shared = with_file("cards.csv", "number\n4111\n");
    let sandbox = Sandbox::new();
    let script = r#"const CARDS = data::csv("cards.csv"); fn iteration() { print(CARDS[0].number); }"#;
    let ran = run(test_in(&sandbox, script).data_root(shared.path()).iterations(1)).without_errors();
    assert_eq!(ran.printed(), ["4111"]);
    let root = shared.path().to_str().unwrap();
    let arguments = ["run", "test.rhai", "--iterations", "1", "--data", root];
    sandbox.run(&arguments).expect_stderr(&["4111"]);
    sandbox.run_with(&arguments[..4], &[("RHAID_DATA", root)]).expect_stderr(&["4111"]);
    sandbox.write("rhaid.toml", &format!("data = [{root:?}]"));
    sandbox.run(&arguments[..4]).expect_stderr(&["4111"]);
    let nosuch = ["run", "test.rhai", "--iterations", "1", "--data", "nosuch"];
    sandbox.run(&nosuch).expect_code(104).expect_stderr(&["the data folder 'nosuch' cannot be read"]);
}

#[test]
fn files_are_read_only_at_the_top_level() {
    let sandbox = with_file("f", "x");
    let ran = run(test_in(&sandbox, "fn iteration() { data::text(\"f\"); }").iterations(1));
    assert!(
        ran.only_error().contains("data::text reads a file: call it at the top level"),
        "{}",
        ran.only_error()
    );
    let error = refused("f", "a\n1\n", "data::csv(\"f\").next()");
    assert!(error.contains("needs a virtual user"), "{error}");
}

#[test]
fn an_imported_file_reads_the_same_table() {
    let sandbox = with_file("users.csv", numbers(4));
    sandbox.write("lib/users.rhai", "const USERS = data::csv(\"users.csv\");\nfn one() { USERS.next().id }");
    let script = r#"
        import "lib/users" as users;
        const MINE = data::csv("users.csv");
        fn iteration() { print(users::one()); print(MINE.next().id); print(users::one()); }
    "#;
    let ran = run(test_in(&sandbox, script).iterations(1)).without_errors();
    assert_eq!(ran.printed(), ["0", "1", "2"]);
}

#[test]
fn mistakes_with_tables_are_script_errors() {
    let sandbox = with_file("users.csv", numbers(2));
    std::fs::write(sandbox.path().join("empty.csv"), "id\n").unwrap();
    for (call, part) in [
        ("USERS[2]", "there is no row 2 in the table 'users.csv': it has 2 rows"),
        ("USERS[-3]", "there is no row -3"),
        ("USERS.name", "a table has no 'name'; take a row first"),
        ("EMPTY.next()", "the table 'empty.csv' has no rows"),
        ("EMPTY.random()", "has no rows"),
        ("EMPTY.lease()", "has no rows"),
        ("EMPTY.unique(\"fail\")", "is exhausted"),
        ("USERS.unique(\"stopp\")", "stop, wrap, fail"),
        ("USERS.lease(#{ keeep: true })", "has no key 'keeep'"),
        ("USERS.release(#{ id: 7 })", "holds no such row"),
        ("USERS.nxt()", "did you mean"),
    ] {
        let script = format!(
            "const USERS = data::csv(\"users.csv\"); const EMPTY = data::csv(\"empty.csv\");\n\
             fn iteration() {{ {call}; }}"
        );
        let error = run(test_in(&sandbox, &script).iterations(1)).only_error();
        assert!(error.contains(part), "{call}: {error}");
    }
}

#[test]
fn unique_gives_every_row_once_over_all_threads_and_then_ends_the_users() {
    let rows = 5_000;
    let sandbox = with_file("users.csv", numbers(rows));
    let script = r#"
        const USERS = data::csv("users.csv");
        fn iteration() { print(USERS.unique().id); if vu::iteration() % 100 == 0 { sleep(0.001); } }
    "#;
    let ran = run(test_in(&sandbox, script).users(8).threads(2)).without_errors();
    assert_eq!(*ran.report.ended_by(), rhaid::plan::EndedBy::UsersGone);
    let counts = counts(&ran);
    assert_eq!((counts.len(), counts.values().max()), (rows, Some(&1)));
}

#[test]
fn unique_wraps_or_fails_when_it_is_told_to() {
    let sandbox = with_file("users.csv", numbers(3));
    let script = |when: &str| {
        format!(
            "const T = data::csv(\"users.csv\"); fn iteration() {{ print(T.unique(\"{when}\").id); sleep(0.001); }}"
        )
    };
    let ran = run(test_in(&sandbox, &script("wrap")).users(2).threads(2).iterations(12)).without_errors();
    assert_eq!(counts(&ran).into_values().collect::<Vec<_>>(), [4, 4, 4]);
    let ran = run(test_in(&sandbox, &script("fail")).users(2).threads(2).iterations(5));
    assert_eq!(ran.printed_sorted(), ["0", "1", "2"]);
    assert!(ran.only_error().contains("is exhausted: all 3 rows have been used"), "{}", ran.only_error());
}

#[test]
fn next_and_shuffled_deal_evenly_over_all_threads() {
    let sandbox = with_file("users.csv", numbers(50));
    let script = r#"
        const USERS = data::csv("users.csv");
        const SHUFFLED = USERS.shuffled();
        fn iteration() { print("n" + USERS.next().id); print("s" + SHUFFLED.next().id); sleep(0.001); }
    "#;
    let ran = run(test_in(&sandbox, script).users(8).threads(2).iterations(400)).without_errors();
    let counts = counts(&ran);
    assert_eq!(counts.len(), 100);
    assert!(counts.values().all(|&count| count == 8), "{counts:?}");
}

#[test]
fn what_is_drawn_from_a_table_follows_from_the_seed() {
    let sandbox = with_file("users.csv", numbers(1000));
    let script = r#"
        const USERS = data::csv("users.csv");
        fn iteration() {
            let ids = [];
            for i in 0..20 { ids.push(USERS.random().id); ids.push(USERS.shuffled()[i].id); }
            print(ids);
        }
    "#;
    let drawn = |seed| {
        let ran = run(test_in(&sandbox, script).seed(seed).iterations(1)).without_errors();
        ran.printed()[0].to_owned()
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    // A seed that the script sets itself is the run's too.
    let seeded = |seed: u64| {
        let script = format!("options(#{{ seed: {seed} }}); {script}");
        let path = sandbox.write("seeded.rhai", &script);
        let ran = run(LoadTest::from_file(path).unwrap().threads(1).iterations(1)).without_errors();
        ran.printed()[0].to_owned()
    };
    assert_eq!(seeded(2), drawn(2));
}

#[test]
fn a_leased_row_is_never_held_twice() {
    let sandbox = with_file("users.csv", numbers(3));
    let script = r#"
        const USERS = data::csv("users.csv");
        fn iteration() {
            let user = USERS.lease();
            if store::incr("held " + user.id) != 1 { throw "held twice"; }
            sleep(random::float(0.0, 0.004));
            store::incr("held " + user.id, -1);
            store::incr("leases");
            if vu::iteration() % 3 == 0 { USERS.release(user); sleep(0.001); }
            if vu::iteration() % 3 == 1 { USERS.release(); }
            if vu::iteration() % 7 == 0 { fail("a failed iteration gives back too"); }
        }
        fn teardown() { print(store::get("leases")); }
    "#;
    let ran = run(test_in(&sandbox, script).users(10).threads(2).iterations(300));
    assert_eq!(ran.printed(), ["300"]);
    let errors = ran.errors();
    assert!(errors.keys().all(|error| error.contains("gives back too")), "{errors:?}");
}

#[test]
fn a_kept_row_stays_with_its_user() {
    let sandbox = with_file("users.csv", numbers(4));
    for take in [
        "fn on_start() { this.user = USERS.lease(); }",
        "fn first() { if this.user == () { this.user = USERS.lease(#{ keep: true }); } }",
    ] {
        let first = if take.contains("first") { "this.first();" } else { "" };
        let script = format!(
            "const USERS = data::csv(\"users.csv\"); {take}\n\
             fn iteration() {{ {first} print(`${{vu::id()}} ${{this.user.id}}`); sleep(0.002); }}"
        );
        let ran = run(test_in(&sandbox, &script).users(4).threads(2).iterations(80)).without_errors();
        let pairs: BTreeSet<&str> = ran.printed().into_iter().collect();
        let rows: BTreeSet<&str> = pairs.iter().map(|pair| &pair[2..]).collect();
        assert_eq!((pairs.len(), rows.len()), (4, 4), "{pairs:?}");
    }
}

#[test]
fn whoever_waits_for_a_row_is_stopped_with_the_run() {
    let sandbox = with_file("users.csv", numbers(1));
    let script = r#"
        const USERS = data::csv("users.csv");
        fn on_start() { this.user = USERS.lease(); print("got " + vu::id()); }
        fn iteration() { sleep(0.01); }
        fn on_stop() { print("stopped"); }
    "#;
    let test = test_in(&sandbox, script).users(3).threads(2).run_time(Duration::from_millis(300));
    let ran = run(test).without_errors();
    // The row goes round as users leave, so all have it at last or are stopped while they wait.
    assert_eq!(ran.printed().iter().filter(|line| **line == "stopped").count(), 3);
    assert!(ran.snapshot().elapsed < Duration::from_secs(5));
}

#[test]
fn two_hundred_thousand_lines_are_read_once_for_all_threads() {
    let rows = 200_000;
    let sandbox = with_file("users.csv", numbers(rows));
    let script = r#"
        const USERS = data::csv("users.csv");
        fn iteration() { print(`${USERS.len} ${USERS[199999].name} ${USERS.random().id != ()}`); }
    "#;
    let ran = run(test_in(&sandbox, script).users(4).threads(4).iterations(4)).without_errors();
    assert_eq!(counts(&ran), BTreeMap::from([("200000 user 199999 true", 4)]));
}

#[test]
fn a_script_given_as_text_reads_from_the_current_folder() {
    let error = match try_run(load_test("const T = data::text(\"nosuch.txt\"); fn iteration() {}")) {
        Ok(_) => panic!("a missing file is accepted"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("file 'nosuch.txt' not found"), "{error}");
}
