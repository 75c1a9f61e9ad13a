//! Secrets: what is masked, and where it must not stand.

use rhaid::plan::{EndedBy, Options};

use crate::support::{ALL_OUTPUTS, Sandbox, Server, files_with, load_test, run};

#[test]
fn the_value_of_a_secret_parameter_is_written_nowhere() {
    let server = Server::start();
    let script = r#"
        const TOKEN = param("token", (), #{ secret: true });
        const PLACE = param("place", "here");
        fn iteration() { http::get("/echo", #{ bearer: TOKEN }); http::get("/reset", #{ bearer: TOKEN }); }
    "#;
    let sandbox = Sandbox::with(script);
    let arguments = [
        "run",
        "test.rhai",
        "-i",
        "2",
        "-H",
        &server.url(),
        "--csv",
        "out",
        "--json",
        "--param",
        "token=s3cret-Value",
        "-e",
        "PASSWORD=other-Secret",
    ];
    let output = sandbox.run(&arguments).expect_code(0);
    assert_eq!(server.seen()[0].header("authorization"), "Bearer s3cret-Value", "it is used");
    let params = &output.run_dir().json()["settings"]["params"];
    assert_eq!((&params["token"], &params["place"]), (&"***".into(), &"here".into()));
    assert_eq!(files_with(sandbox.path(), "s3cret-Value"), [""; 0]);
    assert_eq!(files_with(sandbox.path(), "other-Secret"), [""; 0], "nor are variables");
    assert!(!output.shown().contains("s3cret-Value"), "{}", output.shown());
}

#[test]
fn a_secret_from_the_environment_is_masked_too() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        "const T = param(\"token\", (), #{ secret: true }); fn iteration() { http::get(\"/x\", #{ bearer: T }); }",
    );
    let arguments = ["run", "test.rhai", "-i", "1", "-H", &server.url()];
    let output = sandbox.run_with(&arguments, &[("RHAID_PARAM_TOKEN", "s3cret-Value")]).expect_code(0);
    assert_eq!(server.seen()[0].header("authorization"), "Bearer s3cret-Value");
    assert_eq!(output.run_dir().json()["settings"]["params"]["token"], "***");
    assert_eq!(files_with(sandbox.path(), "s3cret-Value"), [""; 0]);
}

#[test]
fn a_secret_that_is_wrong_is_not_quoted() {
    let sandbox = Sandbox::with("const T = param(\"pin\", 1, #{ secret: true }); fn iteration() {}");
    let output =
        sandbox.run(&["run", "test.rhai", "-i", "1", "--param", "pin=s3cret-Value"]).expect_code(104);
    assert!(output.stderr.contains("'pin'") && !output.stderr.contains("s3cret-Value"), "{}", output.shown());
}

#[test]
fn the_password_of_a_host_is_not_shown() {
    let server = Server::start();
    let host = server.url().replace("http://", "http://me:pass-Word@");
    let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); http::get(\"/reset\"); }");
    let output = sandbox.run(&["run", "test.rhai", "-i", "1", "-H", &host]).expect_code(0);
    assert!(server.seen()[0].header("authorization").starts_with("Basic "));
    assert!(!output.shown().contains("pass-Word"), "{}", output.shown());
    assert_eq!(files_with(sandbox.path(), "pass-Word"), [""; 0]);
}

#[test]
fn the_script_copy_is_the_script_and_nothing_else() {
    let server = Server::start();
    let script = "fn iteration() { http::get(\"/x\"); } // ü";
    let sandbox = Sandbox::with(script);
    let output = sandbox.run(&["run", "test.rhai", "-i", "1", "-H", &server.url()]).expect_code(0);
    let folder = output.run_dir().0.join("script");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(folder.join("test.rhai")).unwrap(), script);
}

const SECRET: &str = "s3cr3t/pa$$ \"word\"";

fn with_secret(script: &str) -> rhaid::LoadTest {
    let env = [("RHAID_TEST_SECRET".to_owned(), SECRET.to_owned())].into();
    load_test(script).options(Options { env, ..Options::default() })
}

#[test]
fn a_script_has_the_value_and_nobody_else() {
    let server = Server::start();
    let script = r#"
        const PASSWORD = secret::get("RHAID_TEST_SECRET");
        fn on_start() { throw_once(`on start ${PASSWORD}`); }
        fn throw_once(text) { if store::incr("thrown") == 1 { throw text; } }
        fn iteration() {
            print(`printed ${PASSWORD}`);
            debug(PASSWORD);
            http::post("/echo", #{ json: #{ password: PASSWORD }, name: `named ${PASSWORD}`, tags: #{ tag: PASSWORD } });
            http::get("/status/500/" + encoding::url_encode(PASSWORD)).fail(`failed ${PASSWORD}`);
            check(`checked ${PASSWORD}`, true);
            fail(`gave up ${PASSWORD}`);
        }
    "#;
    // The first one is used up by the start that fails.
    let ran = run(with_secret(script).host(&server.url()).iterations(2));
    assert!(server.seen()[0].body.contains("s3cr3t"), "the target gets the value");
    let shown = format!("{:#?}\n{:#?}\n{:#?}", ran.messages, ran.snapshot(), ran.report.info());
    for part in ["s3cr3t", "pa$$", "pa%24"] {
        let place = shown.lines().find(|line| line.contains(part));
        assert_eq!(place, None, "{part} is shown");
    }
    for part in ["on start ***", "printed ***", "named ***", "failed ***", "checked ***", "gave up ***"] {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
}

#[test]
fn what_keeps_a_run_from_going_on_is_masked_too() {
    let get = "const P = secret::get(\"RHAID_TEST_SECRET\");";
    let Err(error) = with_secret(&format!("{get} throw P; fn iteration() {{}}")).prepare() else {
        panic!("a script that throws does not load")
    };
    assert!(error.to_string().contains("***") && !error.to_string().contains("s3cr3t"), "{error}");
    let ended = |script: &str| {
        let ran = run(with_secret(&format!("{get} {script}")).iterations(1));
        let teardown = ran.report.teardown_error().unwrap_or_default().to_owned();
        match ran.report.ended_by() {
            EndedBy::Aborted(why) | EndedBy::SetupFailed(why) => why.clone(),
            _ => teardown,
        }
    };
    for script in [
        "fn iteration() { abort(P); }",
        "fn setup() { throw P; } fn iteration() {}",
        "fn setup() { abort(P); } fn iteration() {}",
        "fn iteration() {} fn teardown() { throw P; }",
    ] {
        let why = ended(script);
        assert!(why.contains("***") && !why.contains("s3cr3t"), "{script}: {why}");
    }
}

#[test]
fn defaults_short_values_and_missing_ones() {
    let script = r#"
        const A = secret::get("RHAID_TEST_NOSUCH", "fallback");
        const B = secret::get("RHAID_TEST_NOSUCH", "abc");
        fn iteration() { print(`${A} ${B} ${A == "fallback"}`); }
    "#;
    assert_eq!(run(load_test(script).iterations(1)).without_errors().printed(), ["*** abc true"]);
    let Err(error) = load_test("const A = secret::get(\"RHAID_TEST_NOSUCH\"); fn iteration() {}").prepare()
    else {
        panic!("a missing secret is no error")
    };
    assert!(error.to_string().contains("-e RHAID_TEST_NOSUCH=VALUE"), "{error}");
}

#[test]
fn a_secret_parameter_is_masked_like_a_secret() {
    let script = r#"
        const PIN = param("pin", 123456, #{ secret: true });
        const KEYS = param("keys", "none-set", #{ secret: true, multiple: true });
        fn iteration() { print(`${PIN} ${KEYS} ${PIN + 1}`); }
    "#;
    let ran =
        run(load_test(script).param("pin", "987654").param("keys", "first-key,second-key").iterations(1));
    assert_eq!(ran.printed(), [r#"*** ["***", "***"] 987655"#]);
    let Err(error) = load_test(script).param("pin", "not-a-number").prepare() else {
        panic!("a wrong parameter is accepted")
    };
    assert!(!error.to_string().contains("not-a-number") && error.to_string().contains("***"), "{error}");
}

#[test]
fn no_file_of_a_run_and_no_output_holds_a_secret() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        r#"
        const TOKEN = secret::get("API_TOKEN");
        const PASSWORD = param("password", "default-pw-1", #{ secret: true });
        fn iteration() {
            http::get("/status/404/" + TOKEN, #{ tags: #{ who: PASSWORD } }).fail("no " + TOKEN);
            print(TOKEN);
            throw PASSWORD;
        }
    "#,
    );
    let url = server.url();
    let arguments = [
        "-i",
        "3",
        "-e",
        "API_TOKEN=tok-1234567",
        "--param",
        "password=pass-7654321",
        "--json",
        "--csv",
        "run",
    ];
    let output = sandbox.run_against(&url, &arguments);
    assert!(!output.stderr.contains("panicked"), "{}", output.shown());
    assert!(output.stdout.contains("***"), "{}", output.shown());
    for secret in ["tok-1234567", "pass-7654321"] {
        assert!(!output.shown().contains(secret), "{}", output.shown());
        assert_eq!(files_with(sandbox.path(), secret), [""; 0]);
    }
    assert_eq!(files_with(&output.run_dir().0, "default-pw-1"), [""; 0], "the copy of the script too");
    assert_eq!(output.run_dir().json()["settings"]["params"]["password"], "***");
}

/// Markup and credentials at every place where a script can have them: no file and no output shows either.
#[test]
fn nothing_that_a_run_writes_holds_markup_or_a_credential() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        r#"
        const TOKEN = secret::get("API_TOKEN");
        const PAR = env::get("PAR");
        const HEADERS = #{ authorization: "Bearer " + env::get("HDR"), cookie: "sid=" + env::get("CKE") };
        const MARKUP = "<script>alert(1)</script>";
        const KEY = metrics::counter("orders");
        fn iteration() {
            http::get("/x?token=" + PAR, #{ name: MARKUP });
            http::get("/status/500?token=" + PAR, #{ name: "/status?token=" + PAR });
            http::post("/echo?key=" + TOKEN, #{ body: TOKEN, name: "/echo/" + TOKEN, tags: #{ kind: MARKUP }, headers: HEADERS }).fail("<b>no</b> " + echoed(TOKEN));
            check(MARKUP, false);
            KEY.add(1, #{ shop: MARKUP });
            measure(MARKUP, || 1);
            throw "<i>odd</i> " + echoed(TOKEN);
        }
        fn echoed(token) {
            let sent = http::get("/echo?token=" + PAR + "&key=" + token, #{ headers: HEADERS });
            sent.text()
        }
    "#,
    );
    let url = server.url();
    let mut arguments = vec!["run", "test.rhai", "-H", &url, "-i", "3", "-e", "API_TOKEN=tok-1234567"];
    arguments.extend(["-e", "PAR=par-1234567", "-e", "HDR=hdr-1234567", "-e", "CKE=cke-1234567"]);
    let files = ["--csv", "run", "--html", "r.html", "--junit", "j.xml", "--markdown", "m.md"];
    arguments.extend(files);
    arguments.extend(["--summary-export", "s.json", "--out", "json=o.json", "--out", "csv=o.csv"]);
    arguments.extend([
        "--csv-full-history",
        "--threshold",
        "http_reqs{name:<script>alert(1)</script>}: count > 0",
    ]);
    let output = sandbox.run(&arguments).expect_code(1);
    let folder = output.run_dir().0;
    let named = folder.to_str().unwrap();
    let again = ["--html", "again.html", "--junit", "again.xml", "--markdown", "again.md", "--svg", "charts"];
    let mut report = vec!["report", named];
    report.extend(again);
    let reported = sandbox.run(&report).expect_code(0);
    let shown = sandbox.run(&["report", named]).expect_code(0);
    for secret in ["tok-1234567", "par-1234567", "hdr-1234567", "cke-1234567"] {
        assert_eq!(files_with(sandbox.path(), secret), [""; 0], "{secret}");
        for output in [&output, &reported, &shown] {
            assert!(!output.shown().contains(secret), "{secret}\n{}", output.shown());
        }
    }
    assert!(output.stdout.contains("alert(1)"), "{}", output.shown());
    // What a browser or a test reader reads as markup; CSV, JSON and terminal hold names as they are.
    let mut pages = vec![];
    for page in std::fs::read_dir(sandbox.path())
        .unwrap()
        .chain(std::fs::read_dir(sandbox.path().join("charts")).unwrap())
    {
        pages.push(page.unwrap().path());
    }
    let is_page = |path: &&std::path::PathBuf| {
        path.extension()
            .is_some_and(|extension| ["html", "xml", "md", "svg"].iter().any(|page| extension == *page))
    };
    let pages: Vec<_> = pages.iter().filter(is_page).collect();
    assert!(pages.len() > 8, "{pages:?}");
    for page in pages {
        let text = std::fs::read_to_string(page).unwrap();
        for markup in ["<script>alert", "</script>alert", "<b>no", "<i>odd"] {
            assert!(!text.contains(markup), "{markup} in {}", page.display());
        }
    }
    let page = std::fs::read_to_string(sandbox.path().join("r.html")).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)"), "it is there, as text");
}

/// What a text looks like that holds a credential; `@` is where.
const KINDS: [&str; 12] = [
    "GET /x?access_token=@&n=1",
    "a=1&refreshToken=@",
    "x-csrf-token: @",
    "x-csrf-token: @\nx-other: 1",
    "Authorization: Bearer @",
    "Cookie: sid=@; b=2",
    r#"{"a":[{"password": "@"}]}"#,
    r#"{"b":"{\"api_key\":\"@\"}"}"#,
    "http://user:@@host/x",
    "--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n@\r\n--B--",
    "eyJhbGciOiJIUzI1NiJ9.@.c2ln",
    "got Basic @==",
];

/// Forms of what the script declares secret.
const DECLARED: [&str; 5] =
    ["p@ss wo\"rd!", "p@ss%20wo%22rd!", "p%40ss+wo%22rd%21", r#"p@ss wo\"rd!"#, r"p@ss wo\u0022rd!"];

/// Each kind of credential at each place where one can enter a run: no output and no file shows it.
#[test]
fn every_kind_of_credential_is_masked_in_every_output() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        r#"
        const DECLARED = secret::get("DECLARED");
        const KEY = param("api_key");
        const HUSH = "hush" + "-";
        const ORDERS = metrics::counter("orders");
        fn iteration() {
            let text = env::get("T" + vu::iteration());
            let tags = #{ kind: text, apiKey: HUSH + "tag" };
            http::post("/echo", #{ body: text, name: text, tags: tags, headers: #{ "x-secret-token": HUSH + "header", "x-plain": "n" } }).fail(text);
            http::post("/echo?sessionId=" + HUSH + "query", #{ form: #{ userPassword: HUSH + "form", n: 1 }, basic: ["me", HUSH + "basic"] }).fail("no");
            http::get("/status/500", #{ name: "cut " + random::string(60) + " " + text });
            check(text, false);
            ORDERS.add(1, tags);
            measure(text, || 1);
            throw text;
        }
    "#,
    );
    let url = server.url().replace("http://", "http://me:hush-host@");
    let secret = |kind: usize| format!("hush{kind}A7");
    let undeclared = KINDS.iter().enumerate().map(|(kind, text)| text.replacen('@', &secret(kind), 1));
    let texts: Vec<String> = undeclared.chain(DECLARED.map(|form| format!("/x/{form}/y"))).collect();
    let mut arguments: Vec<String> =
        ["run", "test.rhai", "-H", &url, "--http-debug=full"].map(str::to_owned).into();
    arguments.extend([
        "-i".to_owned(),
        texts.len().to_string(),
        "-e".to_owned(),
        format!("DECLARED={}", DECLARED[0]),
    ]);
    for (number, text) in texts.into_iter().enumerate() {
        arguments.extend(["-e".to_owned(), format!("T{}={text}", number + 1), format!("--note={text}")]);
    }
    let more = [
        "--param",
        "api_key=hush-param",
        "--tag",
        "refresh_token=hush-run-tag",
        "--label",
        "token=hush-label",
        "--threshold",
        "http_reqs{name:/x?token=hush-limit}: count < 1",
        "--threshold",
        "http_reqs: count < 1",
        "--on-breach",
        "cat > alert.json; env | grep ^RHAID_ > alert.txt",
    ];
    arguments.extend(more.into_iter().chain(ALL_OUTPUTS).map(str::to_owned));
    let output = sandbox.run(&arguments).expect_code(1);
    let folder = output.run_dir().0;
    let named = folder.to_str().unwrap();
    let again = ["report", named, "--html", "again.html", "--junit", "again.xml", "--markdown", "again.md"];
    let outputs =
        [output, sandbox.run(&again).expect_code(0), sandbox.run(&["report", named]).expect_code(0)];
    let places = ["tag", "header", "query", "form", "basic", "host", "param", "run-tag", "label", "limit"];
    let mut secrets: Vec<String> = (0..KINDS.len()).map(secret).collect();
    secrets.extend(places.map(|place| format!("hush-{place}")));
    secrets.extend(["p@ss", "p%40ss", "wo\"rd", "wo%22rd", "wo\\\"rd", "u0022rd"].map(str::to_owned));
    std::fs::remove_file(sandbox.path().join("test.rhai")).unwrap();
    std::fs::remove_dir_all(folder.join("script")).unwrap();
    for secret in secrets {
        assert_eq!(files_with(sandbox.path(), &secret), [""; 0], "{secret}");
        for output in &outputs {
            let shown = output.shown();
            let line = shown.lines().find(|line| line.contains(&secret));
            assert_eq!(line, None, "{secret}");
        }
    }
    assert!(outputs[0].shown().contains("x-secret-token: ***"), "{}", outputs[0].shown());
    assert!(std::fs::read_to_string(sandbox.path().join("alert.txt")).unwrap().contains("RHAID_TEXT"));
}
