//! Reading a file whole: bounded, and as text with a place for what is no text.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Reads a file of at most `limit` bytes; `shown` is its name in messages.
///
/// # Errors
/// When it cannot be read, is no ordinary file or is too large, in words.
pub(super) fn bytes(path: &Path, shown: &str, limit: u64) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("cannot read '{shown}': {error}");
    // Asked before it is opened: opening a pipe waits until somebody writes.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err(format!("'{shown}' is a folder, not a file"));
    }
    if !metadata.is_file() {
        return Err(format!("'{shown}' is not a regular file"));
    }
    if metadata.len() > limit {
        return Err(too_large(shown, limit));
    }
    // The size is only what it was a moment ago, so the limit holds for the reading too.
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit { Err(too_large(shown, limit)) } else { Ok(bytes) }
}

/// The same for a file that came from another machine.
///
/// # Errors
/// When it is too large, in words.
pub(super) fn sent(content: &[u8], shown: &str, limit: u64) -> Result<Vec<u8>, String> {
    if content.len() as u64 > limit { Err(too_large(shown, limit)) } else { Ok(content.to_vec()) }
}

fn too_large(shown: &str, limit: u64) -> String {
    format!("'{shown}' is larger than {}, the maximum", size(limit))
}

/// The bytes as text, without a byte order mark.
///
/// # Errors
/// When they are not UTF-8, with the line and the byte where that shows.
pub(super) fn text(bytes: Vec<u8>, shown: &str) -> Result<String, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(format!("'{shown}' is UTF-16; save it as UTF-8"));
    }
    match String::from_utf8(bytes) {
        Ok(mut text) => {
            if text.starts_with('\u{feff}') {
                text.drain(..'\u{feff}'.len_utf8());
            }
            Ok(text)
        }
        Err(error) => {
            let place = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let line = bytes[..place].iter().filter(|&&byte| byte == b'\n').count() + 1;
            Err(format!(
                "'{shown}' is not valid UTF-8 at line {line} (byte {place} of the file is 0x{:02x}); save it \
                 as UTF-8, or read it with data::bytes",
                bytes[place]
            ))
        }
    }
}

fn size(bytes: u64) -> String {
    match bytes >> 20 {
        mb if mb >= 1024 => format!("{} GB", mb >> 10),
        mb => format!("{mb} MB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_has_a_place() {
        assert_eq!(text(b"\xef\xbb\xbfa\xef\xbb\xbf".to_vec(), "f"), Ok("a\u{feff}".to_owned()));
        let error = text(b"a\nb\n\nM\xfcller".to_vec(), "f.csv").unwrap_err();
        assert!(
            error.contains("'f.csv'") && error.contains("line 4 (byte 6 of the file is 0xfc)"),
            "{error}"
        );
        assert!(text(b"\xff\xfea\0".to_vec(), "f").unwrap_err().contains("UTF-16"));
    }

    #[test]
    fn what_is_too_large_or_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        std::fs::write(&file, [0; 100]).unwrap();
        assert_eq!(bytes(&file, "f", 100).unwrap().len(), 100);
        assert!(bytes(&file, "f", 99).unwrap_err().contains("larger than 0 MB"));
        assert!(bytes(folder.path(), "d", 99).unwrap_err().contains("is a folder"));
        assert!(bytes(Path::new("/dev/zero"), "z", 99).unwrap_err().contains("not a regular file"));
    }
}
