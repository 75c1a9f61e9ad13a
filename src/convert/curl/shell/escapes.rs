//! What stands after a backslash in `$'…'`.

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// The bytes that the escapes of C stand for.
pub(in crate::convert) fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    let push = |out: &mut Vec<u8>, c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    while let Some(c) = chars.next() {
        if c != '\\' {
            push(&mut out, c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push(b'\n'),
            Some('r') => out.push(b'\r'),
            Some('t') => out.push(b'\t'),
            Some('a') => out.push(7),
            Some('b') => out.push(8),
            Some('e' | 'E') => out.push(0x1b),
            Some('f') => out.push(0xc),
            Some('v') => out.push(0xb),
            Some('x') => out.push(number(&mut chars, 2, 16) as u8),
            Some('u') => unicode(&mut chars, &mut out),
            Some('U') => {
                char::from_u32(number(&mut chars, 8, 16)).into_iter().for_each(|c| push(&mut out, c))
            }
            Some(c @ '0'..='7') => {
                let first = u32::from(c) - u32::from('0');
                let mut value = first;
                for _ in 0..2 {
                    let Some(c) = chars.next_if(|c| ('0'..='7').contains(c)) else { break };
                    value = value * 8 + u32::from(c) - u32::from('0');
                }
                out.push(value as u8);
            }
            Some(c) => push(&mut out, c),
            None => {}
        }
    }
    out
}

fn number(chars: &mut Chars, most: usize, radix: u32) -> u32 {
    let mut digits = String::new();
    while digits.len() < most
        && let Some(c) = chars.next_if(|c| c.is_digit(radix))
    {
        digits.push(c);
    }
    u32::from_str_radix(&digits, radix).unwrap_or(0)
}

/// `\u` with four hexadecimal digits; browsers write characters beyond 16 bits as two of them.
fn unicode(chars: &mut Chars, out: &mut Vec<u8>) {
    let first = number(chars, 4, 16);
    let mut units = vec![first as u16];
    if (0xd800..0xdc00).contains(&first) {
        let mut ahead = chars.clone();
        if ahead.next() == Some('\\') && ahead.next() == Some('u') {
            units.push(number(&mut ahead, 4, 16) as u16);
            *chars = ahead;
        }
    }
    out.extend_from_slice(String::from_utf16_lossy(&units).as_bytes());
}
