//! Servers that listen on a socket in the file system.

#![cfg(unix)]

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use crate::support::{load_test, run};

#[test]
fn requests_go_to_a_socket_in_the_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            std::thread::spawn(move || {
                let mut head = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut head) {
                    let host = String::from_utf8_lossy(&head[..read]).contains("host: localhost");
                    let cookie = String::from_utf8_lossy(&head[..read]).contains("cookie: a=1");
                    let body = format!("{host} {cookie}");
                    let length = body.len();
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\ncontent-length: {length}\r\n\r\n{body}"
                    );
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            });
        }
    });
    let host = format!("http+unix://{}", path.display().to_string().replace('/', "%2F"));
    let script = r#"
        fn iteration() {
            print(http::get("/x").body);
            let r = http::get("/y?z=1");
            print([r.body, r.remote_addr, r.url.ends_with("app.sock/y?z=1")]);
        }
    "#;
    let ran = run(load_test(script).host(&host).iterations(1)).without_errors();
    assert_eq!(ran.printed(), ["true false", r#"["true true", (), true]"#]);
    assert_eq!(ran.requests(), 2);
    let gone = host.replace("app.sock", "gone.sock");
    let script = "fn iteration() { let r = http::get(\"/x\"); print([r.error_kind, r.error]); }";
    let ran = run(load_test(script).host(&gone).iterations(1)).without_errors();
    let path = folder.path().join("gone.sock");
    let expected =
        format!(r#"["refused", "there is no socket {} (is the server running there?)"]"#, path.display());
    assert_eq!(ran.printed(), [expected]);
}
