//! Failed requests that are kept to be looked at: URL, message and the begin of the body.

use serde_json::Value;

use crate::support::{Output, Sandbox, Server};

/// The samples of the failures of a request's name.
fn samples(output: &Output, name: &str) -> Vec<Value> {
    let json = output.run_dir().json();
    let groups: Vec<&Value> =
        json["failures"].as_array().unwrap().iter().filter(|group| group["name"] == name).collect();
    assert_eq!(groups.len(), 1, "{name}: {}", json["failures"]);
    groups[0]["samples"].as_array().unwrap().clone()
}

#[test]
fn three_different_requests_of_a_kind_are_kept() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        r#"
        const PASSWORD = env::get("PW");
        fn iteration() {
            http::get(`/status/500?page=${vu::iteration() / 2}`, #{ name: "pages" });
            http::post("/echo", #{ name: "html", body: "<b>bold</b>" }).expect(201);
            http::post("/echo", #{ name: "masked", json: #{ password: PASSWORD } }).expect(201);
            http::get("/bytes/5000", #{ name: "long" }).expect(201);
            http::get("/zeros/100", #{ name: "binary" }).expect(201);
            http::get("/bytes/300", #{ name: "discarded", discard_body: true }).expect(201);
            http::get("/status/404", #{ name: "good" }).expect(404);
            http::get("/cut", #{ name: "cut" });
            let late = http::get("/gzip", #{ name: "late" });
            sleep(0.01);
            late.fail("not what was wanted");
        }
    "#,
    );
    let arguments = ["-i", "20", "-e", "PW=hunter-22", "--html", "r.html"];
    let output = sandbox.run_against(&server.url(), &arguments).expect_code(0);

    let pages = samples(&output, "pages");
    assert_eq!(pages.len(), 3);
    for (index, page) in pages.iter().enumerate() {
        assert_eq!(page["url"], format!("{}/status/500?page={index}", server.url()), "each URL once");
        assert_eq!((&page["body"], &page["body_bytes"]), (&"status 500".into(), &10.into()));
        assert_eq!(page["message"], "HTTP 500 Internal Server Error");
    }
    let body = |name: &str| samples(&output, name)[0]["body"].clone();
    let long = samples(&output, "long");
    assert_eq!(long.len(), 1, "one like the other");
    assert_eq!((long[0]["body"].as_str().unwrap().len(), &long[0]["body_bytes"]), (1_024, &5_000.into()));
    for (name, bytes) in [("binary", 100), ("discarded", 300)] {
        let sample = &samples(&output, name)[0];
        assert_eq!((&sample["body"], &sample["body_bytes"]), (&Value::Null, &bytes.into()), "{name}");
    }
    assert_eq!(body("cut"), Value::Null, "half a body says nothing");
    assert_eq!(body("late"), r#"{"packed":true}"#, "without its encoding, also when the verdict came later");
    assert_eq!(samples(&output, "late")[0]["message"], "not what was wanted");
    assert!(!output.run_dir().json()["failures"].to_string().contains("\"good\""));
    assert!(body("masked").as_str().unwrap().contains("***"), "{}", body("masked"));

    let folder = output.run_dir().0;
    sandbox.run(&["report", folder.to_str().unwrap(), "--html", "again.html"]).expect_code(0);
    for page in ["r.html", "again.html"] {
        let page = std::fs::read_to_string(sandbox.path().join(page)).unwrap();
        let url = format!("<code>GET {}/status/500?page=2</code>: HTTP 500", server.url());
        assert!(
            page.contains(&url) && page.contains(", body of 10 B</p><pre tabindex=\"0\">status 500</pre>")
        );
        assert!(page.contains(", start of a body of 5.0 kB</p>"));
        assert!(page.contains("&lt;b&gt;bold&lt;/b&gt;") && !page.contains("<b>bold"));
        assert!(!page.contains("hunter-22"));
    }
}

#[test]
fn a_secret_at_the_end_of_what_is_kept_does_not_show_its_half() {
    let server = Server::start();
    let sandbox = Sandbox::with(
        r#"
        const TOKEN = secret::get("API_TOKEN");
        fn iteration() {
            for length in range(600, 1100, 7) {
                let text = "";
                text.pad(length, "x");
                http::post("/echo", #{ name: `at ${length}`, body: text + TOKEN }).expect(201);
            }
        }
    "#,
    );
    let output = sandbox
        .run_against(&server.url(), &["-i", "1", "-e", "API_TOKEN=tok-abcdefghijklmnop"])
        .expect_code(1);
    let failures = output.run_dir().json()["failures"].to_string();
    assert!(failures.contains("xxxx***"), "{failures}");
    assert!(!failures.contains("tok-"), "{failures}");
}
