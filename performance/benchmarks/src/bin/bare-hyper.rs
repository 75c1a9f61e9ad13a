//! A load loop on a bare hyper connection: the lower bound for any HTTP/1.1 client built on hyper.
//!
//! No pool, no redirects, no URL handling: each user opens one connection and sends on it until the quota is used up.
//! A server that closes it ends the run with an error.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::handshake;
use hyper::{Request, Uri, header};
use hyper_util::rt::TokioIo;
use rhaid_benchmarks::{Error, drive};
use std::process::ExitCode;
use tokio::net::TcpStream;

fn main() -> ExitCode {
    drive(|settings, quota| async move {
        let uri: Uri = settings.url.parse()?;
        let authority = uri.authority().ok_or("--url: expected http://HOST[:PORT]/PATH")?;
        let stream = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80))).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Ends by itself when the sender is dropped; its errors reach the sender too.
        let connection = tokio::spawn(connection);

        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        while quota.take() {
            let request =
                Request::get(path).header(header::HOST, authority.as_str()).body(Empty::<Bytes>::new())?;
            let response = sender.send_request(request).await?;
            let status = response.status();
            response.into_body().collect().await?;
            if status != 200 {
                return Err(Error::from(format!("expected status 200, got {status}")));
            }
            // The connection may still be returning its state after the end of the body.
            sender.ready().await?;
            if !settings.think.is_zero() {
                tokio::time::sleep(settings.think).await;
            }
        }
        drop(sender);
        connection.await??;
        Ok(())
    })
}
