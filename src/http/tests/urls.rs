//! URLs: parsing, joining, messages.

use super::target;
use crate::http::Destination;

fn refused(url: &str) -> String {
    Destination::parse(url).unwrap_err().to_string()
}

#[test]
fn parts() {
    for (url, host, port, https, path, text) in [
        ("http://x", "x", 80, false, "/", "http://x/"),
        ("HTTP://X.Example:80/A?b=c#d", "x.example", 80, false, "/A", "http://x.example/A?b=c"),
        ("https://x:8443/a%20b", "x", 8443, true, "/a%20b", "https://x:8443/a%20b"),
        ("https://x:443", "x", 443, true, "/", "https://x/"),
        ("http://[::1]:81/?", "::1", 81, false, "/", "http://[::1]:81/?"),
        ("http://u:p@x/", "x", 80, false, "/", "http://x/"),
        (
            "http://bücher.example/ü?ß",
            "xn--bcher-kva.example",
            80,
            false,
            "/%C3%BC",
            "http://xn--bcher-kva.example/%C3%BC?%C3%9F",
        ),
        ("  http://x/a b\n", "x", 80, false, "/a%20b", "http://x/a%20b"),
    ] {
        let parsed = target(url);
        assert_eq!(
            (parsed.host(), parsed.port(), parsed.is_https(), parsed.path(), parsed.as_str()),
            (host, port, https, path, text),
            "{url}"
        );
    }
}

#[test]
fn messages() {
    for (url, expected) in [
        ("htp://x", "'htp://x' has the scheme 'htp'; only http and https are supported"),
        (
            "localhost:8000/x",
            "'localhost:8000/x' has the scheme 'localhost'; only http and https are supported \
             (did you mean http://localhost:8000/x?)",
        ),
        ("/x", "'/x' is not an absolute URL; write http://HOST/x or set a host"),
        ("http://", "'http://' is not a valid URL: empty host"),
        ("http://x:99999/", "'http://x:99999/' is not a valid URL: invalid port number"),
    ] {
        assert_eq!(refused(url), expected);
    }
    let long = format!("http://x/{}", "a".repeat(70_000));
    assert!(Destination::parse(&long).is_err());
}

/// The short way must give what the `url` crate gives, for every reference: those it takes and those it leaves.
#[test]
fn joining_gives_what_the_url_crate_gives() {
    let references = [
        "/",
        "/a",
        "/a/b/c",
        "/a?b",
        "/a?b=c&d=e",
        "/?",
        "/a?",
        "/a#f",
        "/a?b#f",
        "#f",
        "",
        "?q",
        "a",
        "a/b",
        "./a",
        "../a",
        "/./a",
        "/../a",
        "/a/./b",
        "/a/../b",
        "/a/..",
        "/a/.",
        "/.a",
        "/a.b",
        "/a..b",
        "/...",
        "/%2e/a",
        "/a/%2E%2e/b",
        "/a/.%2e/b",
        "/a%2eb",
        "/%2Fa",
        "/%",
        "/%zz",
        "//other/x",
        "///x",
        "/a//b",
        "/a b",
        "/a\tb",
        "/a\nb",
        " /a",
        "/a ",
        "/a\\b",
        "\\a",
        "/ü",
        "/a?ü",
        "/a?'",
        "/a'",
        "/a\"b",
        "/a<b>",
        "/a`b",
        "/a{b}",
        "/a|b",
        "/a^b",
        "/a[b]",
        "/a?{b}",
        "/a?b|c",
        "/a?b`c",
        "/a;b=c",
        "/a:b",
        "/@a",
        "/~a",
        "/a!$&()*+,;=",
        "http://other/x",
        "https://base:81/x",
        "http://base:81/x",
        "/a?b=/../c",
        "/a?b=/./c",
        "/a?http://x/",
        "/-_~",
        "/\u{7f}",
        "/a\0b",
    ];
    let base_text = "http://base:81/one/two?three";
    let base = target(base_text);
    let base_url = url::Url::parse(base_text).unwrap();
    for reference in references {
        let Ok(mut expected) = base_url.join(reference) else {
            assert!(base.join(reference).is_err(), "{reference:?}");
            continue;
        };
        expected.set_fragment(None);
        let joined = base.join(reference).unwrap();
        assert_eq!(joined.as_str(), expected.as_str(), "{reference:?}");
        assert_eq!(joined.path(), expected.path(), "{reference:?}");
        // What it was joined to does not matter once it is joined.
        assert_eq!(target(joined.as_str()).as_str(), expected.as_str());
    }
    assert!(base.join("ftp://x/").is_err());
}

#[test]
fn queries() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    for (url, pairs, expected) in [
        ("http://x/a", vec![], "http://x/a"),
        ("http://x/a", vec![pair("b", "c")], "http://x/a?b=c"),
        ("http://x/a?b=c", vec![pair("d", "e f"), pair("g&", "ü=")], "http://x/a?b=c&d=e+f&g%26=%C3%BC%3D"),
        ("http://x/a?", vec![pair("b", "")], "http://x/a?b="),
    ] {
        assert_eq!(target(url).with_query(&pairs).unwrap().as_str(), expected);
    }
}

#[test]
fn a_socket_of_the_file_system_is_a_host() {
    let base = target("http+unix://%2Frun%2Fapp.sock");
    assert_eq!(base.as_str(), "http+unix://%2Frun%2Fapp.sock/");
    assert_eq!(base.join("/a?b=c").unwrap().as_str(), "http+unix://%2Frun%2Fapp.sock/a?b=c");
    assert_eq!(base.join("a/../b c").unwrap().path(), "/b%20c");
    for url in ["http+unix://app.sock/x", "http+unix:///x", "http+unix://localhost:80/"] {
        assert!(crate::http::Destination::parse(url).is_err(), "{url}");
    }
}
