//! Files that are streamed: `data::file`.

use std::path::Path;

use rhaid::LoadTest;
use rhaid::plan::Options;

use crate::support::{Ran, Sandbox, Server, UploadServer, hashed, run, try_run};

/// Content whose every piece is a different one.
fn content(length: usize) -> Vec<u8> {
    // A prime number of bytes, so that no two pieces begin alike.
    let block: Vec<u8> = (0..100_003_u32).map(|at| (at ^ (at >> 8)) as u8).collect();
    let mut content = block.repeat(length / block.len() + 1);
    content.truncate(length);
    content
}

fn with_file(name: &str, bytes: &[u8]) -> Sandbox {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path().join(name), bytes).unwrap();
    sandbox
}

fn test_in(sandbox: &Sandbox, script: &str) -> LoadTest {
    let path = sandbox.write("test.rhai", script);
    let options = Options { threads: Some(1), spawn_rate: Some(1e5), ..Options::default() };
    LoadTest::from_file(path).unwrap().defaults(options)
}

/// One iteration, with `FILE` declared.
#[track_caller]
fn once_in(sandbox: &Sandbox, url: &str, name: &str, iteration: &str) -> Ran {
    let script = format!("const FILE = data::file(\"{name}\");\nfn iteration() {{ {iteration} }}");
    run(test_in(sandbox, &script).host(url).iterations(1))
}

#[test]
fn a_file_is_streamed_as_a_body_over_both_versions() {
    // Not a whole number of pieces, and more than any window or buffer.
    let bytes = content((20 << 20) + 12_345);
    let sandbox = with_file("big.bin", &bytes);
    for (server, version) in [(UploadServer::http1(), "1.1"), (UploadServer::http2(), "2")] {
        let upload = format!(
            r#"
                let r = http::put("/hash", #{{ body: FILE, http_version: "{version}" }});
                print([r.status, r.body]);
                let r = http::put("/hash", #{{ body: FILE, http_version: "{version}" }});
                print([r.status, r.body]);
            "#
        );
        let ran = once_in(&sandbox, &server.url, "big.bin", &upload).without_errors();
        let expected = format!("[200, \"{}\"]", hashed(&bytes));
        assert_eq!(ran.printed(), [expected.as_str(), &expected], "HTTP/{version}");
        let sent = ran.snapshot().total.bytes_sent;
        assert!(sent > 2 * bytes.len() as u64 && sent < 2 * bytes.len() as u64 + 100_000, "{sent}");
    }
}

#[test]
fn a_file_is_a_part_of_a_form() {
    let bytes = content(200_000);
    let sandbox = with_file("photo.png", &bytes);
    let server = Server::start();
    let upload = r#"
        print(FILE);
        print([FILE.name, FILE.content_type, FILE.size]);
        http::post("/x", #{ multipart: [["note", "hi"], ["photo", FILE], ["n", 7]] });
        http::post("/x", #{ form: #{ note: "hi" }, files: #{ photo: [FILE, http::file(FILE, "b.png", "image/png")] } });
    "#;
    let ran = once_in(&sandbox, &server.url(), "photo.png", upload).without_errors();
    assert_eq!(
        ran.printed(),
        ["file 'photo.png' (200,000 bytes)", r#"["photo.png", "application/octet-stream", 200000]"#]
    );
    let seen = server.seen();
    let boundary = |at: usize| seen[at].header("content-type").split_once("boundary=").unwrap().1.to_owned();
    let part = |name: &str, content_type: &str| {
        let mut part = format!(
            "\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"{name}\"\r\nContent-Type: {content_type}\r\n\r\n"
        )
        .into_bytes();
        part.extend_from_slice(&bytes);
        part.extend_from_slice(b"\r\n");
        part
    };
    let field = |name: &str, value: &str| {
        format!("\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes()
    };
    let whole = |boundary: &str, parts: &[Vec<u8>]| {
        let mut body = Vec::new();
        for part in parts {
            body.extend_from_slice(format!("--{boundary}").as_bytes());
            body.extend_from_slice(part);
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        body
    };
    let octets = "application/octet-stream";
    let parts = [field("note", "hi"), part("photo.png", octets), field("n", "7")];
    assert!(seen[0].raw == whole(&boundary(0), &parts));
    assert_eq!(seen[0].header("content-length"), seen[0].raw.len().to_string());
    let parts = [field("note", "hi"), part("photo.png", octets), part("b.png", "image/png")];
    assert!(seen[1].raw == whole(&boundary(1), &parts));
}

#[test]
fn a_file_is_sent_again_from_its_start() {
    let bytes = content(300_000);
    let sandbox = with_file("f.bin", &bytes);
    let hash = hashed(&bytes);
    for code in [307, 308] {
        let server = UploadServer::http1();
        let upload = format!(r#"print(http::post("/again/{code}", #{{ body: FILE }}).body);"#);
        assert_eq!(
            once_in(&sandbox, &server.url, "f.bin", &upload).without_errors().printed(),
            [hash.as_str()]
        );
        assert_eq!(server.bodies(), (2, 0));
    }
    let server = UploadServer::http2();
    let upload = r#"print(http::post("/refused", #{ body: FILE, http_version: 2 }).body);"#;
    let ran = once_in(&sandbox, &server.url, "f.bin", upload).without_errors();
    assert_eq!((ran.printed(), ran.requests()), (vec![hash.as_str()], 1), "the refused stream is repeated");
    let server = Server::start();
    let upload = r#"
        print(http::put("/digest/MD5", #{ body: FILE, digest: "ann:secret" }).status);
        http::get("/last");
        sleep(0.2);
        print(http::put("/kept", #{ body: FILE }).status);
    "#;
    let ran = once_in(&sandbox, &server.url(), "f.bin", upload).without_errors();
    assert_eq!(ran.printed(), ["200", "200"], "after the challenge; after the connection was closed");
    let puts: Vec<_> = server.seen().into_iter().filter(|seen| seen.method == "PUT").collect();
    assert_eq!(puts.len(), 3);
    assert!(puts.iter().all(|seen| seen.raw == bytes));
}

#[test]
fn an_empty_file_is_an_empty_body() {
    let sandbox = with_file("empty", b"");
    let server = Server::start();
    let upload = r#"http::put("/x", #{ body: FILE }); http::post("/x", #{ files: #{ f: FILE } });"#;
    once_in(&sandbox, &server.url(), "empty", upload).without_errors();
    let seen = server.seen();
    assert_eq!((seen[0].header("content-length"), seen[0].raw.len()), ("0", 0));
    assert!(seen[1].body.contains("filename=\"empty\""), "{}", seen[1].body);
}

/// A change of the file at this path.
type Change = fn(&Path);

const CHANGES: [(&str, Change); 5] = [
    ("has become shorter", |path| {
        std::fs::File::options().write(true).open(path).unwrap().set_len(1_500_000).unwrap();
    }),
    ("has become longer", |path| {
        std::fs::File::options().write(true).open(path).unwrap().set_len(20 << 20).unwrap();
    }),
    ("has changed", |path| {
        use std::io::{Seek, SeekFrom, Write};
        let mut file = std::fs::File::options().write(true).open(path).unwrap();
        file.seek(SeekFrom::Start(12 << 20)).unwrap();
        file.write_all(b"something else").unwrap();
    }),
    ("has been removed or replaced", |path| std::fs::remove_file(path).unwrap()),
    ("has been removed or replaced", |path| {
        std::fs::write(path.with_extension("new"), "other").unwrap();
        std::fs::rename(path.with_extension("new"), path).unwrap();
    }),
];

#[test]
fn a_file_that_changes_is_a_failed_request_and_never_a_wrong_body() {
    for http2 in [false, true] {
        for (how, change) in CHANGES {
            let sandbox = Sandbox::new();
            let path = sandbox.path().join("f.bin");
            // Sparse: larger than what the sockets hold, so that it is certainly not sent before it changes.
            let file = std::fs::File::create(&path).unwrap();
            file.set_len(16 << 20).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
            drop(file);
            let server = UploadServer::start(http2, move || change(&path));
            let version = if http2 { "2" } else { "1.1" };
            let upload = format!(
                r#"
                    let params = #{{ body: FILE, http_version: "{version}" }};
                    for path in ["/midway", "/hash"] {{
                        let r = http::put(path, params);
                        print([r.status, r.error_kind, r.error]);
                    }}
                "#
            );
            let ran = once_in(&sandbox, &server.url, "f.bin", &upload).without_errors();
            let expected = format!(
                "[0, \"other\", \"the file 'f.bin' {how} since the script was loaded; leave it alone while the test runs\"]"
            );
            // The second request is not even begun.
            assert_eq!(ran.printed(), [expected.as_str(), &expected], "HTTP/{version}");
            assert_eq!((ran.requests(), ran.failures()), (2, 2));
            assert_eq!(server.bodies().0, 0, "HTTP/{version}, {how}: no body may pass for a whole one");
        }
    }
}

#[test]
fn a_file_is_looked_for_where_other_data_is() {
    let sandbox = with_file("f.bin", b"x");
    let refused = |script: &str| match try_run(test_in(&sandbox, script).iterations(1)) {
        Ok(ran) => ran.only_error(),
        Err(error) => error.to_string(),
    };
    for (call, expected) in [
        (r#"data::file("../secret.txt")"#, "is refused"),
        (r#"data::file("/dev/zero")"#, "is refused"),
        (r#"data::file("f.bim")"#, "did you mean 'f.bin'"),
        (r#"data::file(".")"#, "is a folder"),
    ] {
        let error = refused(&format!("const F = {call};\nfn iteration() {{}}"));
        assert!(error.contains(expected), "{call}: {error}");
    }
    let error = refused(r#"fn iteration() { data::file("f.bin"); }"#);
    assert!(error.contains("data::file"), "{error}");
    let uses = [
        ("body: F, compress: \"gzip\"", "compress: a data::file is sent as it is"),
        ("body: F, headers: #{ \"content-length\": 7 }", "content-length is 7, but the body has 1 bytes"),
        ("body: F, json: 1", "a request has one body"),
        ("files: #{ f: 1 }", "data::file(path)"),
    ];
    for (params, expected) in uses {
        let script = format!(
            "const F = data::file(\"f.bin\");\nfn iteration() {{ http::put(\"http://127.0.0.1:1/\", #{{ {params} }}); }}"
        );
        let error = refused(&script);
        assert!(error.contains(expected), "{params}: {error}");
    }
}

#[test]
fn debug_output_names_a_streamed_file() {
    let sandbox = with_file("f.bin", &content(1234));
    sandbox.write(
        "test.rhai",
        "const F = data::file(\"f.bin\");\nfn iteration() { http::post(\"/x\", #{ multipart: #{ a: \"b\", f: F } }); }",
    );
    let server = Server::start();
    let output = sandbox.run_against(&server.url(), &["-i", "1", "--http-debug=full"]);
    let text = format!("{}{}", output.stdout, output.stderr);
    assert!(text.contains("> (file 'f.bin', 1,234 bytes)"), "{text}");
}

/// The measure of `docs/http.md`.
#[test]
fn a_streamed_file_takes_no_memory() {
    let sandbox = Sandbox::new();
    std::fs::File::create(sandbox.path().join("big.iso")).unwrap().set_len(300 << 20).unwrap();
    sandbox.write(
        "test.rhai",
        "const F = data::file(\"big.iso\");\nfn iteration() { http::put(\"/hash\", #{ body: F, timeout: 60, name: \"up\" }); }",
    );
    let server = sink();
    let output = sandbox.run_against(&server, &["-i", "1"]).expect_code(0);
    let json = output.run_dir().json();
    let most = json["metrics"]["generator_memory"]["values"]["max"].as_f64().unwrap();
    assert!(most < 100e6, "{most} bytes of memory");
    assert!(json["metrics"]["data_sent"]["values"]["count"].as_f64().unwrap() > (300 << 20) as f64);
}

/// A server that throws one body of 300 MB away, without looking at it.
fn sink() -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut left, mut buffer) = (300 << 20, vec![0; 1 << 20]);
        let first = stream.read(&mut buffer).unwrap();
        let head = buffer[..first].windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        left -= first - head;
        while left > 0 {
            left -= stream.read(&mut buffer).unwrap();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    url
}
