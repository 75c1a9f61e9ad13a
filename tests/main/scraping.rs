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

/// The same calls on a response and on its text.
#[test]
fn any_text_is_searched_as_a_response_is() {
    let lines = printed(
        r##"
            for path in ["/page/list", "/page/form", "/page/garbage", "/gzip", "/raw/bom", "/status/200"] {
                let r = http::get(path);
                let text = r.body;
                let all = [
                    |x| x.css("li").texts(), |x| x.css("li").attrs("class"), |x| x.html().text(), |x| x.form("form"),
                    |x| x.regex("<(l?i)"), |x| x.regex("nosuch"), |x| x.regex_all("[a-z]+"), |x| x.json("packed"),
                    |x| x.json("a"), |x| x.json(), |x| x.css("li["), |x| x.css("a:first"), |x| x.regex("a("), |x| x.json("a["),
                ];
                for f in all {
                    let said = [];
                    for x in [r, text] {
                        try { said.push(f.call(x).to_string()); } catch (error) {
                            said.push(error.to_string());
                        }
                    }
                    said[0].replace(`the body of GET ${path} (status 200)`, "the text");
                    if said[0] != said[1] { print(`${path}: ${said[0]} and ${said[1]}`); }
                }
            }
            print(`{"a": [{"b": 7}]}`.json("a[-1].b"));
            print("id=7; id=12".regex_all("id=([0-9]+)"));
            print("<p class=x>one</p><p>two</p>".css("p.x").text());
            print("<form id=f><input name=a value=1></form>".form("#f"));
        "##,
    );
    assert_eq!(lines, ["7", r#"["7", "12"]"#, "one", r##"#{"a": "1"}"##]);
}

#[test]
fn an_error_of_a_selector_says_what_and_where() {
    for (selector, expected) in [
        ("li:contains('x')", "there is no :contains, at 3 — search the elements for text"),
        ("ul > li:first", "there is no :first, at 8 — take the first of the list"),
        ("a[href=/x]", "what stands in the [ at 2 is not understood — write [name=\"value\"]"),
        ("//div", "it is XPath"),
        ("div..x", "the . at 4 is not expected there"),
    ] {
        let script = format!("fn iteration() {{ \"<p>\".css(\"{selector}\"); }}");
        let error = once(&Server::start(), &script).only_error();
        assert!(error.contains(expected), "{selector}: {error}");
        assert!(!error.contains("developer"), "{error}");
    }
}
