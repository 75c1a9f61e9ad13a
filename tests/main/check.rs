//! `rhaid check`: finds what is wrong, at the right place, and says nothing about what is right.

use crate::support::{Output, Sandbox};

/// Files of a script beside the main one.
pub(super) type Files<'a> = &'a [(&'a str, &'a str)];

pub(super) fn check_with(script: &str, files: Files) -> Output {
    let sandbox = Sandbox::with(script);
    for (name, text) in files {
        sandbox.write(name, text);
    }
    sandbox.run(&["check", "test.rhai"])
}

/// The first lines of the problems, without their source lines.
pub(super) fn heads(output: &Output) -> Vec<&str> {
    output.stdout.lines().filter(|line| !line.starts_with(' ')).collect()
}

/// Fails the test unless the script has exactly these problems, each given by how it begins.
#[track_caller]
pub(super) fn finds_with(script: &str, files: Files, expected: &[&str]) {
    let output = check_with(script, files).expect_code(104);
    let heads = heads(&output);
    let all_begin = heads.iter().zip(expected).all(|(head, expected)| head.starts_with(expected));
    assert!(all_begin && heads.len() == expected.len(), "expected {expected:#?}\n{}", output.shown());
}

#[track_caller]
pub(super) fn finds(script: &str, expected: &[&str]) {
    finds_with(script, &[], expected);
}

/// Fails the test unless nothing is said about a script.
#[track_caller]
fn is_silent_about(script: &str, files: Files) {
    let output = check_with(script, files);
    assert!(output.stdout.is_empty(), "{}", output.shown());
    output.expect_code(0);
}

#[test]
fn syntax_errors_are_found_in_every_function() {
    finds(
        "fn one() {\n  let = 3;\n}\nfn two() { 1 +; }\nfn iteration() {\n  three(;\n}",
        &["test.rhai:2:7: ", "test.rhai:4:15: ", "test.rhai:6:9: "],
    );
}

#[test]
fn a_literal_that_a_request_refuses_is_found_before_it_is_made() {
    finds(
        "const T = 0;
fn iteration() {
  http::get(\"/a\", #{ timeout: 0, redirects: 2, name: \"a\" });
  http::batch([[\"POST\", \"/b\", #{ redirects: -1 }], #{ url: \"/c\", http_version: \"3\" }]);
  http::get(\"/d\", #{ timeout: T, expect: 200, headers: #{ \"x\": 1 } });
}",
        &["test.rhai:3:31: timeout is 0", "test.rhai:4:45: redirects", "test.rhai:4:80: http_version"],
    );
}

#[test]
fn what_is_right_beside_a_syntax_error_is_looked_through_all_the_same() {
    finds(
        "const A = 1;\nfn one() {\n  let = 3;\n}\nfn iteration() {\n  one(); print(A);\n  print(B);\n}",
        &["test.rhai:3:7: ", "test.rhai:7:9: unknown variable 'B'"],
    );
}

#[test]
fn a_bracket_that_stays_open() {
    finds(
        "fn one() {\n  if true {\n    print(1);\n}\nfn iteration() {\n  print(2);\n}",
        &[
            "test.rhai:5:1: functions cannot be nested; is a } missing before this one? — the { opened at 2:11 is not closed",
        ],
    );
}

#[test]
fn a_word_that_is_reserved() {
    finds(
        "fn iteration() {\n  let default = 3;\n}",
        &["test.rhai:2:7: 'default' is a reserved word of Rhai"],
    );
}

#[test]
fn functions_that_do_not_exist() {
    finds(
        "fn noisy(n) { n }\nfn iteration() {\n  nosy(1);\n  http::gett(\"/x\");\n  htp::get(\"/x\");\n  get(\"/x\");\n}",
        &[
            "test.rhai:3:3: unknown function 'nosy' — did you mean 'noisy'?",
            "test.rhai:4:9: unknown function 'http::gett' — did you mean 'http::get'?",
            "test.rhai:5:3: unknown module 'htp' — did you mean 'http'?",
            "test.rhai:6:3: 'get' takes 2 arguments, not 1 — did you mean 'http::get'?",
        ],
    );
}

#[test]
fn a_module_of_the_library_that_is_not_imported() {
    finds(
        "fn iteration() { fake::name(); }",
        &["test.rhai:1:18: unknown module 'fake' — is `import \"std/fake\" as fake;` missing?"],
    );
}

#[test]
fn numbers_of_arguments() {
    finds(
        "fn add(a, b) { a + b }\nfn iteration() {\n  add(1);\n  sleep(1, 2);\n  http::get();\n  \"a\".to_upper(1);\n}",
        &[
            "test.rhai:3:3: 'add' takes 2 arguments, not 1",
            "test.rhai:4:3: 'sleep' takes 1 argument, not 2",
            "test.rhai:5:9: 'http::get' takes 1 or 2 arguments, not 0",
            "test.rhai:6:7: 'to_upper' takes no arguments, not 1",
        ],
    );
}

#[test]
fn methods_that_no_type_has() {
    finds(
        "fn iteration() {\n  http::get(\"/x\").expct(200).jsn();\n}",
        &[
            "test.rhai:2:19: unknown method 'expct' — did you mean 'expect'?",
            "test.rhai:2:30: unknown method 'jsn' — did you mean 'json'?",
        ],
    );
}

#[test]
fn variables_that_do_not_exist() {
    finds(
        "const PATH = \"/x\";\nfn iteration() {\n  let count = 1;\n  print(coutn + PTAH);\n  { let inner = 1; }\n  print(inner);\n  \
         for n in 0..3 { print(`${n} ${m}`); }\n  [1].map(|v| v * factor);\n}",
        &[
            "test.rhai:4:9: unknown variable 'coutn' — did you mean 'count'?",
            "test.rhai:4:17: unknown variable 'PTAH' — did you mean 'PATH'?",
            "test.rhai:6:9: unknown variable 'inner'",
            "test.rhai:7:33: unknown variable 'm'",
            "test.rhai:8:19: unknown variable 'factor'",
        ],
    );
}

#[test]
fn a_variable_of_the_top_level_that_comes_too_late() {
    finds(
        "let a = b + 1;\nlet b = 1;\nfn iteration() { print(a); }",
        &["test.rhai:1:9: unknown variable 'b' — it is declared further down"],
    );
}

#[test]
fn a_variable_that_is_called() {
    finds(
        "fn iteration() {\n  let f = |x| x + 1;\n  f(2);\n}",
        &[
            "test.rhai:3:3: 'f' is a variable, not a function — to call the function it holds, write f.call(…)",
        ],
    );
}

#[test]
fn branches_and_closures_are_looked_into() {
    finds(
        "fn iteration() {\n  switch vu::id() {\n    1 => nosuch1(),\n    2 if nosuch2() => 1,\n    _ => { while nosuch3() {} }\n  }\n  \
         try { nosuch4(); } catch (e) { print(e); nosuch5(); }\n  group(\"g\", || { if true { nosuch6() } });\n  \
         do { nosuch7() } until nosuch8();\n  let m = #{ a: [nosuch9()] };\n  m.a[nosuch10()].b = nosuch11();\n}",
        &[
            "test.rhai:3:10: unknown function 'nosuch1'",
            "test.rhai:4:10: unknown function 'nosuch2'",
            "test.rhai:5:18: unknown function 'nosuch3'",
            "test.rhai:7:9: unknown function 'nosuch4'",
            "test.rhai:7:44: unknown function 'nosuch5'",
            "test.rhai:8:29: unknown function 'nosuch6'",
            "test.rhai:9:8: unknown function 'nosuch7'",
            "test.rhai:9:26: unknown function 'nosuch8'",
            "test.rhai:10:18: unknown function 'nosuch9'",
            "test.rhai:11:7: unknown function 'nosuch10'",
            "test.rhai:11:23: unknown function 'nosuch11'",
        ],
    );
}

#[test]
fn writing_to_the_top_level() {
    finds(
        "let n = 0;\nconst MAP = #{ a: 1 };\nfn iteration() {\n  n += 1;\n  MAP.a = 2;\n  group(\"g\", || { n = 3; });\n}",
        &[
            "test.rhai:4:3: cannot write to 'n': ",
            "test.rhai:5:3: cannot write to 'MAP': ",
            "test.rhai:6:19: cannot write to 'n': ",
        ],
    );
}

#[test]
fn keys_that_mean_nothing() {
    finds(
        "options(#{ user: 3, http: #{ timeot: 3 } });\nscenario(\"s\", #{ exec: \"f\", weigth: 2 });\n\
         scenario(\"t\", #{ tasks: #{ f: #{ wiat: 1 } } });\nlet p = param(\"p\", 1, #{ hlep: \"x\" });\n\
         fn f() {\n  http::get(\"/x\", #{ header: #{} });\n  http::batch([#{ url: \"/x\", nam: \"x\" }]);\n}",
        &[
            "test.rhai:1:12: options has no key 'user' — did you mean 'users'?",
            "test.rhai:1:30: options.http has no key 'timeot' — did you mean 'timeout'?",
            "test.rhai:2:29: scenario 's' has no key 'weigth' — did you mean 'weight'?",
            "test.rhai:3:34: scenario 't': tasks.f has no key 'wiat' — did you mean 'wait'?",
            "test.rhai:4:26: param 'p' has no key 'hlep' — did you mean 'help'?",
            "test.rhai:6:22: the request has no key 'header' — did you mean 'headers'?",
            "test.rhai:7:30: the request has no key 'nam' — did you mean 'name'?",
        ],
    );
}

#[test]
fn functions_that_declarations_name() {
    finds(
        "task(\"brwse\");\nscenario(\"s\", #{ tasks: [\"browse\", \"pay\"], on_start: \"log_in\" });\n\
         on(\"stage\", \"stged\");\non(\"stagee\", |e| print(e));\n\
         fn browse() { Fn(\"brows\").call(); }\nfn staged() {}\nfn pay(n) { n }",
        &[
            "test.rhai:1:6: task(\"brwse\") names a function 'brwse' that the script does not define — did you mean 'browse'?",
            "test.rhai:2:36: scenario 's' names 'pay', which takes 1 argument(s)",
            "test.rhai:2:54: scenario 's' names a function 'log_in' that the script does not define",
            "test.rhai:3:13: on(\"stage\") names a function 'stged' that the script does not define — did you mean 'staged'?",
            "test.rhai:4:4: unknown event 'stagee' — did you mean 'stage'?",
            "test.rhai:5:18: Fn(\"brows\") names an unknown function — did you mean 'browse'?",
        ],
    );
}

#[test]
fn names_that_are_declared_twice() {
    finds(
        "let a = param(\"p\", 1);\nlet b = param(\"p\", 2);\nscenario(\"s\", #{ exec: \"f\" });\nscenario(\"s\", #{ exec: \"f\" });\nfn f() {}",
        &[
            "test.rhai:2:15: the parameter 'p' is declared twice",
            "test.rhai:4:10: scenario 's' is declared twice",
        ],
    );
    finds(
        "fn f() {}\nfn f() {}\nfn iteration() {}",
        &["test.rhai:2:1: function f with no parameters already exists"],
    );
}

#[test]
fn calls_in_the_wrong_place() {
    finds(
        "http::get(\"/x\");\nsleep(1);\nfn iteration() {\n  task(\"other\");\n  helper();\n}\n\
         fn helper() {\n  data::csv(\"users.csv\");\n}\nfn other() {}",
        &[
            "test.rhai:1:7: http::get needs a virtual user: call it inside a function",
            "test.rhai:2:1: sleep needs a virtual user: call it inside a function",
            "test.rhai:4:3: task declares: call it at the top level of the script, not in a function",
            "test.rhai:8:9: data::csv reads a file: call it at the top level of the script",
        ],
    );
}

/// Calls that need a virtual user, and calls that the top level has to make.
const PLACED: [(&[&str], &str); 2] = [
    (
        &[
            "sleep(0)",
            "think()",
            "group(\"g\", || 1)",
            "check(\"c\", true)",
            "measure(\"m\", || 1)",
            "http::get(\"/\")",
            "http::post(\"/\")",
            "http::put(\"/\")",
            "http::patch(\"/\")",
            "http::delete(\"/\")",
            "http::head(\"/\")",
            "http::options(\"/\")",
            "http::request(\"GET\", \"/\")",
            "http::batch([])",
            "http::cookies()",
            "http::set_cookie(\"a\", \"b\")",
            "http::clear_cookies()",
            "http::close_connections()",
            "ws::connect(\"/\")",
            "store::get(\"a\")",
            "store::set(\"a\", 1)",
            "store::incr(\"a\")",
            "store::push(\"a\", 1)",
            "store::pop(\"a\")",
            "store::barrier(\"a\", 1)",
            "store::signal(\"a\")",
            "store::wait(\"a\")",
            "vu::id()",
            "vu::iteration()",
            "vu::scenario()",
            "vu::elapsed()",
            "vu::tags()",
        ],
        "needs a virtual user: call it inside a function",
    ),
    (
        &[
            "options(#{})",
            "task(\"iteration\")",
            "wait(1)",
            "scenario(\"s\", #{ exec: \"iteration\" })",
            "param(\"p\", 1)",
            "on(\"stage\", |e| e)",
            "data::csv(\"a\")",
            "data::json(\"a\")",
            "data::lines(\"a\")",
            "data::text(\"a\")",
            "data::bytes(\"a\")",
        ],
        "call it at the top level of the script, not in a function",
    ),
];

#[test]
fn where_calls_may_stand_is_what_they_answer_themselves() {
    let tries = |calls: &[&str]| {
        let line = |call: &&str| {
            format!(
                "try {{ {call}; print(\"{}: done\"); }} catch (e) {{ print(`{}: ${{e}}`); }}",
                call.replace('"', "'"),
                call
            )
        };
        calls.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    let [(at_top, at_top_answer), (inside, inside_answer)] = PLACED;
    let script = format!("{}\nfn iteration() {{\n{}\n}}", tries(at_top), tries(inside));
    let sandbox = Sandbox::with(&script);
    let output = sandbox.run(&["run", "test.rhai", "-i", "1", "-H", "http://127.0.0.1:1", "--no-check"]);
    for (calls, answer) in PLACED {
        for call in calls {
            let mut lines = output.stderr.lines().filter(|line| line.contains(&format!("{call}: ")));
            assert!(lines.any(|line| line.contains(answer)), "{call}\n{}", output.shown());
        }
    }
    let output = sandbox.run(&["check", "test.rhai"]).expect_code(104);
    let heads = heads(&output);
    let told = |answer: &str| heads.iter().filter(|head| head.contains(answer)).count();
    assert_eq!(told(at_top_answer), at_top.len(), "{}", output.shown());
    assert_eq!(told(inside_answer), inside.len(), "{}", output.shown());
}

#[test]
fn a_function_that_has_no_this() {
    finds_with(
        "import \"lib\" as lib;\nfn on_start() { login(); this.login(); lib::keep(); }\nfn iteration() {}\n\
         fn login() { this.token = 1; }",
        &[("lib.rhai", "fn keep() { this.x = 1; }")],
        &[
            "test.rhai:2:17: 'login' uses `this`, which is not bound in this call — call it as this.login()",
            "test.rhai:2:45: 'keep' uses `this`, which is not bound in this call — functions of another",
        ],
    );
}

#[test]
fn what_only_loading_shows() {
    finds("options(#{ users: 0 });\nfn iteration() {}", &["test.rhai: users is 0"]);
    finds("let a = [1][3];\nfn iteration() {}", &["test.rhai:1:13: "]);
    finds("fn on_start() {}", &["test.rhai: the script declares nothing to run"]);
    finds("const USERS = data::csv(\"nosuch.csv\");\nfn iteration() {}", &["test.rhai:1:21: data::csv: "]);
}

#[test]
fn parameters_without_a_value_are_no_mistake() {
    is_silent_about(
        "const N = param(\"n\");\noptions(#{ users: N.parse_int() });\nfn iteration() { print(N); }",
        &[],
    );
    is_silent_about("const KEY = secret::get(\"NOSUCH_KEY\");\nfn iteration() { print(KEY); }", &[]);
}

#[test]
fn what_is_unusual_and_right() {
    let script = r#"
import "lib" as lib;
const NAMES = ["a", "b"];
let shown = NAMES.len();
declare_all();
on("stage", |e| lib::note(e));
fn declare_all() { task("browse"); wait(between(0, 1)); }
fn browse() {
    this.handlers = #{ twice: |x| x * 2 };
    this.handlers.twice(3);
    this.visit("/x");
    let f = Fn("visit");
    let g = add;
    [1, 2].map(|n| n + shown).filter(|n| n > g.call(1, 2));
    lib::inner::deep();
    lib::with_user(|| { this.x = 1; helper(NAMES[0]) });
    if is_def_fn("maybe", 1) { maybe(1); }
    if is_def_var("perhaps") { print(perhaps); }
    let here = 1;
    looks_around!();
    print(lib::LIMIT + global::NAMES.len());
    import "lib" as again;
    again::note(1);
    for (item, index) in NAMES { print(`${index}: ${item}`); }
    switch index_of(1) { 0 => (), _ => { return; } }
}
fn index_of(n) { this_is_fine(n) }
fn this_is_fine(n) { let n = n; { let n = n + 1; } n }
fn visit(path) { this.last = path; path }
fn add(a, b) { a + b }
fn helper(name) { name }
fn looks_around() { here + 1 }
"#;
    let lib = "import \"inner\" as inner;\nexport const LIMIT = 3;\nfn note(e) { called_back(e) }\n\
               fn with_user(f) { f.call() }\nprivate fn called_back(e) { e }";
    is_silent_about(script, &[("lib.rhai", lib), ("inner.rhai", "fn deep() { 1 }")]);
    is_silent_about("fn iteration() { let a = eval(\"let b = 1; b\"); print(b + a); }", &[]);
}

#[test]
fn a_library_is_looked_through_without_being_run() {
    let output = check_with("const A = 1;\nfn f() { A }", &[]).expect_code(0);
    let count =
        "1 script checked: no problems (test.rhai declares nothing to run and can only be imported)\n";
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", count));
}

#[test]
fn json_for_editors() {
    let sandbox = Sandbox::with("fn iteration() {\n  http::gett(\"/x\");\n}\noptions(#{ users: 1 });");
    let output = sandbox.run(&["check", "test.rhai", "--json"]).expect_code(104);
    let problems: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let expected = serde_json::json!([{
        "file": "test.rhai",
        "line": 2,
        "column": 9,
        "end_column": 13,
        "severity": "error",
        "code": "unknown-function",
        "message": "unknown function 'http::gett'",
        "hint": "did you mean 'http::get'?",
    }]);
    assert_eq!(problems, expected);
    assert_eq!(output.stderr, "");
    let sandbox = Sandbox::with("fn iteration() {}");
    assert_eq!(sandbox.run(&["check", "test.rhai", "--json"]).expect_code(0).stdout, "[]\n");
}

#[test]
fn settings_of_a_run_are_used() {
    let sandbox = Sandbox::with(
        "import \"common\" as common;\nconst N = param(\"n\");\noptions(#{ users: N.parse_int() });\nfn iteration() { common::f(env::require(\"REGION\")); }",
    );
    sandbox.write("lib/common.rhai", "fn f(x) { x }");
    let good = ["check", "test.rhai", "--lib", "lib", "--param", "n=3", "-e", "REGION=eu"];
    assert_eq!(sandbox.run(&good).expect_code(0).stdout, "");
    let bad = ["check", "test.rhai", "--lib", "lib", "--param", "n=0"];
    assert!(sandbox.run(&bad).expect_code(104).stdout.contains("users is 0"));
    sandbox.write("rhaid.toml", "lib = \"lib\"\n[params]\nn = 2\n");
    sandbox.run(&["check", "test.rhai"]).expect_code(0);
}

#[test]
fn a_part_of_this_that_is_changed_while_a_closure_uses_this() {
    finds(
        "fn iteration() {\n  this.list.retain(|x| x != this.n);\n  this.list.sort(|a, b| a * this.n - b);\n  \
         this.list.map(|x| x + this.n);\n  this.list.retain(|x| x > 1);\n  this.list.for_each(|| this += 1);\n}",
        &[
            "test.rhai:2:13: 'retain' changes a part of `this` while its closure uses `this` — take what",
            "test.rhai:3:13: 'sort' changes a part of `this` while its closure uses `this`",
        ],
    );
}
