//! Taking values out of pages.

use crate::support::{Server, once};

fn printed(script: &str) -> Vec<String> {
    let ran = once(&Server::start(), &format!("fn iteration() {{ {script} }}")).without_errors();
    ran.printed().into_iter().map(str::to_owned).collect()
}

#[test]
fn selectors_find_elements() {
    let lines = printed(
        r#"
            let page = http::get("/page/list").html();
            let rows = page.css("li.row");
            print([rows.len, rows.is_empty, rows[0].attr("data-id"), rows[-1].attr("data-id")]);
            print([rows.first().text(), rows[1].css("a").attr("href"), rows[1].html(), rows.css("a").len()]);
            print(rows.texts());
            for row in rows { print(row.attr("data-id")); }
            print([rows[0].name, rows[0].attrs["class"], rows.attrs("class")]);
        "#,
    );
    let expected = [
        r#"[3, false, "1", "3"]"#,
        r#"["Item 1", "/item/2", "<a href=\"/item/2\">Item 2</a>", 3]"#,
        r#"["Item 1", "Item 2", "Item 3"]"#,
        "1",
        "2",
        "3",
        r#"["li", "row", ["row", "row", "row"]]"#,
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_is_not_there_is_unit() {
    let lines = printed(
        r#"
            let r = http::get("/page/login");
            let none = r.css("nosuch");
            print([none.len, none.first(), none.attr("x"), none.text(), none.html(), none.css("a").len]);
            print(r.css("form").attr("nosuch") == ());
            print([r.regex("nosuch"), r.regex_all("nosuch")]);
        "#,
    );
    assert_eq!(lines, ["[0, (), (), (), (), 0]", "true", "[(), []]"]);
}

#[test]
fn a_login_with_a_token_from_the_page() {
    let server = Server::start();
    let script = r##"
        fn iteration() {
            let page = http::get("/page/login");
            print(page.css("form input[name=csrf]").attr("value"));
            print(page.html().css("title").text());
            let fields = page.form("#login");
            print(fields);
            fields.user = "ann";
            print(http::post("/echo", #{ form: fields }).json("body"));
            print([page.regex("\"build\": (\\d+)"), page.regex("build")]);
            print(page.regex_all("name=(\\w+)"));
        }
    "##;
    let ran = once(&server, script).without_errors();
    let expected = [
        "t&k-17",
        "Login",
        r##"#{"csrf": "t&k-17", "keep": "yes", "lang": "de", "password": "", "user": ""}"##,
        "csrf=t%26k-17&keep=yes&lang=de&password=&user=ann",
        r#"["42", "build"]"#,
        r#"["csrf", "user", "password", "lang", "keep", "go"]"#,
    ];
    assert_eq!(ran.printed(), expected);
}

#[test]
fn mistakes_are_quoted() {
    for (call, expected) in [
        ("css(\"li[\")", "test.rhai:1:42: \"li[\" is not a CSS selector: "),
        ("html().css(\"::\")", "\"::\" is not a CSS selector: "),
        ("regex(\"a(\")", "\"a(\" is not a regular expression: unclosed group"),
        ("css(\"li\")[3]", "index [3] is out of bounds: the list has 3 elements"),
        ("form(\"#nosuch\")", "no form on the page matches \"#nosuch\""),
    ] {
        let ran = once(&Server::start(), &format!("fn iteration() {{ http::get(\"/page/list\").{call}; }}"));
        let error = ran.only_error();
        assert!(error.contains(expected), "{call}: {error}");
        assert_eq!(ran.failures(), 0);
    }
}

#[test]
fn garbage_is_read_as_browsers_do() {
    let lines = printed(
        r#"
            let r = http::get("/page/garbage");
            print(r.css("li").texts()[0]);
            print(http::get("/page/deep").css("div").len);
            print(http::get("/reset").css("p").len);
            print(http::get("/gzip").html().text());
        "#,
    );
    assert_eq!(lines, ["one", "900", "0", r#"{"packed":true}"#]);
}
