//! The table of places where a secret is used and outputs where it could stand.

use crate::support::{ALL_OUTPUTS, Sandbox};

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
    arguments.extend(ALL_OUTPUTS);
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
