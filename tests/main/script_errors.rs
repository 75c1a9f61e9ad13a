//! Each kind of script error, as whoever wrote the script sees it: the whole text, compared with a file of
//! `tests/goldens/errors`.
//!
//! `RHAID_BLESS=1` rewrites the files.

use std::path::Path;

use crate::support::{Sandbox, Server};

/// Runs `test.rhai` and compares what is said on standard error.
#[track_caller]
fn shows_with(name: &str, files: &[(&str, &str)], flags: &[&str], code: i32) {
    let server = Server::start();
    let sandbox = Sandbox::new();
    for (file, text) in files {
        sandbox.write(file, text);
    }
    let url = server.url();
    // What the run is to show may be found before it as well.
    let unchecked: &[&str] = if code == 104 { &[] } else { &["--no-check"] };
    let arguments = [&["run", "test.rhai", "-q", "-H", &url], flags, unchecked].concat();
    let output = sandbox.run(&arguments).expect_code(code);
    // Where results are stands there with the time of day; the port of the server is another each time.
    let is_place = |line: &str| line.starts_with("results: ") || line.starts_with("report: ");
    let told = output.stderr.lines().filter(|line| !is_place(line));
    let told: String = told.map(|line| format!("{line}\n")).collect();
    let sources: String =
        files.iter().map(|(file, text)| format!("--- {file}\n{}\n", text.trim_end())).collect();
    let actual = format!("{sources}--- what is shown\n{}", told.replace(&server.url(), "http://server"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/errors").join(format!("{name}.txt"));
    if std::env::var_os("RHAID_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &actual).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == golden,
        "{} differs; if that is meant, run the tests with RHAID_BLESS=1\n--- golden\n{golden}\n--- now\n{actual}",
        path.display()
    );
}

/// The same for one iteration.
#[track_caller]
fn shows(name: &str, files: &[(&str, &str)], code: i32) {
    shows_with(name, files, &["-i", "1"], code);
}

/// A script that fails in its one iteration, without a request.
#[track_caller]
fn fails(name: &str, script: &str) {
    shows(name, &[("test.rhai", script)], 97);
}

/// A script that does not load.
#[track_caller]
fn does_not_load(name: &str, script: &str) {
    shows(name, &[("test.rhai", script)], 104);
}

#[test]
fn text_that_is_no_script() {
    does_not_load("syntax", "fn iteration() {\n    let r = http::get(\"/x\";\n    r.expect(200);\n}\n");
    does_not_load(
        "syntax_several",
        "const LIMIT = ;\n\nfn one() {\n    if true {\n        print(1);\n}\n\nfn iteration() {\n    let default = 3;\n}\n",
    );
    does_not_load(
        "syntax_end",
        "fn iteration() {\n    group(\"page\", || {\n        http::get(\"/x\");\n    });\n",
    );
    does_not_load("syntax_string", "fn iteration() {\n    print(\"no end);\n}\n");
}

#[test]
fn names_that_do_not_exist() {
    fails("unknown_function", "fn iteration() {\n    let r = http::gett(\"/x\");\n}\n");
    fails(
        "unknown_function_of_script",
        "fn log_in(name) { name }\n\nfn iteration() {\n\tlogin(\"ann\");\n}\n",
    );
    fails("unknown_module", "fn iteration() {\n    htp::get(\"/x\");\n}\n");
    fails("unknown_variable", "const LIMIT = 3;\n\nfn iteration() {\n    let n = LIMTI + 1;\n}\n");
    fails("unknown_method", "fn iteration() {\n    [1, 2].frist();\n}\n");
    shows(
        "unknown_property",
        &[("test.rhai", "fn iteration() {\n    print(http::get(\"/x\").staus);\n}\n")],
        1,
    );
}

#[test]
fn arguments_that_do_not_fit() {
    fails("wrong_type", "fn iteration() {\n    http::get(3);\n}\n");
    fails("wrong_count", "fn add(a, b) { a + b }\n\nfn iteration() {\n    add(1);\n}\n");
    fails("wrong_operands", "fn iteration() {\n    let n = #{} - 1;\n}\n");
    fails("wrong_condition", "fn iteration() {\n    let flag = \"yes\";\n    if flag { print(1); }\n}\n");
    fails("wrong_loop", "fn iteration() {\n    let much = 3.5;\n    for n in much { print(n); }\n}\n");
    fails("wrong_key", "fn iteration() {\n    http::get(\"/x\", #{ header: #{ accept: \"*/*\" } });\n}\n");
}

#[test]
fn values_that_are_not_there() {
    fails("missing_element", "fn iteration() {\n    let list = [1, 2];\n    print(list[2]);\n}\n");
    fails(
        "missing_key",
        "fn iteration() {\n    let user = #{ name: \"ann\" };\n    print(user.address.city);\n}\n",
    );
    fails("missing_index", "fn iteration() {\n    let user = ();\n    print(user[\"name\"]);\n}\n");
    fails("missing_environment", "fn iteration() {\n    env::require(\"NOSUCH\");\n}\n");
}

#[test]
fn what_cannot_be_written_to() {
    fails("write_to_constant", "const LIMIT = 3;\n\nfn iteration() {\n    LIMIT += 1;\n}\n");
    fails("write_to_part", "let list = [1];\n\nfn iteration() {\n    list.push(2);\n}\n");
    does_not_load("write_to_own_constant", "fn iteration() {\n    const n = 1;\n    n = 2;\n}\n");
}

#[test]
fn errors_in_other_files_and_closures() {
    shows(
        "imported",
        &[
            ("test.rhai", "import \"lib/shop\" as shop;\n\nfn iteration() {\n    shop::buy(3);\n}\n"),
            (
                "lib/shop.rhai",
                "import \"money\" as money;\n\nfn buy(count) {\n    let price = 0;\n    money::share(count, price)\n}\n",
            ),
            ("lib/money.rhai", "fn share(sum, parts) {\n    sum / parts\n}\n"),
        ],
        97,
    );
    shows(
        "imported_top_level",
        &[
            ("test.rhai", "import \"shop\" as shop;\n\nfn iteration() {}\n"),
            ("shop.rhai", "const PRICES = [1, 2];\nconst FIRST = PRICES[3];\n"),
        ],
        104,
    );
    fails(
        "closure",
        "fn iteration() {\n    group(\"page\", || {\n        [1, 0].map(|n| 10 / n)\n    });\n}\n",
    );
    let script = "fn on_start() {\n    this.token = nosuch;\n}\n\nfn iteration() {}\n";
    shows_with("on_start", &[("test.rhai", script)], &["-t", "300ms"], 97);
}

#[test]
fn what_a_script_says_itself() {
    fails(
        "fail",
        "fn iteration() {\n    check_out();\n}\n\nfn check_out() {\n    fail(\"the cart is empty\");\n}\n",
    );
    fails("throw_text", "fn iteration() {\n    throw \"out of stock\";\n}\n");
    fails("throw_map", "fn iteration() {\n    throw #{ code: 3, why: \"out of stock\" };\n}\n");
    fails("throw_nothing", "fn iteration() {\n    throw;\n}\n");
}

#[test]
fn what_has_no_end() {
    fails("too_large", "fn iteration() {\n    let text = \"x\";\n    text.pad(3_000_000_000, \"x\");\n}\n");
    let script = "fn iteration() {\n    let n = 0;\n    loop { n += 1; }\n}\n";
    shows_with("endless_loop", &[("test.rhai", script)], &["-t", "300ms", "-s", "200ms"], 97);
    // Without optimisation the stack ends before the limit on calls is met.
    if cfg!(debug_assertions) {
        fails("recursion", "fn iteration() {\n    f(0);\n}\n\nfn f(n) {\n    f(n + 1) + 1\n}\n");
    }
}

#[test]
fn errors_of_host_functions() {
    fails("host_number", "fn iteration() {\n    random::int(5, 1);\n}\n");
    fails("host_time", "fn iteration() {\n    sleep(\"soon\");\n}\n");
    fails("host_json", "fn iteration() {\n    parse_json(\"{\");\n}\n");
    fails("host_place", "fn iteration() {\n    task(\"other\");\n}\n\nfn other() {}\n");
    fails("no_this", "fn iteration() {\n    remember(3);\n}\n\nfn remember(n) {\n    this.n = n;\n}\n");
    fails("number", "fn iteration() {\n    \"twelve\".parse_int();\n}\n");
}
