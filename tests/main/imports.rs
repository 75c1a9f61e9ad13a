//! Imports: files next to the script, files of files, the built-in library.

use rhaid::LoadTest;

use crate::support::{Ran, Sandbox, Server, once, run};

fn run_file(sandbox: &Sandbox, name: &str, server: &Server) -> Ran {
    let test = LoadTest::from_file(sandbox.path().join(name)).unwrap();
    run(test.host(&server.url()).iterations(1))
}

fn refused(sandbox: &Sandbox, name: &str) -> String {
    match LoadTest::from_file(sandbox.path().join(name)).unwrap().prepare() {
        Ok(_) => panic!("{name} loads, and should not"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn files_are_found_relative_to_the_file_that_imports_them() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "tests/main.rhai",
        r#"
            import "lib/shop" as shop;
            import "./lib/deep/cart.rhai" as cart;
            import "../common" as common;
            fn iteration() { print(shop::buy()); print(cart::size()); print(common::name()); }
        "#,
    );
    sandbox
        .write("tests/lib/shop.rhai", r#"import "deep/cart" as cart; fn buy() { "bought " + cart::size() }"#);
    sandbox.write(
        "tests/lib/deep/cart.rhai",
        r#"import "../../../common" as common; fn size() { common::name() + " 3" }"#,
    );
    sandbox.write("common.rhai", "fn name() { \"common\" }");
    let server = Server::start();
    let test = LoadTest::from_file(sandbox.path().join("tests/main.rhai")).unwrap().lib_root(sandbox.path());
    let ran = run(test.host(&server.url()).iterations(1)).without_errors();
    assert_eq!(ran.printed(), ["bought common 3", "common 3", "common"]);
    assert!(refused(&sandbox, "tests/main.rhai").contains("--lib DIR"), "outside of its folder without it");
}

#[test]
fn functions_of_an_imported_file_see_its_own_variables() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "main.rhai",
        r#"
            import "lib" as lib;
            const NAME = "main";
            let count = 1;
            fn iteration() {
                print(`${NAME} ${count} ${lib::name()} ${lib::counted()} ${lib::OPEN}`);
                print(lib::in_closure());
            }
        "#,
    );
    sandbox.write(
        "lib.rhai",
        r#"
            const NAME = "lib";
            export const OPEN = "for all";
            let count = 40;
            let doubled = count * 2;
            fn name() { NAME }
            fn counted() { inner() + 1 }
            fn inner() { count + doubled }
            fn in_closure() { let f = |x| x + count; f.call(2) }
        "#,
    );
    let ran = run_file(&sandbox, "main.rhai", &Server::start()).without_errors();
    assert_eq!(ran.printed(), ["main 1 lib 121 for all", "42"]);
}

#[test]
fn a_closure_knows_what_its_function_imported_and_captured_however_often_it_is_called() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "main.rhai",
        r#"
            import "top" as top;
            fn iteration() {
                let wanted = 5;
                for i in 0..3 {
                    check(5, #{ "captured": |v| v == wanted && double(v) == 10 && top::three() == 3 });
                    print(inside(i));
                    print(top::apply(|| wanted + i));
                }
                group("g", || { wanted += 1; });
                print(wanted);
            }
            fn double(x) { x * 2 }
            fn inside(i) { import "local" as local; group("l", || local::forty() + i) }
        "#,
    );
    sandbox.write(
        "top.rhai",
        r#"fn three() { 3 } fn apply(f) { group("a", || double(f.call())) } fn double(x) { -x }"#,
    );
    sandbox.write("local.rhai", "fn forty() { 40 }");
    let ran = run_file(&sandbox, "main.rhai", &Server::start()).without_errors();
    assert_eq!(ran.printed(), ["40", "-5", "41", "-6", "42", "-7", "6"]);
    assert_eq!(ran.check("captured"), (3, 0));
}

#[test]
fn writing_to_a_variable_of_an_imported_file_is_an_error_in_that_file() {
    let sandbox = Sandbox::new();
    sandbox.write("main.rhai", "import \"lib\" as lib;\nfn iteration() { lib::bump(); }");
    sandbox.write("lib.rhai", "let count = 1;\nfn bump() {\n    count += 1;\n}");
    let error = run_file(&sandbox, "main.rhai", &Server::start()).only_error();
    assert!(error.contains("lib.rhai:3:5: cannot write to 'count'"), "{error}");
}

#[test]
fn imported_functions_can_make_requests_and_use_this() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "main.rhai",
        r#"import "lib" as lib; fn iteration() { this.n = 4; let r = lib::fetch(this); print(r); }"#,
    );
    sandbox.write(
        "lib.rhai",
        r#"fn fetch(state) { http::get("/from-lib", #{ query: #{ n: state.n } }).status }"#,
    );
    let server = Server::start();
    let ran = run_file(&sandbox, "main.rhai", &server).without_errors();
    assert_eq!(ran.printed(), ["200"]);
    assert_eq!(server.seen()[0].query, "n=4");
}

#[test]
fn a_missing_file_is_told_with_the_place_of_the_import() {
    let sandbox = Sandbox::new();
    sandbox.write("main.rhai", "fn iteration() {}\n   import \"lib/nosuch\" as n;");
    let error = refused(&sandbox, "main.rhai");
    assert!(error.contains("main.rhai:2:11: script 'lib/nosuch' not found"), "{error}");
    assert!(error.contains("lib/nosuch.rhai"), "where it was looked for: {error}");
    assert!(error.contains("2 |    import \"lib/nosuch\""), "the source line: {error}");
}

#[test]
fn an_error_in_an_imported_file_names_that_file_and_who_imports_it() {
    let sandbox = Sandbox::new();
    sandbox.write("main.rhai", "import \"lib/bad\" as bad;\nfn iteration() {}");
    sandbox.write("lib/bad.rhai", "fn ok() {}\nfn broken( {}");
    let error = refused(&sandbox, "main.rhai");
    assert!(error.contains("lib/bad.rhai:2:12"), "{error}");
    assert!(error.contains("2 | fn broken( {}"), "its source line: {error}");
    assert!(error.contains("main.rhai:1:8"), "the import: {error}");
}

#[test]
fn an_error_at_run_time_shows_the_way_through_the_files() {
    let sandbox = Sandbox::new();
    sandbox.write("main.rhai", "import \"lib\" as lib;\nfn iteration() {\n  lib::outer(0);\n}");
    sandbox.write("lib.rhai", "fn outer(n) {\n  inner(n)\n}\nfn inner(n) {\n  1 / n\n}");
    let ran = run_file(&sandbox, "main.rhai", &Server::start());
    let error = &ran.snapshot().script_errors[0].first;
    assert!(error.position.ends_with("lib.rhai:5:5"), "{}", error.position);
    let trace = &error.trace;
    assert!(trace.contains("5 |   1 / n"), "{trace}");
    assert!(trace.contains("in inner, called at") && trace.contains("lib.rhai:2:3"), "{trace}");
    assert!(trace.contains("main.rhai:3:8"), "{trace}");
    assert!(trace.contains("virtual user 1, iteration 1"), "{trace}");
}

#[test]
fn imports_in_a_circle_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("main.rhai", "import \"a\" as a; fn iteration() {}");
    sandbox.write("a.rhai", "import \"b\" as b; fn f() {}");
    sandbox.write("b.rhai", "import \"a\" as a; fn f() {}");
    let error = refused(&sandbox, "main.rhai");
    assert!(error.contains("circular import"), "{error}");
    sandbox.write("self.rhai", "import \"self\" as s; fn iteration() {}");
    assert!(refused(&sandbox, "self.rhai").contains("imports itself"));
}

#[test]
fn an_import_cannot_take_the_name_of_an_api_module() {
    let sandbox = Sandbox::new();
    sandbox.write("main.rhai", "import \"lib\" as http; fn iteration() {}");
    sandbox.write("lib.rhai", "fn get(url) {}");
    assert!(refused(&sandbox, "main.rhai").contains("cannot be named 'http'"));
}

#[test]
fn the_journey_library_retries_with_growing_pauses() {
    let server = Server::start();
    let script = r#"
        import "std/journey" as journey;
        const TIMES = 4;
        fn iteration() {
            let tries = 0;
            print(journey::retry(TIMES, 0.02, || { tries += 1; http::get("/status/200"); tries == 3 }));
            print(tries);
            print(journey::retry(2, 0.01, || false));
        }
    "#;
    let ran = once(&server, script).without_errors();
    assert_eq!(ran.printed(), ["true", "3", "false"]);
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert!((seen[2].at - seen[0].at).as_millis() >= 60, "20 ms, then 40 ms");
}

#[test]
fn the_closure_given_to_retry_can_use_this() {
    let script = r#"
        import "std/journey" as journey;
        fn iteration() {
            this.tries = 0;
            print(journey::retry(5, 0.01, || { this.tries += 1; this.tries == 2 }));
            print(this.tries);
        }
    "#;
    assert_eq!(once(&Server::start(), script).without_errors().printed(), ["true", "2"]);
}

#[test]
fn a_library_that_does_not_exist_is_told_with_what_was_meant() {
    let sandbox = Sandbox::new();
    sandbox.write("main.rhai", "import \"std/jurney\" as j; fn iteration() {}");
    let error = refused(&sandbox, "main.rhai");
    assert!(error.contains("main.rhai:1:8") && error.contains("did you mean 'std/journey'"), "{error}");
}
