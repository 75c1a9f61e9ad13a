//! `rhaid convert`: what comes out is what a person would have written, loads, and runs without a failure.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rhaid::LoadTest;
use rhaid::target::{Target, TargetOptions};

use crate::support::{Output, Ran, Sandbox, Seen, Server, run};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/convert").join(name)
}

/// Converts a file of the fixtures and compares the script, and what is said about it, with what is expected.
#[track_caller]
fn golden(format: &str, input: &str) -> String {
    let input = fixture(input);
    let output = Sandbox::new().run(&["convert", format, input.to_str().unwrap()]).expect_code(0);
    let expected = input.with_extension("rhai");
    if std::env::var_os("RHAID_BLESS").is_some() {
        std::fs::write(&expected, &output.stdout).unwrap();
    }
    let sandbox = Sandbox::new();
    sandbox.write("made.rhai", &output.stdout);
    sandbox.write("scores.csv", "");
    sandbox.write("body.xml", "");
    sandbox.run(&["check", "made.rhai"]).expect_code(0);
    let known = std::fs::read_to_string(&expected).unwrap_or_default();
    assert_eq!(output.stdout, known, "rewrite {} with RHAID_BLESS=1", expected.display());
    let head = output.stdout.split("\n\n").next().unwrap().replace("\n//   ", " ");
    let notes = output.stderr.lines().filter_map(|line| line.strip_prefix("note: "));
    notes.for_each(|note| assert!(head.contains(note), "{note:?} does not stand at the head of\n{head}"));
    output.stdout
}

/// Runs a converted script twice through; every parameter has its name as its value.
#[track_caller]
fn runs(script: &Path, host: &str, params: &[&str]) -> Ran {
    let test = LoadTest::from_file(script).unwrap().host(host).seed(1).threads(1);
    let test = params.iter().fold(test, |test, name| test.param(name, name));
    let ran = run(test.users(1).spawn_rate(100.0).iterations(2).stop_timeout(Duration::from_secs(5)));
    let ran = ran.without_errors();
    assert_eq!(ran.failures(), 0, "{:#?}", ran.snapshot().failures);
    assert!(ran.requests() > 0);
    ran
}

fn target() -> Target {
    Target::start(TargetOptions { median: Duration::ZERO, ..TargetOptions::default() }).unwrap()
}

/// Converts what must not be convertible.
#[track_caller]
fn refused(format: &str, input: &str) -> Output {
    let sandbox = Sandbox::new();
    let file = sandbox.write("input", input);
    let output = sandbox.run(&["convert", format, file.to_str().unwrap()]).expect_code(104);
    assert!(output.stdout.is_empty(), "{}", output.shown());
    let named = format!("error: {}:", file.display());
    assert!(output.stderr.starts_with(&named), "the file is named: {}", output.shown());
    output
}

#[test]
fn curl_from_chrome() {
    let script = golden("curl", "chrome.sh");
    for secret in ["0123456789abcdef", "hunter2", "eyJhbGciOiJIUzI1NiJ9"] {
        assert!(!script.contains(secret), "{secret} stands in\n{script}");
    }
    let server = Server::start();
    runs(&fixture("chrome.rhai"), &server.url(), &["cookie", "password", "token"]);
    let seen = server.seen();
    let login = &seen[0];
    assert_eq!((login.header("cookie"), login.header("x-requested-with")), ("cookie", "XMLHttpRequest"));
    let body: serde_json::Value = serde_json::from_str(&login.body).unwrap();
    assert_eq!(body["note"], "it's \"quoted\" ! ${x} `y`");
    assert_eq!((&body["password"], &body["items"][1]["count"]), (&"password".into(), &1.into()));
    assert_eq!(seen[1].header("authorization"), "Bearer token");
    assert!(
        seen[2].query.contains("fields=name&fields=price") && seen[2].query.contains("limit=20"),
        "{}",
        seen[2].query
    );
}

#[test]
fn curl_written_by_hand() {
    golden("curl", "commands.sh");
    // The files that it reads lie beside it.
    let sandbox = Sandbox::new();
    let script = std::fs::read_to_string(fixture("commands.rhai")).unwrap();
    let server = Server::start();
    let script = sandbox.write("commands.rhai", &script.replace("http://other.test", &server.url()));
    sandbox.write("scores.csv", "a,b\n");
    sandbox.write("body.xml", "<a/>");
    runs(&script, &server.url(), &["password", "token", "api_key", "item"]);
    let seen = server.seen();
    let body = |n: usize| (seen[n].method.as_str(), seen[n].path.as_str(), seen[n].body.as_str());
    assert_eq!(body(0), ("POST", "/form", "user=ann&q=a+b&note=%C3%BC+%26+co"));
    assert_eq!(seen[1].header("authorization"), "Basic YW5uOnBhc3N3b3Jk");
    assert_eq!(body(2), ("POST", "/wide", "{\"id\": 12345678901234567890}"));
    assert_eq!(body(3).0, "HEAD");
    assert_eq!((body(4).1, seen[4].query.as_str()), ("/items/item/parts", "token=token"));
    assert!(
        seen[5].body.contains("filename=\"scores.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\n"),
        "{}",
        seen[5].body
    );
    assert_eq!((body(6).0, seen[6].query.as_str()), ("GET", "page=2&q=load+test"));
    assert_eq!((body(7), seen[7].header("content-type")), (("PROPFIND", "/dav", "<a/>"), "application/xml"));
}

#[test]
fn curl_from_windows() {
    golden("curl", "windows.cmd");
    let target = target();
    runs(&fixture("windows.rhai"), &target.url(), &[]);
}

#[test]
fn curl_that_cannot_be_converted() {
    refused("curl", "curl http://a.test/x\ncurl -H 'a: b'")
        .expect_stderr(&["curl command 2 has no URL; add one"]);
    refused("curl", "\n# nothing\n").expect_stderr(&["no curl command"]);
    refused("curl", "curl ftp://a.test/x").expect_stderr(&["ftp://a.test/x has the scheme ftp"]);
    refused("curl", "curl http://$HOST/x")
        .expect_stderr(&["the host of http://$HOST/x is not known", "BASE=http"]);
    refused("curl", "jq . f | curl -d @- http://a.test").expect_stderr(&["sends the output of 'jq . f'"]);
    refused("curl", "curl -d @- http://a.test")
        .expect_stderr(&["sends its standard input, which is not known"]);
    refused("curl", "curl -d @$F http://a.test").expect_stderr(&["the name of the file $F is not known"]);
    refused("curl", "curl -d a -F b=c http://a.test").expect_stderr(&["only one of -I, -T, -F and -d"]);
    refused("curl", "curl 'http://a.test/[x]'")
        .expect_stderr(&["has [x], which curl does not take as a range", "-g"]);
    refused("curl", "curl http://a.test \\ \n  -d x").expect_stderr(&["a line begins with -d", "backslash"]);
    refused("curl", "curl -F 'a=@b,c' http://a.test").expect_stderr(&["has several files"]);
    refused("curl", "curl -X 'A B' http://a.test").expect_stderr(&["'A B' of -X is not a method"]);
    refused("curl", "curl -d $'\\xff' http://a.test").expect_stderr(&["not UTF-8", "--data-binary"]);
    refused("curl", "curl http://a:b:c/").expect_stderr(&["invalid URL http://a:b:c/"]);
    refused("curl", "Invoke-WebRequest -Uri http://a.test").expect_stderr(&["PowerShell", "Copy as cURL"]);
    refused("curl", "fetch(\"http://a.test\", { });").expect_stderr(&["a call of fetch"]);
    let sandbox = Sandbox::new();
    sandbox.run(&["convert", "curl", "nosuch.sh"]).expect_code(104).expect_stderr(&["cannot read nosuch.sh"]);
    std::fs::write(sandbox.path().join("bin"), [b'c', 0xff]).unwrap();
    sandbox.run(&["convert", "curl", "bin"]).expect_code(104).expect_stderr(&["not valid UTF-8 at byte 1"]);
}

/// What a curl command sends, converted and run: method, path with query, headers, and body of each request.
#[track_caller]
fn sent_by_curl(command: &str) -> (Vec<Seen>, Output, Sandbox) {
    let server = Server::start();
    let sandbox = Sandbox::new();
    sandbox.write("f.txt", "a=1\r\nb=2\n");
    std::fs::write(sandbox.path().join("photo.png"), [0x89, b'P', 0xff, 0]).unwrap();
    let command = command.replace("URL", &server.url());
    sandbox.write("commands.sh", &command);
    let output = sandbox.run(&["convert", "curl", "commands.sh", "-o", "made.rhai"]).expect_code(0);
    sandbox.run(&["check", "made.rhai"]).expect_code(0);
    let script = std::fs::read_to_string(sandbox.path().join("made.rhai")).unwrap();
    for note in output.stderr.lines().filter_map(|line| line.strip_prefix("note: ")) {
        assert!(script.replace("\n//   ", " ").contains(&format!("// - {note}")), "{note}\n{script}");
    }
    let test = LoadTest::from_file(sandbox.path().join("made.rhai")).unwrap().host(&server.url());
    let params = output.stderr.split(" --param ").skip(1).filter_map(|part| part.split_once('='));
    let test = params.fold(test.threads(1), |test, (name, _)| test.param(name, name));
    run(test.users(1).iterations(1)).without_errors();
    (server.seen(), output, sandbox)
}

#[test]
fn curl_sends_the_same_as_its_script() {
    let form = "application/x-www-form-urlencoded";
    let json = "application/json";
    for (command, method, path, content_type, body) in [
        ("curl -d @f.txt URL/a", "POST", "/a", form, "a=1b=2"),
        ("curl -d x=1 -d @f.txt URL/a", "POST", "/a", form, "x=1&a=1b=2"),
        ("curl --data-binary @f.txt URL/a", "POST", "/a", form, "a=1\r\nb=2\n"),
        ("curl --json @f.txt URL/a", "POST", "/a", json, "a=1\r\nb=2\n"),
        ("curl --data-urlencode n@f.txt -d b=1 URL/a", "POST", "/a", form, "n=a%3D1%0D%0Ab%3D2%0A&b=1"),
        ("curl -T f.txt URL/up/", "PUT", "/up/f.txt", "", "a=1\r\nb=2\n"),
        ("curl -T f.txt 'URL?q=1'", "PUT", "/f.txt?q=1", "", "a=1\r\nb=2\n"),
        ("curl -T - URL/in < f.txt", "PUT", "/in", "", "a=1\r\nb=2\n"),
        ("curl -d @- URL/a <<E\nx y\nz\nE", "POST", "/a", form, "x yz"),
        ("curl --json @- URL/a <<'E'\n[\"$X\"]\nE", "POST", "/a", json, "[\"$X\"]"),
        ("curl --data-binary @- URL/a <<< 'x y'", "POST", "/a", form, "x y\n"),
        ("curl -d \"$(cat <<'E'\nit's\nE\n)\" URL/a", "POST", "/a", form, "it's"),
        ("printf '%s' '{\"b\":1}' | curl --json @- URL/a", "POST", "/a", json, "{\"b\":1}"),
        ("cat f.txt | curl -d @- URL/a", "POST", "/a", form, "a=1b=2"),
        ("curl -d \"$(cat f.txt)\" URL/a", "POST", "/a", form, "a=1\r\nb=2"),
        ("curl -d z=1 -d a=2 -d z=3 URL/a", "POST", "/a", form, "z=1&a=2&z=3"),
        ("curl -G -d z=1 -d raw 'URL/a?x'", "GET", "/a?x&z=1&raw", "", ""),
        ("curl -d a=1 --url-query 'q=a b' --url-query +raw URL/a", "POST", "/a?q=a+b&raw", form, "a=1"),
        (
            "curl -d '{\"a\":1,\"a\":2}' -H 'content-type: application/json' URL/a",
            "POST",
            "/a",
            json,
            "{\"a\":1,\"a\":2}",
        ),
        (
            "curl -d '{\"__t\":\"C\",\"A\":1}' -H 'content-type: application/json' URL/a",
            "POST",
            "/a",
            json,
            "{\"__t\":\"C\",\"A\":1}",
        ),
        ("curl -H Content-Type: -d a URL/a", "POST", "/a", "", "a"),
        ("curl -d '{\"op\":\"^\"}' URL/a", "POST", "/a", form, "{\"op\":\"^\"}"),
        ("curl -X FOO_BAR -d a URL/a", "FOO_BAR", "/a", form, "a"),
        ("BASE=URL/v1\ncurl $BASE/a", "GET", "/v1/a", "", ""),
        ("export H=URL A='x y'; curl -d \"$A\" \"${H}/a\"", "POST", "/a", form, "x y"),
        ("curl \"URL/${VAR:-x}/a\"", "GET", "/x/a", "", ""),
        ("curl -d \"a=`echo 7`\" URL/a", "POST", "/a", form, "a=7"),
        ("curl --http2 -x '' URL/a", "GET", "/a", "", ""),
        ("curl -g 'URL/a?x[0]=1'", "GET", "/a?x[0]=1", "", ""),
        (
            "curl \"URL/a\" ^\n -H \"content-type: application/json\" ^\n --data-raw \"^{^\\^\"a^\\^\":^\\^\"50^%^\\^\"^}\"",
            "POST",
            "/a",
            json,
            "{\"a\":\"50%\"}",
        ),
    ] {
        let (seen, ..) = sent_by_curl(command);
        let seen = seen.last().unwrap_or_else(|| panic!("nothing was sent: {command}"));
        let whole =
            if seen.query.is_empty() { seen.path.clone() } else { format!("{}?{}", seen.path, seen.query) };
        assert_eq!(
            (seen.method.as_str(), whole.as_str(), seen.header("content-type"), seen.body.as_str()),
            (method, path, content_type, body),
            "{command}"
        );
    }
}

#[test]
fn curl_with_several_urls_files_and_headers() {
    let (seen, ..) = sent_by_curl(
        "curl \"URL/[1-2]/{x,y}?a[]=1\" --next -r 600 -H 'X: 1' -H 'X: 2' -e http://r -H 'Origin: http://o' URL/r",
    );
    let paths: Vec<&str> = seen.iter().map(|seen| seen.path.as_str()).collect();
    assert_eq!(paths, ["/1/x", "/1/y", "/2/x", "/2/y", "/r"]);
    assert_eq!(seen[0].query, "a[]=1");
    let header = |name: &str| seen[4].header(name);
    assert_eq!(
        (header("range"), header("referer"), header("origin")),
        ("bytes=600-", "http://r", "http://o")
    );

    let (seen, ..) = sent_by_curl(
        "curl -F z=1 -F 'image=@photo.png' -F 'a=2;c' -F 'g=<f.txt' -F 'y=@f.txt;filename=\"a;b\";type=x/y' URL/f",
    );
    let boundary = seen[0].header("content-type").strip_prefix("multipart/form-data; boundary=").unwrap();
    let part = |head: &str, content: &[u8]| {
        [
            format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes(),
            content,
            b"\r\n",
        ]
        .concat()
    };
    let expected = [
        part("name=\"z\"", b"1"),
        part("name=\"image\"; filename=\"photo.png\"\r\nContent-Type: image/png", &[0x89, b'P', 0xff, 0]),
        part("name=\"a\"", b"2"),
        part("name=\"g\"", b"a=1\r\nb=2\n"),
        part("name=\"y\"; filename=\"a;b\"\r\nContent-Type: x/y", b"a=1\r\nb=2\n"),
        format!("--{boundary}--\r\n").into_bytes(),
    ];
    assert_eq!(String::from_utf8_lossy(&seen[0].raw), String::from_utf8_lossy(&expected.concat()));
}

#[test]
fn curl_says_what_its_script_does_differently() {
    for (command, note) in [
        ("curl --http2 URL/a", "left out: --http2 on http"),
        ("curl -d 'a=x@y' URL/a", "forms are sent percent-encoded"),
        (
            "curl -d '{\"b\":1,\"a\":2}' -H 'content-type: application/json' URL/a",
            "JSON is sent without blanks",
        ),
        ("curl 'URL/a?password=1&b=%20'", "queries are sent percent-encoded"),
        ("curl -k URL/a; curl URL/b", "insecure holds for the whole run"),
        ("curl URL/a; curl URL/b", "cookies that responses set are sent with later requests"),
        ("curl 'URL/{a' -g", "/{a of a URL is sent as /%7Ba"),
        ("curl -X get URL/a", "the method get is sent as GET"),
        ("curl -A '' URL/a", "left out: -H 'user-agent:'"),
        ("curl -F 'a=1;type=x/y' URL/a", "the form field a is sent without its type x/y"),
        (
            "curl -H 'Connection: close' URL/a",
            "left out: the header connection, which the client sets itself",
        ),
        (
            "curl -H 'User-Agent: Mozilla/5.0' -H 'DNT: 1' URL/a",
            "left out: headers that browsers add: dnt, user-agent",
        ),
        ("curl --path-as-is --ntlm URL/a", "left out: the flag --ntlm"),
        ("curl --location-trusted URL/a", "left out: --location-trusted"),
        ("curl -XPOST -L URL/a", "after a redirect the method is that of browsers"),
        ("for i in 1 2; do curl URL/a; done", "left out: if, for and the like of the shell"),
        ("curl URL/a || curl URL/b", "a command after || is converted too"),
        ("T=$(curl URL/a | jq .t)\ncurl -H \"X: $T\" URL/b", "$T is the output of `curl"),
        ("curl -d \"$(hostname)\" URL/a", "the output of `hostname` became the parameter hostname"),
        ("curl -d \"$1 ${X%/}\" URL/a", "the shell variable ${X%/} became the parameter x"),
    ] {
        sent_by_curl(command).1.expect_stderr(&[note]);
    }
}

#[test]
fn curl_follows_redirects_with_its_flag_only() {
    let paths = |command: &str| sent_by_curl(command).0.into_iter().map(|seen| seen.path).collect::<Vec<_>>();
    assert_eq!(paths("curl URL/redirect/1"), ["/redirect/1"]);
    assert_eq!(paths("curl -L URL/redirect/1").len(), 2);
    assert_eq!(paths("curl -L URL/redirect/1; curl URL/redirect/1").len(), 3);
    // Browsers follow them without a flag.
    assert_eq!(paths("curl -H 'User-Agent: Mozilla/5.0' URL/redirect/1").len(), 2);
}

#[test]
fn the_command_itself_and_a_file_to_write() {
    let sandbox = Sandbox::new();
    let arguments = ["convert", "curl", "curl -d user=ann http://a.test/login", "-o", "login.rhai"];
    let output = sandbox.run(&arguments).expect_code(0);
    assert_eq!(output.stdout, "");
    let output = output.expect_stderr(&["Wrote login.rhai.", "rhaid run login.rhai --once"]);
    assert!(!output.stderr.contains("--host"), "{}", output.stderr);
    let script = std::fs::read_to_string(sandbox.path().join("login.rhai")).unwrap();
    assert!(script.contains("http::post(\"/login\", #{ form: #{ user: \"ann\" } });"), "{script}");
    sandbox.run(&arguments).expect_code(104).expect_stderr(&["login.rhai already exists", "--force"]);
    sandbox.run(&[&arguments[..], &["--force"]].concat()).expect_code(0);
}

#[test]
fn openapi_in_yaml() {
    golden("openapi", "quality.yaml");
    let target = target();
    let ran = runs(&fixture("quality.rhai"), &target.url(), &["token"]);
    let only = |task: &str| {
        let text = std::fs::read_to_string(fixture("quality.rhai")).unwrap();
        let script = format!(
            "{}\nscenario(\"one\", #{{ exec: \"{task}\" }});",
            text.replace("task(", "// task(").replace("wait(", "// wait(")
        );
        let test =
            LoadTest::from_text("one.rhai", &script).host(&target.url()).param("token", "t").iterations(1);
        let ran = run(test).without_errors();
        assert_eq!((ran.requests(), ran.failures()), (1, 0), "{task}: {:?}", ran.snapshot().failures);
    };
    ["get_health", "list_insights", "analyze", "post_login", "upload"].into_iter().for_each(only);
    assert_eq!(ran.requests(), 2);
}

#[test]
fn openapi_with_everything() {
    let script = golden("openapi", "shop.json");
    assert!(!script.contains("hunter2"), "{script}");
    let server = Server::start();
    for task in ["new_1", "new_1_2", "post_wide", "log_in"] {
        let only = format!(
            "{}\nscenario(\"one\", #{{ exec: \"{task}\" }});",
            script.replace("task(", "// task(").replace("wait(", "// wait(")
        );
        let test = LoadTest::from_text("one.rhai", &only).host(&server.url()).iterations(1);
        let test = ["key", "password"].iter().fold(test, |test, name| test.param(name, name));
        run(test).without_errors();
    }
    let seen = server.seen();
    assert_eq!(seen[0].path, "/api/v2/orders/3f2b0c1e-8d4a-4b6f-9a7d-5e1c2d3f4a5b/items/10");
    assert_eq!(seen[0].header("x-api-key"), "key");
    assert!(
        seen[0].query.contains("filter%5Bmin%5D=1") && seen[0].query.contains("sort=a%2Cb"),
        "{}",
        seen[0].query
    );
    assert_eq!(seen[1].header("content-type"), "application/vnd.api+json");
    assert_eq!(seen[2].body, "{\"id\":18446744073709551615}");
    assert_eq!(seen[3].body, "password=password&tags=tag&user=user");
}

#[test]
fn openapi_that_cannot_be_converted() {
    refused("openapi", "swagger: '2.0'\npaths: {}").expect_stderr(&["Swagger 2.0", "swagger2openapi"]);
    refused("openapi", "openapi: 4.0.0").expect_stderr(&["4.0.0", "3.0 and 3.1"]);
    refused("openapi", "{\"a\": 1,\n}").expect_stderr(&[":2:1: this is not JSON"]);
    refused("openapi", "a: 1\nb: [1,\n c: }").expect_stderr(&[":2:", "this is not YAML"]);
    refused("openapi", "hello").expect_stderr(&["not an OpenAPI document"]);
    refused("openapi", "openapi: 3.0.0").expect_stderr(&["no operations"]);
}

/// A server on loopback that answers each path with a status and a text.
fn pages(pages: &'static [(&'static str, u16, &'static str)]) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap();
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let found = pages.iter().find(|(known, ..)| *known == path).unwrap_or(&("", 404, "no"));
            let location = if found.1 == 302 { format!("location: {}\r\n", found.2) } else { String::new() };
            let answer = format!(
                "HTTP/1.1 {} x\r\n{location}content-length: {}\r\nconnection: close\r\n\r\n{}",
                found.1,
                found.2.len(),
                found.2
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn openapi_is_fetched_from_its_url() {
    let url = pages(&[
        (
            "/v1/api.json",
            200,
            r#"{"openapi":"3.0.0","servers":[{"url":"./base"}],"paths":{"/x":{"get":{}}}}"#,
        ),
        ("/no-servers.json", 200, r#"{"openapi":"3.0.0","paths":{"/x":{"get":{}}}}"#),
        ("/moved", 302, "/v1/api.json"),
        ("/docs", 200, "<html><body>Swagger UI</body></html>"),
        ("/broken", 200, "{\n"),
    ]);
    let sandbox = Sandbox::new();
    let convert =
        |path: &str| sandbox.run_with(&["convert", "openapi", &format!("{url}{path}")], &[("NO_PROXY", "*")]);
    for path in ["/v1/api.json", "/moved"] {
        let script = convert(path).expect_code(0).stdout;
        assert!(
            script.contains(&format!("host: \"{url}\"")) && script.contains("\"/v1/base/x\""),
            "{script}"
        );
    }
    let script = convert("/no-servers.json").expect_code(0).stdout;
    assert!(script.contains(&format!("host: \"{url}\"")) && script.contains("\"/x\""), "{script}");
    sandbox.write("fetched.rhai", &script);
    sandbox.run(&["check", "fetched.rhai"]).expect_code(0);
    for (path, says) in [
        ("/nosuch?token=hunter2", "status 404"),
        ("/docs", "this is HTML or XML, not an OpenAPI document"),
        ("/broken", "/broken:2:"),
    ] {
        let output = convert(path).expect_code(104).expect_stderr(&[says, "127.0.0.1"]);
        assert!(!output.stderr.contains("hunter2") && output.stdout.is_empty(), "{}", output.shown());
    }
    let gone =
        sandbox.run_with(&["convert", "openapi", "http://u:hunter2@127.0.0.1:1/x"], &[("NO_PROXY", "*")]);
    let gone = gone.expect_code(104).expect_stderr(&["cannot fetch http://127.0.0.1:1/x: "]);
    assert!(!gone.stderr.contains("hunter2"), "{}", gone.stderr);
    sandbox.run(&["convert", "openapi", "http://"]).expect_code(104).expect_stderr(&["not a valid URL"]);
}

#[test]
fn openapi_of_three_megabytes() {
    // Every schema refers to all others: a tree of them would have no end.
    let names: Vec<String> = (0..400).map(|n| format!("Schema{n}")).collect();
    let property = |n: &String| format!("\"{n}\":{{\"$ref\":\"#/components/schemas/{n}\"}}");
    let properties: Vec<String> = names.iter().step_by(3).map(property).collect();
    let properties = properties.join(",");
    let schemas: Vec<String> = names
        .iter()
        .map(|n| format!("\"{n}\":{{\"required\":[\"Schema0\"],\"allOf\":[{{\"$ref\":\"#/components/schemas/{n}\"}}],\"properties\":{{{properties}}}}}"))
        .collect();
    let paths: Vec<String> = names
        .iter()
        .map(|n| format!("\"/{n}\":{{\"post\":{{\"requestBody\":{{\"content\":{{\"application/json\":{{\"schema\":{{\"$ref\":\"#/components/schemas/{n}\"}}}}}}}},\"responses\":{{}}}}}}"))
        .collect();
    let document = format!(
        "{{\"openapi\":\"3.0.0\",\"paths\":{{{}}},\"components\":{{\"schemas\":{{{}}}}}}}",
        paths.join(","),
        schemas.join(",")
    );
    assert!(document.len() > 2_500_000, "{}", document.len());
    let sandbox = Sandbox::new();
    sandbox.write("api.json", &document);
    sandbox.run(&["convert", "openapi", "api.json", "-o", "api.rhai"]).expect_code(0);
    let script = std::fs::read_to_string(sandbox.path().join("api.rhai")).unwrap();
    assert!(script.len() < 40_000_000 && script.matches("\ntask(").count() == 400, "{}", script.len());
    LoadTest::from_file(sandbox.path().join("api.rhai"))
        .unwrap()
        .host("http://127.0.0.1:1")
        .prepare()
        .unwrap();
}

#[test]
fn har_of_a_site_with_a_login() {
    let script = golden("har", "quality-site.har");
    for gone in ["hunter2", "af63bd4c8601b7df", "demo-8f1c9d2e3a4b5c6d", "cdn.test", "Mozilla", "favicon"] {
        let body = script.split_once("options(").unwrap().1;
        assert!(!body.contains(gone), "{gone} stands in\n{script}");
    }
    // Without the pauses, so that the test does not wait.
    let sandbox = Sandbox::new();
    let input = fixture("quality-site.har");
    let arguments = ["convert", "har", input.to_str().unwrap(), "--max-think", "0", "-o", "site.rhai"];
    let output = sandbox
        .run(&arguments)
        .expect_code(0)
        .expect_stderr(&["rhaid run site.rhai --once --param password=…"]);
    assert_eq!(output.stdout, "");
    let target = target();
    let ran = runs(&sandbox.path().join("site.rhai"), &target.url(), &["password"]);
    assert_eq!(ran.endpoint("/login/form"), (4, 0), "a token of its own in each of two visits");
    assert_eq!((ran.endpoint("/nosuch/{id}"), ran.endpoint("/upload")), ((2, 0), (2, 0)));
    let groups: Vec<&str> = ran.snapshot().tags.iter().map(|tag| &*tag.value).collect();
    assert!(groups.contains(&"Analyze a source"), "{groups:?}");
}

#[test]
fn har_with_redirects_ids_and_tokens_in_cookies() {
    let script = golden("har", "orders.har");
    assert!(script.contains("to other hosts: 2 (api.shop.test 2)"), "{script}");
    let sandbox = Sandbox::new();
    let input = fixture("orders.har");
    let all = sandbox.run(&["convert", "har", input.to_str().unwrap(), "--all-hosts"]).expect_code(0).stdout;
    for line in [
        "let products = http::get(\"http://api.shop.test/products?limit=2\"",
        "this.product_id = products.json(\"items[1].id\");",
        "[\"cursor\", this.next_cursor]",
        "http::get(`/products/${this.product_id}`, #{ name: \"/products/{id}\" })",
        "json: #{ productId: this.product_id, count: 1, client: \"c-77812345\" }",
    ] {
        assert!(all.contains(line), "no {line}\n{all}");
    }
    LoadTest::from_text("all.rhai", &all).prepare().unwrap();
    let one = sandbox
        .run(&["convert", "har", input.to_str().unwrap(), "--host", "api.shop.test"])
        .expect_code(0)
        .stdout;
    assert!(one.contains("host: \"http://api.shop.test\"") && !one.contains("/orders"), "{one}");
}

/// A recording of these entries.
fn har(entries: &[serde_json::Value]) -> String {
    serde_json::json!({ "log": { "entries": entries } }).to_string()
}

/// An entry: method, URL, headers of the request, what was posted, and the answer with its type.
fn entry(
    request: (&str, &str),
    headers: &[(&str, &str)],
    post: serde_json::Value,
    answer: (&str, &str),
) -> serde_json::Value {
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| serde_json::json!({ "name": name, "value": value })).collect();
    let mut request = serde_json::json!({ "method": request.0, "url": format!("http://a.test{}", request.1), "headers": headers });
    if !post.is_null() {
        request["postData"] = post;
    }
    let content = serde_json::json!({ "mimeType": answer.0, "text": answer.1 });
    serde_json::json!({ "startedDateTime": "2026-11-25T10:00:00Z", "time": 1, "request": request, "response": { "status": 200, "content": content } })
}

#[test]
fn har_with_binary_uploads_as_files_beside_the_script() {
    use base64::Engine as _;
    let bytes: Vec<u8> = (0..2_000_u32).map(|n| (n * 7 % 256) as u8).collect();
    let latin: String = bytes.iter().map(|b| char::from(*b)).collect();
    let base64 = base64::engine::general_purpose::STANDARD.encode(&bytes);
    let length = bytes.len().to_string();
    let part = "--B\r\nContent-Disposition: form-data; name=\"z\"\r\n\r\n1\r\n--B\r\nContent-Disposition: form-data; \
        name=\"a\"; filename=\"my photo.png\"\r\nContent-Type: image/png\r\n\r\n";
    let form_length = (part.len() + bytes.len() + "\r\n--B--\r\n".len()).to_string();
    let form = "multipart/form-data; boundary=B";
    let png = |text: &str| serde_json::json!({ "mimeType": "image/png", "text": text });
    let none = ("text/plain", "");
    let recording = har(&[
        // Firefox: a character a byte.
        entry(("PUT", "/firefox"), &[("Content-Length", &length)], png(&latin), none),
        entry(
            ("POST", "/form"),
            &[("Content-Length", &form_length)],
            serde_json::json!({ "mimeType": form, "text": format!("{part}{latin}\r\n--B--\r\n") }),
            none,
        ),
        // Charles: base64, with or without saying so.
        entry(("PUT", "/charles"), &[("Content-Length", &length)], png(&base64), none),
        entry(
            ("PUT", "/said"),
            &[],
            serde_json::json!({ "mimeType": "image/png", "text": base64, "encoding": "base64" }),
            none,
        ),
        // Chrome leaves them out.
        entry(
            ("PUT", "/chrome"),
            &[("Content-Length", "1234"), ("Content-Type", "image/png")],
            serde_json::Value::Null,
            none,
        ),
        entry(
            ("POST", "/chrome-form"),
            &[("Content-Length", &form_length)],
            serde_json::json!({ "mimeType": form, "text": format!("{part}\r\n--B--\r\n") }),
            none,
        ),
        serde_json::json!({ "startedDateTime": "", "request": { "method": "GET", "url": "http://a.test/pending" } }),
    ]);
    let sandbox = Sandbox::new();
    sandbox.write("up.har", &recording);
    let output = sandbox.run(&["convert", "har", "up.har", "-o", "up.rhai"]).expect_code(0).expect_stderr(&[
        "Wrote up-files/1-body.bin.",
        "note: left out, of 7 requests: without a response: 1",
        "note: the body of PUT /chrome was not recorded: random text stands for its 1234 bytes",
        &format!(
            "note: the recording has {} of the {form_length} bytes that POST /chrome-form sent; random text",
            part.len() + 9
        ),
    ]);
    assert!(!output.stderr.contains("/firefox"), "{}", output.stderr);
    sandbox.run(&["check", "up.rhai"]).expect_code(0);
    assert_eq!(std::fs::read(sandbox.path().join("up-files/1-body.bin")).unwrap(), bytes);
    let server = Server::start();
    runs(&sandbox.path().join("up.rhai"), &server.url(), &[]);
    let seen = server.seen();
    for (at, path) in [(0, "/firefox"), (2, "/charles"), (3, "/said")] {
        assert_eq!((seen[at].path.as_str(), seen[at].header("content-type")), (path, "image/png"));
        assert!(seen[at].raw == bytes, "{path}");
    }
    let boundary = seen[1].header("content-type").strip_prefix("multipart/form-data; boundary=").unwrap();
    let sent = [
        part.replace("--B", &format!("--{boundary}")).as_bytes(),
        &bytes,
        format!("\r\n--{boundary}--\r\n").as_bytes(),
    ]
    .concat();
    assert!(seen[1].raw == sent, "{}", String::from_utf8_lossy(&seen[1].raw));
    assert_eq!((seen[4].body.len(), seen[4].header("content-type")), (1234, "image/png"));
    assert!(seen[5].body.len() > 2_000);
    // Files are not overwritten, and without -o there are none.
    std::fs::remove_file(sandbox.path().join("up.rhai")).unwrap();
    sandbox
        .run(&["convert", "har", "up.har", "-o", "up.rhai"])
        .expect_code(104)
        .expect_stderr(&["already exists"]);
    let script = sandbox.run(&["convert", "har", "up.har"]).expect_code(0).stdout;
    assert!(script.contains("encoding::base64_decode(") && !script.contains("data::bytes"), "{script:.500}");
}

#[test]
fn har_with_links_in_json_and_tokens_in_scripts() {
    let page = "<html><script>var s = {\"nonce\":\"5f3a9c12be\"};</script><body data-csrf-token='q1w2e3r4'></body></html>";
    let list = r#"{"items":[{"self":"/items/4711"}],"next":"http://a.test/items?page=2&size=10","upload":"http://a.test/up?sig=Zx81"}"#;
    let null = serde_json::Value::Null;
    let none = ("text/plain", "");
    let recording = har(&[
        entry(("GET", "/"), &[], null.clone(), ("text/html", page)),
        entry(("GET", "/items"), &[("X-WP-Nonce", "5f3a9c12be")], null.clone(), ("application/json", list)),
        entry(("GET", "/items?page=2&size=10"), &[("X-CSRF", "q1w2e3r4")], null.clone(), none),
        entry(("GET", "/items/4711"), &[], null.clone(), none),
        entry(("PUT", "/up?sig=Zx81"), &[], null, none),
    ]);
    let sandbox = Sandbox::new();
    sandbox.write("links.har", &recording);
    sandbox.run(&["convert", "har", "links.har", "-o", "links.rhai"]).expect_code(0);
    let script = std::fs::read_to_string(sandbox.path().join("links.rhai")).unwrap();
    for line in [
        r#"let nonce = home.regex("nonce\":\"([^\"]+)");"#,
        r#""x-wp-nonce": nonce"#,
        r#"let next = items.json("next");"#,
        "http::get(next, #{ headers: #{ \"x-csrf\": data_csrf_token } })",
        r#"http::get(self_1, #{ name: "/items/{id}" })"#,
        "http::put(upload)",
    ] {
        assert!(script.contains(line), "no {line}\n{script}");
    }
    sandbox.run(&["check", "links.rhai"]).expect_code(0);
}

#[test]
fn har_that_cannot_be_converted() {
    refused("har", "{\"log\": {\n \"entries\": [,]}}")
        .expect_stderr(&[":2:14: this is not a recording in HAR"]);
    refused("har", "{}").expect_stderr(&["missing field `log`"]);
    refused("har", "{\"log\": {\"entries\": [{\"request\": 3}]}}")
        .expect_stderr(&["expected a request: an object with method and url"]);
    refused("har", "{\"log\": {").expect_stderr(&[":1:9: ", "was it saved whole?"]);
    refused("har", "{\"log\": {\"version\": \"1.2\", \"pages\": null}}").expect_stderr(&["has no entries"]);
    let entry = |url: &str, status: u16, kind: &str| {
        format!(
            "{{\"startedDateTime\":\"x\",\"request\":{{\"method\":\"GET\",\"url\":\"{url}\"}},\"response\":{{\"status\":{status},\"content\":{{\"mimeType\":\"{kind}\"}}}}}}"
        )
    };
    let of = |entries: &[String]| format!("{{\"log\":{{\"entries\":[{}]}}}}", entries.join(","));
    let nothing = of(&[
        entry("http://a.test/x.png", 200, "image/png"),
        entry("data:x", 200, ""),
        entry("http://a.test/", 0, ""),
    ]);
    let output = refused("har", &nothing);
    output.expect_stderr(&[
        "none of the 3 requests remain",
        "scripts and media: 1",
        "without a response: 1",
        "--keep-assets",
    ]);
    // The least that can be converted.
    let sandbox = Sandbox::new();
    sandbox.write("least.har", &of(&[entry("http://a.test/x", 200, "")]));
    let script = sandbox.run(&["convert", "har", "least.har"]).expect_code(0).stdout;
    assert!(script.ends_with("fn iteration() {\n    http::get(\"/x\").expect(200);\n}\n"), "{script}");
}

#[test]
fn har_of_twenty_megabytes() {
    use std::fmt::Write as _;
    let mut har = String::from("{\"log\":{\"entries\":[");
    for n in 0..2_000 {
        let rows: Vec<String> = (0..84).map(|row| format!("{{\\\"id\\\":{},\\\"token\\\":\\\"t-{n}-{row}-abcdefghijklmnopqrstuvwxyz\\\",\\\"text\\\":\\\"{}\\\"}}", n * 84 + row, "x".repeat(40))).collect();
        let before = if n > 0 { n - 1 } else { 0 };
        write!(
            har,
            "{}{{\"startedDateTime\":\"2026-11-25T10:{:02}:{:02}.000Z\",\"time\":5,\"request\":{{\"method\":\"GET\",\"url\":\"http://a.test/rows/{n}?token=t-{before}-3-abcdefghijklmnopqrstuvwxyz\"}},\
             \"response\":{{\"status\":200,\"content\":{{\"mimeType\":\"application/json\",\"text\":\"[{}]\"}}}}}}",
            if n > 0 { "," } else { "" },
            n / 60,
            n % 60,
            rows.join(",")
        )
        .unwrap();
    }
    har.push_str("]}}");
    assert!(har.len() > 20_000_000, "{}", har.len());
    let sandbox = Sandbox::new();
    sandbox.write("large.har", &har);
    // In 1 GB of address space; what the recording itself takes is a tenth of it.
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "ulimit -v 1000000; exec \"$0\" convert har large.har -o large.rhai",
        env!("CARGO_BIN_EXE_rhaid"),
    ]);
    command
        .current_dir(sandbox.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    sandbox.attach(command.spawn().unwrap()).wait().expect_code(0);
    let script = std::fs::read_to_string(sandbox.path().join("large.rhai")).unwrap();
    assert_eq!(script.matches("http::get(").count(), 2_000);
    assert!(script.contains("rows_1999") || script.contains(".json(\"[3].token\")"), "{:.2000}", script);
    LoadTest::from_text("large.rhai", &script).param("token", "x").prepare().unwrap();
}

/// A golden of a format that takes further arguments, with files beside it.
#[track_caller]
fn converted_to(arguments: &[&str], expected: &str, files: &[(&str, &str)]) -> (String, Output) {
    let output = Sandbox::new().run(arguments).expect_code(0);
    let expected = fixture(expected);
    if std::env::var_os("RHAID_BLESS").is_some() {
        std::fs::write(&expected, &output.stdout).unwrap();
    }
    let sandbox = Sandbox::new();
    sandbox.write("made.rhai", &output.stdout);
    files.iter().for_each(|(name, text)| drop(sandbox.write(name, text)));
    sandbox.run(&["check", "made.rhai"]).expect_code(0);
    let known = std::fs::read_to_string(&expected).unwrap_or_default();
    assert_eq!(output.stdout, known, "rewrite {} with RHAID_BLESS=1", expected.display());
    let head = output.stdout.split("\n\n").next().unwrap().replace("\n//   ", " ");
    let notes = output.stderr.lines().filter_map(|line| line.strip_prefix("note: "));
    notes.for_each(|note| assert!(head.contains(note), "{note:?} does not stand at the head of\n{head}"));
    (output.stdout.clone(), output)
}

#[test]
fn postman_collection_with_an_environment() {
    let (collection, environment) = (fixture("shop.postman.json"), fixture("dev.postman_environment.json"));
    let arguments =
        ["convert", "postman", collection.to_str().unwrap(), "--environment", environment.to_str().unwrap()];
    let files = [("scores.csv", "a,b\n")];
    let (script, _) = converted_to(&arguments, "shop.postman.rhai", &files);
    for secret in ["hunter2", "s3cr3t"] {
        assert!(!script.contains(secret), "{secret} stands in\n{script}");
    }
    let sandbox = Sandbox::new();
    let server = Server::start();
    let script = sandbox.write("shop.rhai", &script.replace("/api/", "/"));
    sandbox.write("scores.csv", files[0].1);
    let params = ["password", "x_api_key", "missing"];
    let test = LoadTest::from_file(&script).unwrap().host(&server.url()).threads(1);
    let test = params.iter().fold(test, |test, name| test.param(name, name));
    let ran = run(test.users(1).iterations(1)).without_errors();
    let checks: Vec<(String, u64)> =
        ran.snapshot().checks.iter().map(|(name, count)| (name.to_string(), count.fails)).collect();
    assert!(checks.iter().all(|(_, failed)| *failed == 0), "{checks:?}");
    for name in ["Status code is 200", "fast", "found", "gone"] {
        assert!(checks.iter().any(|(known, _)| known == name), "{name} is not in {checks:?}");
    }
    let seen = server.seen();
    let sent = |at: usize| {
        (seen[at].method.as_str(), seen[at].path.as_str(), seen[at].query.as_str(), seen[at].body.as_str())
    };
    assert_eq!(sent(0), ("POST", "/login", "", "{\"password\":\"password\",\"user\":\"ann\"}"));
    assert_eq!((seen[0].header("authorization"), seen[0].header("x-off")), ("", ""));
    assert_eq!(sent(1), ("GET", "/orders", "size=10&sort=name&off=1", ""));
    assert_eq!(
        (seen[1].header("authorization"), seen[1].header("x-request-id").len()),
        ("Bearer token-ann", 36)
    );
    assert_eq!((sent(2).1, sent(3).1), ("/orders/42/items", "/status/404"));
    assert_eq!(sent(4), ("POST", "/form", "", "z=1&a=10"));
    assert!(seen[4].header("authorization").starts_with("Basic "));
    assert_eq!((sent(5).1, seen[5].header("x-api-key")), ("/upload", "x_api_key"));
    let note = seen[5].body.find("name=\"note\"\r\n\r\nhi\r\n").unwrap();
    let file = seen[5].body.find("name=\"data\"; filename=\"scores.csv\"").unwrap();
    assert!(note < file && seen[5].body.contains("a,b\n"), "{}", seen[5].body);
    assert_eq!(
        sent(6),
        ("POST", "/graphql", "", "{\"query\":\"query Q($n: Int) { a(n: $n) }\",\"variables\":{\"n\":1}}")
    );
    assert_eq!(sent(7), ("PUT", "/xml", "", "<a>10</a>"));
    assert_eq!(
        (seen[7].header("content-type"), seen[7].header("x-a"), seen[7].header("x-b")),
        ("application/xml", "missing", "2")
    );
}

#[test]
fn postman_that_cannot_be_converted() {
    refused("postman", "{").expect_stderr(&[":1:1: this is not a Postman collection"]);
    refused("postman", "{\"requests\": []}").expect_stderr(&["format v1", "Collection v2.1"]);
    refused("postman", "{\"values\": []}").expect_stderr(&["this is an environment", "--environment"]);
    refused("postman", "{\"a\": 1}").expect_stderr(&["it has no `item`"]);
    refused("postman", "{\"item\": [{\"name\": \"x\", \"item\": []}]}").expect_stderr(&["has no requests"]);
    let sandbox = Sandbox::new();
    sandbox.write(
        "c.json",
        "{\"item\": [{\"request\": \"{{base}}/x\"}, {\"request\": {\"method\": \"?\", \"url\": 3}}]}",
    );
    sandbox.write("e.json", "{}");
    sandbox
        .run(&["convert", "postman", "c.json", "--environment", "e.json"])
        .expect_code(104)
        .expect_stderr(&["the environment has no `values`"]);
    let output = sandbox.run(&["convert", "postman", "c.json"]).expect_code(0);
    let output =
        output.expect_stderr(&["{{base}} has no value: the host is that of --host", "--once --host URL"]);
    assert!(output.stdout.contains("http::get(\"/x\")"), "{}", output.stdout);
}

#[test]
fn jmeter_plan_with_most_of_what_plans_have() {
    let plan = fixture("plan.jmx");
    let arguments = ["convert", "jmeter", plan.to_str().unwrap()];
    let files = [("scores.csv", "a,b\n"), ("users.csv", "ann,a\nbob,b\n")];
    let (script, output) = converted_to(&arguments, "plan.rhai", &files);
    for gone in ["hunter2", "/never", "/off"] {
        assert!(!script.contains(gone), "{gone} stands in\n{script}");
    }
    output.expect_stderr(&[
        "JSR223PostProcessor 'script' is left out",
        "XPathAssertion",
        "JDBCSampler 'Query'",
        "listeners",
    ]);
    // The first thread group alone, with its three iterations.
    let sandbox = Sandbox::new();
    let server = Server::start();
    let readers = script.find("scenario(\"Readers\"").unwrap();
    let end = readers + script[readers..].find("});").unwrap() + 3;
    let buyers = format!("{}{}", &script[..readers], &script[end..]);
    let script = sandbox.write("plan.rhai", &buyers);
    files.iter().for_each(|(name, text)| drop(sandbox.write(name, text)));
    let test = LoadTest::from_file(&script).unwrap().host(&server.url()).threads(1);
    let ran = run(test.param("password", "pw").param("users", "1").seed(1)).without_errors();
    assert_eq!(ran.failures(), 0, "{:#?}", ran.snapshot().failures);
    let seen = server.seen();
    assert_eq!(seen.len(), 3 * 6, "GET is what the regular expression finds, so that Put is sent: {seen:#?}");
    let sent = |at: usize| {
        (seen[at].method.as_str(), seen[at].path.as_str(), seen[at].query.as_str(), seen[at].body.as_str())
    };
    assert_eq!(sent(0), ("POST", "/login", "", "{\"password\":\"pw\",\"user\":\"ann\"}"));
    assert_eq!(
        (seen[0].header("content-type"), seen[0].header("accept")),
        ("application/json", "application/json")
    );
    assert_eq!(seen[0].header("x-run").len(), 36);
    assert_eq!(sent(1), ("GET", "/echo/orders", "size=20&q=a+b%26c", ""));
    assert_eq!(seen[1].header("authorization"), "Bearer token-ann");
    for at in [2, 3] {
        assert_eq!(sent(at), ("POST", "/form", "", "z=1&a=%C3%BC+%26&v=GET"));
    }
    assert_eq!(sent(4), ("PUT", "/items/5", "", "<a>20</a>"));
    assert!(
        seen[5].body.contains("filename=\"scores.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\n"),
        "{}",
        seen[5].body
    );
    assert!(seen[6].body.contains("\"user\":\"bob\""), "a row for each iteration: {}", seen[6].body);
}

#[test]
fn jmeter_that_cannot_be_converted() {
    refused("jmeter", "<a>\n<b></a>").expect_stderr(&[":2:", "this is not XML that can be read"]);
    refused("jmeter", "{}").expect_stderr(&["it has no <jmeterTestPlan>"]);
    refused("jmeter", "<jmeterTestPlan><hashTree>").expect_stderr(&["was it saved whole?"]);
    refused("jmeter", "<jmeterTestPlan><hashTree/></jmeterTestPlan>").expect_stderr(&["no HTTP requests"]);
}
