//! Certificates, proxies, versions and limits of time, as flags and options set them.

use crate::support::{Sandbox, Server, TlsServer, load_test, run};

#[test]
fn a_certificate_that_nobody_signed_is_refused_unless_it_is_accepted() {
    let server = TlsServer::start();
    let host = format!("https://{}", server.addr);
    let script =
        "fn iteration() { let r = http::get(\"/x\"); print([r.body, r.error_kind, r.timings.tls != ()]); }";
    let ran = run(load_test(script).host(&host).iterations(1)).without_errors();
    assert_eq!(ran.printed(), [r#"["", "tls", true]"#]);
    assert!(ran.snapshot().failures[0].1.messages[0].contains("--insecure"), "{:?}", ran.snapshot().failures);
    let ran = run(load_test(&format!("options(#{{ http: #{{ insecure: true }} }}); {script}"))
        .host(&host)
        .iterations(1));
    assert_eq!(ran.printed(), [r#"["secure", (), true]"#]);

    let with = |flags: &[&str], code: i32| {
        let sandbox = Sandbox::with(script);
        sandbox.write("ca.pem", &server.certificate);
        let mut arguments = vec!["run", "test.rhai", "-i", "1", "-H", &host];
        arguments.extend(flags);
        sandbox.run(&arguments).expect_code(code)
    };
    with(&["--insecure"], 0).expect_stderr(&["[\"secure\", (), true]"]);
    with(&["--ca-file", "ca.pem"], 0).expect_stderr(&["[\"secure\", (), true]"]);
    with(&[], 1).expect_stderr(&["\"tls\""]);
}

#[test]
fn files_of_certificates_that_are_wrong_are_told_before_the_run() {
    let refused = |flag: &str, file: &str| {
        let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
        sandbox.write("not.pem", "this is no certificate");
        let output = sandbox.run(&["run", "test.rhai", "-i", "1", "-H", "https://127.0.0.1:1", flag, file]);
        output.expect_stderr(&["error: ", file]).expect_code(104);
    };
    refused("--ca-file", "nosuch.pem");
    refused("--ca-file", "not.pem");
    refused("--client-cert", "nosuch.pem");
    refused("--client-cert", "not.pem");
}

#[test]
fn a_proxy_is_used_only_when_it_is_asked_for() {
    let (server, proxy) = (Server::start(), Server::start());
    let (url, proxy_url) = (server.url(), proxy.url());
    let requests = |flags: &[&str], variables: &[(&str, &str)]| {
        let (before, before_proxy) = (server.total(), proxy.total());
        let sandbox = Sandbox::with("fn iteration() { http::get(\"/x\"); }");
        let mut arguments = vec!["run", "test.rhai", "-i", "1", "-H", &url];
        arguments.extend(flags);
        sandbox.run_with(&arguments, variables).expect_code(0);
        (server.total() - before, proxy.total() - before_proxy)
    };
    let environment = [("HTTP_PROXY", proxy_url.as_str()), ("http_proxy", proxy_url.as_str())];
    assert_eq!(requests(&[], &environment), (1, 0), "a load test measures the target");
    assert_eq!(requests(&["--proxy", "env"], &environment), (0, 1));
    assert_eq!(requests(&["--proxy", &proxy_url], &[]), (0, 1));
    assert!(proxy.seen().iter().all(|seen| seen.path == format!("{url}/x")), "{:?}", proxy.seen());
}

#[test]
fn http_2_is_spoken_when_it_is_asked_for() {
    // The server knows HTTP/1.1 alone; that it is not understood shows what was spoken.
    let server = Server::start();
    let script = "fn iteration() { let r = http::get(\"/x\"); print([r.http_version, r.status]); }";
    let printed = |version: &str| {
        let options =
            format!("options(#{{ http: #{{ http_version: \"{version}\", timeout: 0.5 }} }}); {script}");
        let ran = run(load_test(&options).host(&server.url()).iterations(1)).without_errors();
        ran.printed()[0].to_owned()
    };
    assert_eq!(printed("1.1"), "[\"1.1\", 200]");
    assert_eq!(printed("auto"), "[\"1.1\", 200]");
    assert!(printed("2").ends_with(", 0]"));
}

#[test]
fn the_timeout_of_requests_is_a_flag() {
    let server = Server::start();
    let sandbox = Sandbox::with("fn iteration() { print(http::get(\"/never\").error_kind); }");
    let output = sandbox.run(&["run", "test.rhai", "-i", "1", "-H", &server.url(), "--timeout", "100ms"]);
    output.expect_code(1).expect_stderr(&["] timeout"]);
}
