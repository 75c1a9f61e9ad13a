//! A name server for the names of some faults; see `answer`.

use std::net::UdpSocket;

/// Where it listens; only in a network namespace of its own.
pub(crate) const ADDRESS: &str = "127.0.0.1:53";

/// Answers for ever on a thread of its own, if it can.
pub(crate) fn start() -> std::io::Result<()> {
    let socket = UdpSocket::bind(ADDRESS)?;
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            if let Some(answer) = answer(&query[..length]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    Ok(())
}

fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let first_label = usize::from(*query.get(12)?);
    let name = String::from_utf8_lossy(query.get(13..13 + first_label)?).into_owned();
    let name_end = 13 + query.get(12..)?.iter().position(|byte| *byte == 0)?;
    let question = query.get(12..name_end + 4)?;
    let is_v4 = query.get(name_end..name_end + 2)? == [0, 1];
    let addresses: &[[u8; 4]] = match name.as_str() {
        "good" => &[[127, 0, 0, 1]],
        // Nobody listens on the first.
        "two" => &[[127, 0, 0, 9], [127, 0, 0, 1]],
        "dead" => &[[127, 0, 0, 9]],
        "silent" => return None,
        // A name that exists and has no address.
        "empty" => &[],
        "failing" => return Some(reply(query, question, 2, &[])),
        _ => return Some(reply(query, question, 3, &[])),
    };
    Some(reply(query, question, 0, if is_v4 { addresses } else { &[] }))
}

fn reply(query: &[u8], question: &[u8], code: u8, addresses: &[[u8; 4]]) -> Vec<u8> {
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80 | code, 0, 1, 0, addresses.len() as u8, 0, 0, 0, 0]);
    reply.extend(question);
    for address in addresses {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(address);
    }
    reply
}
