//! `encoding` and `crypto` as scripts call them; the vectors of the standards are beside the code.

use crate::support::{load_test, run};

#[track_caller]
fn printed(body: &str) -> Vec<String> {
    let ran = run(load_test(&format!("fn iteration() {{ {body} }}")).iterations(1)).without_errors();
    ran.printed().into_iter().map(str::to_owned).collect()
}

#[test]
fn text_and_blobs_are_encoded_and_come_back() {
    let lines = printed(
        r#"
        print(encoding::base64_encode("ü?>"));
        print(encoding::base64_decode("w7w/Pg=="));
        print(encoding::base64url_encode("ü?>"));
        print(encoding::base64url_decode("w7w_Pg"));
        print(encoding::hex_encode(blob(2, 255)));
        print(encoding::hex_decode("ff00", "blob"));
        print(encoding::url_encode("a b&ü"));
        print(encoding::url_decode("a%20b%26%C3%BC+"));
    "#,
    );
    let expected = ["w7w/Pg==", "ü?>", "w7w_Pg", "ü?>", "ffff", "[ff00]", "a%20b%26%C3%BC", "a b&ü+"];
    assert_eq!(lines, expected);
}

#[test]
fn digests_codes_and_tokens() {
    let lines = printed(
        r#"
        print(crypto::md5("abc"));
        print(crypto::sha1(encoding::hex_decode("616263", "blob")));
        print(crypto::sha256("abc").len() + crypto::sha512("abc").len());
        print(crypto::hmac("sha256", "Jefe", "what do ya want for nothing?"));
        print(crypto::hmac("sha256", "Jefe", "what do ya want for nothing?", "base64"));
        print(crypto::hmac("sha256", "Jefe", "what do ya want for nothing?", "base64url"));
        let token = crypto::jwt_sign(#{ sub: "u1", n: 1 }, "key", #{ algorithm: "HS512", header: #{ kid: "k" } });
        let parts = token.split(".");
        print(encoding::base64url_decode(parts[0]));
        print(encoding::base64url_decode(parts[1]));
        print(parts[2] == crypto::hmac("sha512", "key", parts[0] + "." + parts[1], "base64url"));
    "#,
    );
    let expected = [
        "900150983cd24fb0d6963f7d28e17f72",
        "a9993e364706816aba3e25717850c26c9cd0d89d",
        "192",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=",
        "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM",
        r#"{"alg":"HS512","typ":"JWT","kid":"k"}"#,
        r#"{"n":1,"sub":"u1"}"#,
        "true",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn random_bytes_follow_from_the_seed() {
    let script = "fn iteration() { print(encoding::hex_encode(crypto::random_bytes(16))); }";
    let drawn =
        |seed| run(load_test(script).seed(seed).iterations(1)).without_errors().printed()[0].to_owned();
    assert_eq!(drawn(1).len(), 32);
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn what_cannot_be_done_is_a_script_error() {
    for (call, part) in [
        ("encoding::base64_decode(\"a b\")", "encoding::base64_decode: "),
        ("encoding::base64_decode(\"/w==\")", "the bytes are not text"),
        ("encoding::hex_decode(\"abc\")", "pairs of the digits"),
        ("encoding::hex_decode(\"ab\", \"array\")", "neither \"text\" nor \"blob\""),
        ("encoding::base64_encode(5)", "must be text or a blob, not 5"),
        ("encoding::url_decode(\"%ff\")", "does not decode to UTF-8"),
        ("crypto::sha256(#{})", "must be text or a blob"),
        ("crypto::hmac(\"sha3\", \"k\", \"d\")", "unknown algorithm 'sha3'"),
        ("crypto::hmac(\"sha1\", \"k\", \"d\", \"raw\")", "is not one of"),
        ("crypto::random_bytes(-1)", "must be 0 to"),
        ("crypto::jwt_sign(#{}, \"k\", #{ algorithm: \"none\" })", "one of HS256, HS384, HS512"),
        ("crypto::jwt_sign(#{}, \"k\", #{ header: #{ alg: \"none\" } })", "set the field alg"),
        ("crypto::jwt_sign(#{ f: || 1 }, \"k\")", "the claims contain a Fn"),
        ("crypto::jwt_sign(#{}, \"k\", #{ alg: \"HS256\" })", "has no key 'alg'"),
    ] {
        let error = run(load_test(&format!("fn iteration() {{ {call}; }}")).iterations(1)).only_error();
        assert!(error.contains(part), "{call}: {error}");
    }
}
