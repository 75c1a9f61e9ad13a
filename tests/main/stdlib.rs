//! The library that scripts import as `std/…`; `std/journey` is tested with the imports.

use std::path::Path;

use crate::support::{Ran, Server, load_test, once, run};

/// Why the requests failed, in A-Z order.
fn reasons(ran: &Ran) -> Vec<&str> {
    let mut reasons: Vec<&str> =
        ran.snapshot().failures.iter().flat_map(|(_, group)| &group.messages).map(|text| &**text).collect();
    reasons.sort_unstable();
    reasons
}

#[test]
fn every_module_can_be_imported_and_every_function_has_an_example() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib");
    let mut imports = String::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        imports += &format!("import \"std/{name}\" as lib_{name};\n");
        assert!(text.starts_with(&format!("//! std/{name} — ")), "{name} says what it is");
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("fn ")) {
            assert_eq!(lines[n - 1], "/// ```", "{name}: no example before {line}");
        }
    }
    assert!(imports.lines().count() >= 7, "{imports}");
    once(&Server::start(), &format!("{imports} fn iteration() {{}}")).without_errors();
}

#[test]
fn links_resolve_as_in_a_browser() {
    let script = r#"
        import "std/links" as links;
        fn iteration() {
            let base = "http://h:1/a/b/c?x=1#top";
            for link in ["", "?y=2", "d", "./d", "../d?z=/../q", "../../../d", "..", "/e/", "//other/f",
                         "https://g/h", "d/e/", "/"] {
                print(links::resolve(base, link));
            }
            print(links::resolve("http://h", "d"));
        }
    "#;
    let expected = [
        "http://h:1/a/b/c?x=1",
        "http://h:1/a/b/c?y=2",
        "http://h:1/a/b/d",
        "http://h:1/a/b/d",
        "http://h:1/a/d?z=/../q",
        "http://h:1/d",
        "http://h:1/a/",
        "http://h:1/e/",
        "http://other/f",
        "https://g/h",
        "http://h:1/a/b/d/e/",
        "http://h:1/",
        "http://h/d",
    ];
    assert_eq!(once(&Server::start(), script).without_errors().printed(), expected);
}

#[test]
fn links_are_found_by_their_relation() {
    let script = r#"
        import "std/links" as links;
        fn iteration() {
            let header = "</a?x=1,2;3>; rel=prev, </b>; title=\"say \\\"next\\\", rel=next\"; rel=\"first NEXT\"";
            print(`${links::by_rel(header, "prev")} ${links::by_rel(header, "next")}`);
            print(links::by_rel(header, "last") == () && links::by_rel((), "next") == ());
        }
    "#;
    assert_eq!(once(&Server::start(), script).without_errors().printed(), ["/a?x=1,2;3 /b", "true"]);
}

#[test]
fn the_links_of_a_page_are_whole_urls() {
    let server = Server::start();
    let script = r#"
        import "std/links" as links;
        fn iteration() {
            let page = http::get("/page/forms");
            print(links::on_page(page, "nav a"));
            print(links::on_page(page, "h1 a"));
        }
    "#;
    let ran = once(&server, script).without_errors();
    let base = server.url();
    assert_eq!(
        ran.printed(),
        [format!(r#"["{base}/page/list", "{base}/page/forms?at=12:30"]"#), "[]".to_owned()]
    );
}

#[test]
fn forms_are_sent_by_their_method_and_in_their_encoding() {
    let server = Server::start();
    let script = r##"
        import "std/forms" as forms;
        fn iteration() {
            let page = http::get("/page/forms");
            print(forms::choices(page, "#search select"));
            let found = forms::submit(page, #{ size: "L" });
            print(`${found.json("method")} ${found.json("path")} ${found.json("query")}`);
            let sent = forms::submit(page, #{ photo: http::file("x", "x.png") }, "#upload", #{ name: "upload" });
            print(sent.ok);
            print(forms::submit(page, #{}, "#nosuch").ok);
            print(forms::submit(http::get("/status/500"), #{}).status);
            print(forms::submit(http::get("/page/login"), #{ user: "ann" }).json("body"));
        }
    "##;
    let ran = once(&server, script).without_errors();
    let printed = ran.printed();
    assert_eq!(printed[0], r#"["s", "L"]"#);
    assert_eq!(
        printed[1], "GET /echo/search q=all&size=L",
        "the action's own query is replaced, as in a browser"
    );
    assert_eq!(printed[2..5], ["true", "false", "500"]);
    assert!(printed[5].contains("csrf=t%26k-17") && printed[5].contains("user=ann"), "{}", printed[5]);
    assert_eq!(reasons(&ran), ["HTTP 500 Internal Server Error", "the page has no form #nosuch"]);
    let seen = server.seen();
    let upload = &seen[2];
    assert_eq!(
        (&*upload.method, &*upload.path),
        ("POST", "/page/forms"),
        "without an action, to the page itself"
    );
    assert!(upload.header("content-type").starts_with("multipart/form-data"), "{upload:?}");
    assert_eq!(upload.header("referer"), format!("{}/page/forms", server.url()));
    assert_eq!(ran.endpoint("upload"), (1, 0));
}

#[test]
fn pages_are_followed_by_a_cursor() {
    let script = r#"
        import "std/paginate" as paginate;
        fn iteration() {
            this.seen = [];
            let visit = |page| this.seen.push(page.json("query"));
            // The echo has no cursor of its own, so its query is one: it grows, and then it repeats.
            print(paginate::by_cursor("/echo/x", "nosuch", "cursor", 5, visit));
            print(paginate::by_cursor("/echo/x", "query", "cursor", 3, #{ query: #{ size: 2 } }, visit));
            print(paginate::by_cursor("/echo/x", "method", "cursor", 9, |page| true));
            print(paginate::by_cursor("/echo/x", "method", "cursor", 9, |page| false));
            print(paginate::by_cursor("/status/500", "query", "cursor", 5, visit));
            print(this.seen);
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    let seen = r#"["", "size=2", "cursor=size%3D2&size=2", "cursor=cursor%3Dsize%253D2%26size%3D2&size=2"]"#;
    assert_eq!(ran.printed(), ["1", "3", "2", "1", "0", seen]);
}

#[test]
fn pages_are_followed_by_json_by_header_and_by_number() {
    let server = Server::start();
    let script = r#"
        import "std/paginate" as paginate;
        fn iteration() {
            this.seen = [];
            let visit = |page| { this.seen.push(page.json("items[0]")); };
            print(paginate::by_json("/app/list/4", "links.next", 10, visit));
            print(paginate::by_link_header("/app/list/3", 10, #{ query: #{ size: 5 } }, visit));
            print(paginate::by_number("/app/list/2", "items", 10, visit));
            print(this.seen);
        }
    "#;
    let ran = once(&server, script).without_errors();
    assert_eq!(ran.printed(), ["4", "3", "2", "[1, 2, 3, 4, 1, 2, 3, 1, 2]"]);
    assert_eq!(ran.endpoint("/app/list/4"), (4, 0));
    assert_eq!(ran.endpoint("/app/list/2"), (3, 0), "the empty page too");
    let queries: Vec<String> = server.seen().into_iter().map(|seen| seen.query).collect();
    assert_eq!(queries[4..7], ["size=5", "page=2", "page=3"]);
}

#[test]
fn paging_ends_at_the_most_at_false_and_at_a_failure() {
    let script = r#"
        import "std/paginate" as paginate;
        fn iteration() {
            print(paginate::by_json("/app/list/9", "links.next", 2, |page| true));
            print(paginate::by_link_header("/app/list/9", 9, |page| page.json("items[0]") < 3));
            print(paginate::by_number("/app/list/9", "items", 5, #{ query: #{ page: 8 } }, |page| ()));
            print(paginate::by_number("/app/list/9", "items", 3, |page| ()));
            print(paginate::by_number("/app/broken/9", "items", 9, |page| ()));
            print(paginate::by_json("/app/broken/9", "links.next", 9, |page| ()));
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!(ran.printed(), ["2", "3", "2", "3", "2", "2"]);
    assert_eq!(ran.failures(), 2);
}

#[test]
fn expectations_that_hold() {
    let script = r#"
        import "std/expect" as expect;
        fn iteration() {
            this.first = 1;
            let r = expect::that(http::get("/app/list/4"), #{
                status: 200,
                headers: #{ "content-type": "JSON" },
                body: ["items", "links"],
                json: #{ items: [1, 1], "links.next": |next| next == "?page=2", "items[0]": |n| n == this.first,
                         "items[1]": 1.0, nosuch: () },
                under: 30,
            });
            print(`${r.ok} ${r.status}`);
            print(expect::that(http::get("/status/404"), #{ status: [404, 410], body: "404" }).ok);
            print(expect::that(http::get("/page/login"), #{ css: #{ title: "Log" } }).ok);
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!((ran.printed(), ran.failures()), (vec!["true 200", "true", "true"], 0));
}

#[test]
fn an_unknown_expectation_is_an_error() {
    let script = r#"
        import "std/expect" as expect;
        fn iteration() { expect::that(http::get("/"), #{ header: #{ a: "b" } }); }
    "#;
    let error = once(&Server::start(), script).only_error();
    assert!(error.contains("expect::that has no key 'header' (known: [\"status\""), "{error}");
}

#[test]
fn the_first_expectation_that_does_not_hold_is_the_reason() {
    let script = r#"
        import "std/expect" as expect;
        // A series each, because a series keeps only some of its reasons.
        fn get(path, wanted) { expect::that(http::get(path, #{ name: random::uuid() }), wanted) }
        fn list(wanted) { get("/app/list/4", wanted) }
        fn iteration() {
            list(#{ json: #{ "items[0]": 2 }, under: 0 });
            list(#{ json: #{ "items[7]": "a" } });
            list(#{ json: #{ "items[0]": "1" } });
            list(#{ json: #{ items: |items| items.len > 2 } });
            list(#{ headers: #{ "content-type": "html" }, body: "nosuch" });
            list(#{ headers: #{ "x-none": "html" } });
            list(#{ body: "nosuch" });
            list(#{ under: 0 });
            list(#{ status: [201, 202], body: "nosuch" });
            get("/status/200", #{ json: #{ a: 1 } });
            get("/status/500", #{ json: #{ a: 1 } });
            get("/page/login", #{ css: #{ h1: "Login" } });
            print(get("/page/login", #{ css: #{ title: "Welcome" } }).ok);
            print(get("/reset", #{ status: 200, json: #{ a: 1 } }).ok);
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!(ran.printed(), ["false", "false"]);
    let reasons = reasons(&ran);
    for reason in [
        "items[0] in the JSON is 1, not 2",
        "items[7] in the JSON is not there, not \"a\"",
        "items[0] in the JSON is 1, not \"1\"",
        "items in the JSON is [1, 1]",
        "the header content-type is \"application/json\", without \"html\"",
        "there is no header x-none",
        "the body does not contain \"nosuch\"",
        "it took 0 s or longer",
        "the body is not JSON",
        "the page has no h1",
        "title in the page is \"Login\", without \"Welcome\"",
    ] {
        assert!(reasons.contains(&reason), "{reason}: {reasons:#?}");
    }
    assert_eq!(ran.failures(), 14);
    assert_eq!(reasons.len(), 14, "each its own: {reasons:#?}");
}

#[test]
fn graphql_operations_are_series_and_their_errors_failures() {
    let server = Server::start();
    let script = r#"
        import "std/graphql" as graphql;
        fn iteration() {
            let r = graphql::query("/app/graphql", "query Shops($n: Int) { shops(first: $n) { name } }", #{ n: 3 });
            print(`${r.ok} ${r.json("data.operation")} ${r.json("data.variables.n")}`);
            print(graphql::query("/app/graphql", "{ shops { name } }").ok);
            print(graphql::query("/app/graphql", "mutation Buy { boom }").ok);
            print(graphql::query("/app/graphql", "query Me { me }", #{}, #{ bearer: "t", name: "me" }).ok);
            print(graphql::query("/status/200", "query Text { a }").ok);
            print(graphql::query("/cookies/get", "query Neither { a }").ok);
            print(graphql::query("/status/503", "query Down { a }").ok);
        }
    "#;
    let ran = once(&server, script).without_errors();
    assert_eq!(ran.printed(), ["true Shops 3", "true", "false", "true", "false", "false", "false"]);
    for (name, counts) in [("Shops", (1, 0)), ("/app/graphql", (1, 0)), ("Buy", (1, 1)), ("me", (1, 0))] {
        assert_eq!(ran.endpoint(name), counts, "{name}");
    }
    let reasons = reasons(&ran);
    for reason in [
        "GraphQL: no such shop (NOT_FOUND), and 1 more",
        "the response has neither data nor errors",
        "the response is not a JSON object",
    ] {
        assert!(reasons.contains(&reason), "{reason}: {reasons:?}");
    }
    assert!(server.seen()[0].header("accept").starts_with("application/graphql-response+json"));
    assert_eq!(server.seen()[3].header("authorization"), "Bearer t");
}

#[test]
fn names_of_graphql_operations() {
    let script = r##"
        import "std/graphql" as graphql;
        fn iteration() {
            for text in ["query A { a }", "\n# query X {\n mutation B2_($a: S = \"}{\") { a }", "subscription C{a}",
                         "fragment F on T { query { x } } query D { ...F }", "query E @live { a }", "{ query F }",
                         "query { a }", "query($n: Int) { a }", ""] {
                print("=" + graphql::operation_name(text));
            }
        }
    "##;
    let ran = once(&Server::start(), script).without_errors();
    assert_eq!(ran.printed(), ["=A", "=B2_", "=C", "=D", "=E", "=", "=", "=", "="]);
}

#[test]
fn a_form_login_sends_what_the_page_hides() {
    let server = Server::start();
    let script = r##"
        import "std/auth" as auth;
        fn iteration() {
            print(auth::form_login("/app/login", #{ user: "ann", password: "secret" }).ok);
            print(auth::form_login("/app/login", #{ user: "ann", password: "wrong" }, "#in").ok);
            print(auth::form_login("/app/login", #{ user: "ann" }, "#out").ok);
            print(auth::form_login("/status/500", #{ user: "ann" }).status);
            print(auth::form_login("/status/200", #{ user: "ann" }).ok);
            print(auth::form_login("/page/login", #{ user: "ann" }).json("path"));
        }
    "##;
    let ran = once(&server, script).without_errors();
    assert_eq!(ran.printed(), ["true", "false", "false", "500", "false", "/echo/login"]);
    let sent = &server.seen()[1];
    assert_eq!((&*sent.path, &*sent.query), ("/app/login", "go=1"));
    assert_eq!(sent.body, "csrf=c1&password=secret&user=ann");
    assert_eq!(sent.header("referer"), format!("{}/app/login", server.url()));
    let reasons = reasons(&ran);
    for reason in ["the login form was returned again", "the page has no form #out", "the page has no form"] {
        assert!(reasons.contains(&reason), "{reason}: {reasons:?}");
    }
}

#[test]
fn a_bearer_token_is_kept_until_it_expires() {
    let server = Server::start();
    let script = r#"
        import "std/auth" as auth;
        fn on_start() {
            this.life = 3600;
            this.auth = auth::bearer(|| http::get(`/app/token/${this.life}`).json());
            this.brief = auth::bearer(|| #{ token: http::get("/app/token/1").json("access_token"), expires_in: 0.05 });
            this.fixed = auth::bearer(|| "mine");
        }
        fn iteration() {
            print(auth::token(this.auth) + auth::token(this.auth) + auth::token(this.fixed));
            let first = auth::token(this.brief);
            sleep(0.1);
            print(first + auth::token(this.brief));
            let r = auth::send(this.auth, |token| { this.last = token; http::get("/app/guarded", #{ bearer: token }) });
            print(`${r.status} ${this.last} ${auth::token(this.auth)}`);
        }
    "#;
    let ran = once(&server, script).without_errors();
    assert_eq!(ran.printed(), ["t1t1mine", "t1t2", "200 t2 t2"]);
    assert_eq!((ran.endpoint("/app/guarded"), server.hits("/app/token/3600")), ((2, 0), 2));
}

#[test]
fn a_bearer_without_a_token_is_an_error() {
    let script = r#"
        import "std/auth" as auth;
        fn iteration() { auth::token(auth::bearer(|| http::get("/cookies/get").json())); }
    "#;
    let error = once(&Server::start(), script).only_error();
    assert!(error.contains("auth: get_token returned no token"), "{error}");
}

#[test]
fn made_up_people_have_the_right_form_and_follow_the_seed() {
    let script = r#"
        import "std/fake" as fake;
        fn iteration() {
            print(fake::name());
            print(fake::email());
            print(fake::email("Ann Lee"));
            print(fake::phone());
            let address = fake::address();
            print(`${address.street}|${address.city}|${address.postcode}|${address.country}`);
            print(fake::words(3));
            print(fake::sentence());
            print(fake::sentences(2));
            print(fake::date("2024-02-29", "2024-02-29") + fake::date("1999-12-31", "1999-12-31"));
            for n in 0..20 { print(fake::card()); }
            print(fake::card("amex"));
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    let printed = ran.printed();
    assert_eq!(printed, once(&Server::start(), script).printed(), "the same seed");
    assert_eq!(printed[0].split(' ').count(), 2, "{}", printed[0]);
    assert!(printed[1].contains("@example."), "{}", printed[1]);
    assert!(printed[2].starts_with("ann.lee."), "{}", printed[2]);
    assert!(printed[3].contains(" 555 01") && printed[3].len() == 15, "{}", printed[3]);
    assert_eq!(printed[4].split('|').filter(|part| !part.is_empty()).count(), 4, "{}", printed[4]);
    assert_eq!(printed[5].split(' ').count(), 3, "{}", printed[5]);
    assert!(printed[6].ends_with('.') && printed[6].starts_with(char::is_uppercase), "{}", printed[6]);
    assert_eq!(printed[7].matches('.').count(), 2, "{}", printed[7]);
    assert_eq!(printed[8], "2024-02-291999-12-31");
    for card in &printed[9..] {
        let digits = card.chars().rev().map(|c| c.to_digit(10).unwrap());
        let sum: u32 =
            digits.enumerate().map(|(i, d)| if i % 2 == 1 { d * 2 / 10 + d * 2 % 10 } else { d }).sum();
        assert_eq!(sum % 10, 0, "{card}");
    }
    assert!(printed[29].starts_with("378282") && printed[29].len() == 15, "{}", printed[29]);
}

#[test]
fn every_made_up_date_is_one() {
    let script = r#"
        import "std/fake" as fake;
        fn iteration() {
            for n in 0..200 { print(fake::date("1899-12-30", "2101-03-01")); }
            try { fake::date("today", "2024-01-01"); } catch (error) { print(error); }
            try { fake::card("nosuch"); } catch (error) { print(error); }
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    let printed = ran.printed();
    for date in &printed[..200] {
        let parts: Vec<u32> = date.split('-').map(|part| part.parse().unwrap()).collect();
        let [year, month, day] = parts[..] else { panic!("{date}") };
        let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        assert!((1..=days[month as usize - 1]).contains(&day) && (1899..=2101).contains(&year), "{date}");
        assert!(("1899-12-30"..="2101-03-01").contains(date), "{date}");
    }
    assert_eq!(printed[200], "'today' is not a date such as 2024-02-29");
    assert!(printed[201].contains("has no company 'nosuch'"), "{}", printed[201]);
}

#[test]
fn a_request_is_sent_again_while_the_server_says_not_now() {
    let server = Server::start();
    let script = r#"
        import "std/journey" as journey;
        fn iteration() {
            this.tries = 0;
            print(journey::patiently(5, 0.01, || { this.tries += 1; http::get("/app/busy/2") }).body);
            print(this.tries);
            print(journey::patiently(2, 0.01, || http::get("/app/busy/9")).status);
            print(journey::patiently(3, 0.01, || http::get("/status/404")).status);
            print(journey::patiently(2, 0.01, || http::get("/reset")).error_kind);
        }
    "#;
    let ran = once(&server, script).without_errors();
    assert_eq!(ran.printed(), ["now", "3", "503", "404", "reset"]);
    assert_eq!(
        (ran.endpoint("/app/busy/2"), ran.endpoint("/app/busy/9")),
        ((3, 0), (2, 1)),
        "the last one counts"
    );
    assert_eq!((ran.endpoint("/status/404"), ran.endpoint("/reset")), ((1, 1), (2, 1)));
}

#[test]
fn fewer_and_fewer_go_through_a_funnel() {
    let script = r#"
        import "std/journey" as journey;
        fn iteration() {
            this.paid = 0;
            let gone = journey::funnel([
                ["look", 1, || true],
                ["choose", 0.5, || vu::iteration() % 10 != 0],
                ["pay", 1.0, || { this.paid += 1; }],
                ["never", 0.0, || fail("never")],
            ]);
            print(`${gone} ${this.paid}`);
            try { journey::funnel([["x", 2, || ()]]); } catch (error) { if vu::iteration() == 1 { print(error); } }
            try { journey::funnel([|| ()]); } catch (error) { if vu::iteration() == 1 { print(error); } }
        }
    "#;
    let ran = run(load_test(script).iterations(200)).without_errors();
    let counts: Vec<(&str, u64)> =
        ran.snapshot().transactions.iter().map(|t| (&*t.name, t.requests)).collect();
    let [("choose", chose), ("look", 200), ("pay", paid)] = counts[..] else { panic!("{counts:?}") };
    assert!((60..140).contains(&chose) && paid < chose && paid > 30, "{counts:?}");
    let printed = ran.printed();
    let ways = printed.iter().filter(|line| **line == "3 1").count();
    assert_eq!(ways as u64, paid);
    assert!(printed.contains(&"journey::funnel: the share of 'x' is 2; it must be 0 to 1"), "{printed:?}");
    assert!(printed.contains(&"journey::funnel: a step is [name, share, closure]"), "{printed:?}");
}

#[test]
fn people_think_around_the_median_and_read_what_there_is() {
    let script = r#"
        import "std/journey" as journey;
        wait(|| journey::think_time(0.01));
        fn iteration() {
            if vu::iteration() > 1 { return; }
            let times = [];
            for n in 0..999 { times.push(journey::think_time(10)); }
            times.sort();
            print(times[499] > 8.0 && times[499] < 12.5 && times[0] > 0.5 && times[998] > 30.0 && times[998] <= 200.0);
            let seconds = journey::read("one two three four", 60);
            print(seconds >= 0.7 && seconds <= 1.3);
            print(journey::read(http::get("/page/login"), 0.05));
            print(journey::read("", 1));
        }
    "#;
    let ran = run(load_test(script).host(&Server::start().url()).iterations(3)).without_errors();
    assert_eq!(ran.printed(), ["true", "true", "0.05", "0.0"]);
}

#[test]
fn profiles_take_their_time_and_come_down_again() {
    let script = r#"
        import "std/profiles" as profiles;
        fn show(stages) {
            let total = 0.0;
            for stage in stages { total += stage.duration; }
            let text = `${(total * 1000.0).round() / 1000.0} s:`;
            for stage in stages { text += ` ${stage.name} ${stage.target},`; }
            print(text);
        }
        fn iteration() {
            show(profiles::load(10, 300));
            show(profiles::stress(50, 600, 2));
            show(profiles::spike(5, 100, 120));
            show(profiles::endurance(20, 3600));
            show(profiles::chain(#{ a: profiles::load(1, 10), b: profiles::spike(1, 2, 10) }, ["b", "a"]));
            try { profiles::stress(5, 60, 0); } catch (error) { print(error); }
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    let expected = [
        "300.0 s: ramp-up 10, steady 10, ramp-down 0,",
        "600.0 s: climb to 25 25, hold 25 25, climb to 50 50, hold 50 50, ramp-down 0,",
        "120.0 s: start 5, before 5, rush 100, peak 100, fall 5, after 5, ramp-down 0,",
        "3600.0 s: ramp-up 20, quarter 1 20, quarter 2 20, quarter 3 20, quarter 4 20, ramp-down 0,",
        "20.0 s: b start 1, b before 1, b rush 2, b peak 2, b fall 1, b after 1, b ramp-down 0, a ramp-up 1, a steady 1, \
         a ramp-down 0,",
        "profiles::stress: steps is 0; it must be 1 or more",
    ];
    assert_eq!(ran.printed(), expected);
}
