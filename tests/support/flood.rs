//! Servers that send without end as fast as they can.

use std::io::{Read, Write};
use std::net::TcpListener;

/// What is sent without end after a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flood {
    /// Informational responses.
    Continue,
    /// A chunked body of single bytes.
    TinyChunks,
    /// A body.
    Body,
    /// Pings of HTTP/2.
    Pings,
}

/// Starts a server that floods everybody who sends it something; gives its URL. Lives as long as the tests' process.
pub(crate) fn flooding(flood: Flood) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (first, again): (&[u8], &[u8]) = match flood {
        Flood::Continue => (b"", b"HTTP/1.1 100 Continue\r\nx-padding: ------------------------------------------------------\r\n\r\n"),
        Flood::TinyChunks => (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        Flood::Body => (b"HTTP/1.1 200 OK\r\n\r\n", b"0123456789abcdef"),
        Flood::Pings => (b"\0\0\0\x04\0\0\0\0\0", b"\0\0\x08\x06\0\0\0\0\0pingpong"),
    };
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            std::thread::spawn(move || -> std::io::Result<()> {
                let _ = stream.read(&mut [0; 4096])?;
                stream.write_all(first)?;
                let mut reader = stream.try_clone()?;
                // What the client says is thrown away, so that it is never kept waiting.
                std::thread::spawn(move || while reader.read(&mut [0; 65_536]).is_ok_and(|read| read > 0) {});
                let block = again.repeat(65_536 / again.len());
                loop {
                    stream.write_all(&block)?;
                }
            });
        }
    });
    url
}
