//! `convert curl`.

use super::*;

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
