//! Secrets: what is masked, and where it must not stand.

use rhaid::plan::{EndedBy, Options};

use crate::support::{Sandbox, Server, files_with, load_test, run};

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
        "--csv",
        "run",
        "--json",
        "--html",
        "r.html",
        "--junit",
        "j.xml",
        "--markdown",
        "m.md",
        "--summary-export",
        "s.json",
        "--out",
        "json=o.json",
        "--out",
        "csv=o.csv",
        "--csv-full-history",
    ];
    arguments.extend(more.map(str::to_owned));
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

/// Where a declared secret, `S`, is used. Each place has a secret of its own, so that a leak names its place.
const DECLARED_PLACES: [(&str, &str); 26] = [
    ("path", r#"http::get("/p/" + S)"#),
    ("escaped path", r#"http::get("/p/" + encoding::url_encode(S))"#),
    ("path with every byte escaped", r#"http::get("/p/" + env::get("E" + n))"#),
    ("query", r#"http::get("/p?q=" + S)"#),
    ("query parameter", r#"http::get("/p", #{ query: #{ q: S } })"#),
    ("form", r#"http::post("/p", #{ form: #{ q: S } })"#),
    ("JSON", r#"http::post("/p", #{ json: #{ q: #{ x: [S] } } })"#),
    ("JSON in JSON", r#"http::post("/p", #{ json: #{ q: #{ x: S }.to_json() } })"#),
    ("multipart", r#"http::post("/p", #{ multipart: #{ q: S } })"#),
    ("body", r#"http::post("/p", #{ body: "<q>" + S + "</q>" })"#),
    ("header", r#"http::get("/p", #{ headers: #{ "x-q": S } })"#),
    ("request name", r#"http::get("/p", #{ name: "n " + S })"#),
    ("tag", r#"http::get("/p", #{ tags: #{ q: S } })"#),
    ("group", r#"group("g " + S, || http::get("/p"))"#),
    ("check", r#"check("c " + S, false)"#),
    ("transaction", r#"measure("m " + S, || 1)"#),
    ("metric's tag", r#"COUNT.add(1, #{ q: S })"#),
    ("failure", r#"http::get("/p").fail("f " + S)"#),
    ("expectation", r#"http::get("/p").expect("e " + S, |r| false)"#),
    ("fail", r#"fail("f " + S)"#),
    ("throw", r#"throw #{ q: S }"#),
    ("print", r#"print(S); log::error(S); debug(S)"#),
    ("body that is not JSON", r#"http::post("/raw", #{ body: "<html>" + random::string(46) + S }).json()"#),
    ("long message", r#"fail(random::string(1980) + S + " and more")"#),
    ("long name", r#"http::get("/p", #{ name: random::string(485) + S + "/x" })"#),
    ("long body", r#"http::post("/raw", #{ body: random::string(1015) + S + random::string(20) })"#),
];

/// Where what is known as a credential by its name, `U`, is used.
const NAMED_PLACES: [(&str, &str); 14] = [
    ("token in a query", r#"http::get("/p?access_token=" + U)"#),
    ("refreshToken in a body", r#"http::post("/p", #{ json: #{ refreshToken: U } })"#),
    ("x-secret-token", r#"http::get("/p", #{ headers: #{ "x-secret-token": U } })"#),
    ("cookie", r#"http::get("/p", #{ headers: #{ cookie: "sid=" + U } })"#),
    ("bearer", r#"http::get("/p", #{ bearer: U })"#),
    ("basic", r#"http::get("/p", #{ basic: ["ann", U] })"#),
    ("multipart password", r#"http::post("/p", #{ multipart: #{ password: U } })"#),
    ("form password", r#"http::post("/p", #{ form: #{ "user[password]": U } })"#),
    ("URL's user", r#"http::get("http://ann:" + U + "@" + env::get("ADDRESS") + "/p")"#),
    ("URL in a query", r#"http::get("/p", #{ query: #{ next: "http://ann:" + U + "@host/" } })"#),
    ("user in Location", r#"http::get("/location/" + U)"#),
    ("user in a bad Location", r#"http::get("/bad-location/" + U)"#),
    ("password element", r#"http::post("/p", #{ body: "<password>" + U + "</password>" })"#),
    ("credential's tag", r#"http::get("/p", #{ tags: #{ api_key: U } })"#),
];

/// Answers with the request as text and status 500, or with the `Location` that the path says.
fn answer(mut stream: std::net::TcpStream) -> std::io::Result<()> {
    use std::io::{BufRead, BufReader, Read, Write};
    let address = stream.local_addr()?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
        let line = head[start..].to_ascii_lowercase();
        length = line.strip_prefix("content-length:").map_or(length, |value| value.trim().parse().unwrap());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    // The credential is in the answer alone.
    let location = |secret: &str, rest: &str| {
        format!(
            "HTTP/1.1 302 Found\r\nlocation: http://ann:{secret}@{rest}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
    };
    let text = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["", "location", secret] => location(&hidden(secret), &format!("{address}/p")),
        ["", "bad-location", secret] => location(&hidden(secret), "[::zz/p"),
        ["", "raw"] => {
            let body = String::from_utf8_lossy(&body).into_owned();
            format!("HTTP/1.1 500 No\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
        }
        _ => {
            let body = format!("{head}{}", String::from_utf8_lossy(&body));
            format!("HTTP/1.1 500 No\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
        }
    };
    stream.write_all(text.as_bytes())
}

/// The number of a place, as the path has it, stands for its secret.
fn hidden(number: &str) -> String {
    format!("hush{number}A7")
}

/// Forms in which a value or the beginning of it may leak.
fn forms(value: &str) -> Vec<String> {
    let quoted = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let every: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
    vec![
        value.to_owned(),
        quoted(value),
        value.replace(' ', "%20"),
        quoted(value).replace("%20", "+"),
        every.clone(),
        every.to_uppercase(),
    ]
}

/// The table of places where a secret is used and outputs where it could stand: all of them are empty.
#[test]
fn a_secret_at_any_place_is_in_no_output() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Ends with the process of the tests.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    let declared = |place: usize| format!("p@ss w{place}rd!/é");
    let mut script =
        "const COUNT = metrics::counter(\"count\");\nfn iteration() {\n    let n = vu::iteration();\n"
            .to_owned();
    let mut variables: Vec<(String, String)> = vec![("ADDRESS".to_owned(), url.replace("http://", ""))];
    let mut places = Vec::new();
    for (number, (place, code)) in DECLARED_PLACES.iter().enumerate() {
        let n = number + 1;
        script.push_str(&format!("    if n == {n} {{ let S = secret::get(\"S{n}\"); {code}; }}\n"));
        let value = declared(n);
        variables.push((format!("E{n}"), value.bytes().map(|byte| format!("%{byte:02x}")).collect()));
        // What a cut leaves of it is a leak too.
        places.push((
            format!("declared: {place}"),
            [forms(&value), forms(&value[..format!("p@ss w{n}").len()])].concat(),
        ));
        variables.push((format!("S{n}"), value));
    }
    for (number, (place, code)) in NAMED_PLACES.iter().enumerate() {
        let n = DECLARED_PLACES.len() + number + 1;
        // The servers of these know the credential; the path does not show it.
        let is_sent = place.contains("Location");
        let value = if is_sent { n.to_string() } else { hidden(&n.to_string()) };
        script.push_str(&format!("    if n == {n} {{ let U = env::get(\"U{n}\"); {code}; }}\n"));
        variables.push((format!("U{n}"), value));
        places.push((format!("by name: {place}"), forms(&hidden(&n.to_string()))));
    }
    script.push_str("}\nfn teardown() { throw \"down \" + secret::get(\"DOWN\"); }\n");
    script.push_str(
        "const KEY = param(\"api_key\");\nconst PIN = param(\"pin\", \"0000\", #{ secret: true });\n",
    );
    let sandbox = Sandbox::with(&script);
    let count = (DECLARED_PLACES.len() + NAMED_PLACES.len()).to_string();
    let fixed = [
        ("teardown", "p@ss down!"),
        ("parameter by name", "hush-param-A7"),
        ("secret parameter", "hush-pin-A7"),
        ("tag", "hush-tag-A7"),
        ("tag's value", "hush-value-A7"),
        ("note", "hush-note-A7"),
        ("label", "hush-label-A7"),
        ("user of the host", "hush-host-A7"),
        ("threshold", "hush-threshold-A7"),
    ];
    places.extend(fixed.map(|(place, value)| (format!("setting: {place}"), forms(value))));
    variables.push(("DOWN".to_owned(), fixed[0].1.to_owned()));
    // In the environment, as CI has them; a command of `--on-breach` could print it.
    variables.push(("RHAID_PARAM_PIN".to_owned(), fixed[2].1.to_owned()));
    let host = url.replace("://", "://ann:hush-host-A7@");
    let mut arguments = vec!["run", "test.rhai", "-H", &host, "-i", &count, "--http-debug=full"];
    arguments.extend(["--param", "api_key=hush-param-A7", "--tag", "password=hush-tag-A7"]);
    arguments.extend([
        "--tag",
        "who=Bearer hush-value-A7",
        "--note",
        "see http://ann:hush-note-A7@h/",
        "--label",
    ]);
    arguments.extend([
        "token=hush-label-A7",
        "--threshold",
        "http_reqs{name:/x?token=hush-threshold-A7}: count < 1",
    ]);
    arguments.extend([
        "--threshold",
        "http_reqs: count < 1",
        "--on-breach",
        "env > breach-env; cat > breach-json",
    ]);
    arguments.extend([
        "--csv",
        "run",
        "--csv-full-history",
        "--json",
        "--html",
        "r.html",
        "--junit",
        "j.xml",
    ]);
    arguments.extend([
        "--markdown",
        "m.md",
        "--summary-export",
        "s.json",
        "--out",
        "json=o.json",
        "--out",
        "csv=o.csv",
    ]);
    let set: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // Every request of it fails.
    let output = sandbox.run_with(&arguments, &set).expect_code(1);
    let folder = output.run_dir().0;
    let named = folder.to_str().unwrap();
    let again =
        ["report", named, "--html", "2.html", "--junit", "2.xml", "--markdown", "2.md", "--svg", "charts"];
    let mut outputs: Vec<(String, String)> = vec![
        ("standard output".to_owned(), output.stdout.clone()),
        ("standard error".to_owned(), output.stderr.clone()),
        ("rhaid report --html …".to_owned(), sandbox.run(&again).expect_code(0).shown()),
        ("rhaid report".to_owned(), sandbox.run(&["report", named]).expect_code(0).shown()),
        ("rhaid report --json".to_owned(), sandbox.run(&["report", named, "--json"]).expect_code(0).shown()),
        ("rhaid trend".to_owned(), sandbox.run(&["trend"]).expect_code(0).shown()),
    ];
    std::fs::remove_file(sandbox.path().join("test.rhai")).unwrap();
    let mut folders = vec![sandbox.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(sandbox.path()).unwrap().display().to_string();
                outputs.push((name, String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()));
            }
        }
    }
    // The variables that the command inherits were given by whoever gave it: those that the script did not ask for as
    // secrets are theirs.
    outputs.iter_mut().filter(|(name, _)| name == "breach-env").for_each(|(_, text)| {
        *text = text.lines().filter(|line| !line.starts_with(['U', 'E'])).collect::<Vec<_>>().join("\n");
    });
    assert!(outputs.len() > 30, "{}", outputs.len());
    assert!(outputs.iter().any(|(name, text)| name == "breach-env" && text.contains("RHAID_TEXT")));
    let mut table = String::new();
    for (place, forms) in &places {
        let leaks = outputs.iter().filter_map(|(name, text)| {
            let form = forms.iter().find(|form| text.contains(form.as_str()))?;
            let at = text.find(form.as_str())?;
            let near = text[..at].char_indices().rev().nth(40).map_or(0, |(near, _)| near);
            Some(format!("    {name}: …{}\n", &text[near..at + form.len()]))
        });
        let leaks: String = leaks.collect();
        if !leaks.is_empty() {
            table.push_str(&format!("{place}\n{leaks}"));
        }
    }
    assert!(table.is_empty(), "place, and outputs where its secret stands:\n{table}");
    for part in ["n ***", "c ***", "f ***", "e ***", "down ***"] {
        assert!(outputs.iter().any(|(_, text)| text.contains(part)), "no {part}: the place was not reached");
    }
}
