//! SOCKS5 (RFC 1928): asking a proxy for a connection.
//!
//! Owns what is said to the proxy before the server. Leaves which proxy to `proxy.rs`. Pure but for the stream.

use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::error::describe_io;

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const PASSWORD: u8 = 2;

/// Where the proxy is to connect to.
pub(super) enum Goal<'a> {
    /// The proxy looks up the name.
    Name(&'a str),
    Address(IpAddr),
}

/// Asks the proxy at the other end of `stream` for a connection.
///
/// # Errors
/// Why there is none, in words.
pub(super) async fn connect<S>(
    stream: &mut S,
    login: Option<&(String, String)>,
    goal: Goal<'_>,
    port: u16,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let methods: &[u8] =
        if login.is_some() { &[VERSION, 2, NO_LOGIN, PASSWORD] } else { &[VERSION, 1, NO_LOGIN] };
    match (ask(stream, methods).await?, login) {
        ([VERSION, NO_LOGIN], _) => {}
        ([VERSION, PASSWORD], Some((user, password))) => {
            // RFC 1929.
            let login = [&[1], &*short(user)?, &*short(password)?].concat();
            if ask(stream, &login).await?[1] != 0 {
                return Err("it refused user and password".to_owned());
            }
        }
        ([VERSION, _], Some(_)) => return Err("it does not accept user and password".to_owned()),
        ([VERSION, _], None) => return Err("it asks for user and password".to_owned()),
        _ => return Err("its response is not SOCKS5".to_owned()),
    }
    let (kind, goal) = match goal {
        Goal::Name(name) => (3, short(name)?),
        Goal::Address(IpAddr::V4(ip)) => (1, ip.octets().to_vec()),
        Goal::Address(IpAddr::V6(ip)) => (4, ip.octets().to_vec()),
    };
    let request = [&[VERSION, 1, 0, kind], &*goal, &port.to_be_bytes()].concat();
    let [version, reply] = ask(stream, &request).await?;
    if version != VERSION {
        return Err("its response is not SOCKS5".to_owned());
    }
    if reply != 0 {
        return Err(refusal(reply).to_owned());
    }
    // The address that it uses itself: nobody needs it, but it has to be read.
    let mut head = [0; 2];
    read(stream, &mut head).await?;
    let length = match head[1] {
        1 => 4,
        4 => 16,
        _ => {
            let mut length = [0];
            read(stream, &mut length).await?;
            usize::from(length[0])
        }
    };
    read(stream, &mut vec![0; length + 2]).await
}

/// Says something and reads the first two bytes of the answer.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> Result<[u8; 2], String> {
    stream.write_all(bytes).await.map_err(|cause| describe_io(&cause))?;
    stream.flush().await.map_err(|cause| describe_io(&cause))?;
    let mut answer = [0; 2];
    read(stream, &mut answer).await?;
    Ok(answer)
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S, bytes: &mut [u8]) -> Result<(), String> {
    match stream.read_exact(bytes).await {
        Ok(_) => Ok(()),
        Err(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err("it closed the connection".to_owned())
        }
        Err(cause) => Err(describe_io(&cause)),
    }
}

/// A text after its length.
fn short(text: &str) -> Result<Vec<u8>, String> {
    let length =
        u8::try_from(text.len()).map_err(|_| "SOCKS5 takes no text longer than 255 bytes".to_owned())?;
    Ok([&[length], text.as_bytes()].concat())
}

fn refusal(reply: u8) -> &'static str {
    match reply {
        2 => "its rules do not allow it",
        3 => "the network is unreachable",
        4 => "the host is unreachable",
        5 => "the server refused the connection",
        6 => "the server did not answer in time",
        _ => "it failed",
    }
}
