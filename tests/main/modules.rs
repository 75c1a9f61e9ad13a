//! `env`, `param`, `random`, `time`, `vu`, `run`.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rhaid::plan::Options;

use crate::support::{Server, load_test, once, run};

#[test]
fn env_reads_given_values_then_the_environment() {
    let script = r#"
        const AT_LOAD = env::get("RHAID_TEST_A", "none");
        fn iteration() {
            print(AT_LOAD);
            print(env::get("RHAID_TEST_A"));
            print(env::get("RHAID_TEST_NOSUCH") == ());
            print(env::get("RHAID_TEST_NOSUCH", 5));
            print(env::get("PATH") != ());
            print(env::require("RHAID_TEST_A"));
            env::require("RHAID_TEST_NOSUCH");
        }
    "#;
    let env = [("RHAID_TEST_A".to_owned(), "given".to_owned())].into();
    let ran = run(load_test(script).options(Options { env, ..Options::default() }).iterations(1));
    assert_eq!(ran.printed(), ["given", "given", "true", "5", "true", "given"]);
    assert!(ran.only_error().contains("-e RHAID_TEST_NOSUCH=VALUE"), "{}", ran.only_error());
}

const PARAMS: &str = r#"
    const ENV = param("env", "dev", #{ choices: ["dev", "prod"], help: "where" });
    const COUNT = param("count", 3);
    const SHARE = param("share", 0.5);
    const FAST = param("fast", false);
    const IDS = param("ids", [1, 2], #{ type: "int" });
    const NAME = param("name", (), #{ type: "text" });
    fn iteration() { print(`${ENV} ${COUNT + 1} ${SHARE * 2} ${!FAST} ${IDS} ${NAME}`); }
"#;

#[test]
fn parameters_have_defaults_and_take_the_type_of_them() {
    let printed = |pairs: &[(&str, &str)]| {
        let test =
            pairs.iter().fold(load_test(PARAMS).param("name", "n"), |t, (name, value)| t.param(name, value));
        run(test.iterations(1)).without_errors().printed()[0].to_owned()
    };
    assert_eq!(printed(&[]), "dev 4 1.0 true [1, 2] n");
    let given = [("env", "prod"), ("count", "9"), ("share", "2.5"), ("fast", "true"), ("ids", "7, 8,9")];
    assert_eq!(printed(&given), "prod 10 5.0 false [7, 8, 9] n");
}

#[test]
fn parameters_that_cannot_be_are_refused_at_their_place() {
    let refused = |pairs: &[(&str, &str)]| {
        let test = pairs.iter().fold(load_test(PARAMS), |test, (name, value)| test.param(name, value));
        match test.prepare() {
            Ok(_) => panic!("{pairs:?} is accepted"),
            Err(error) => error.to_string(),
        }
    };
    let error = refused(&[("env", "test"), ("name", "n")]);
    assert!(
        error.contains("test.rhai:2:17: the parameter 'env' is \"test\"; it must be one of dev, prod"),
        "{error}"
    );
    assert!(refused(&[("count", "many")]).contains("it must be a whole number"));
    assert!(refused(&[("fast", "maybe")]).contains("it must be true or false"));
    let error = refused(&[]);
    assert!(error.contains("'name' has no value") && error.contains("--param name=VALUE"), "{error}");
    assert!(error.contains("RHAID_PARAM_NAME"), "{error}");
    for required in ["param(\"n\")", "param(\"n\", ())", "param(\"n\", #{})", "param(\"n\", (), #{})"] {
        let test = load_test(&format!("const N = {required}; fn iteration() {{}}"));
        let Err(error) = test.prepare() else { panic!("{required} is not required") };
        assert!(error.to_string().contains("'n' has no value"), "{required}: {error}");
    }
}

#[test]
fn parameters_can_be_listed_without_values() {
    let params = load_test(PARAMS).params().unwrap();
    let names: Vec<&str> = params.iter().map(|param| param.name.as_str()).collect();
    assert_eq!(names, ["env", "count", "share", "fast", "ids", "name"]);
    assert_eq!((params[0].help.as_str(), params[0].default.as_deref()), ("where", Some("dev")));
    assert_eq!(params[0].choices, ["dev", "prod"]);
    assert_eq!((params[5].default.as_deref(), params[5].value.as_deref()), (None, None));
}

#[test]
fn a_parameter_that_the_script_does_not_declare_is_a_mistake() {
    let test =
        load_test("const A = param(\"color\", 1); fn iteration() {}").param("colour", "red").iterations(1);
    let Err(error) = test.prepare() else { panic!("a misspelt parameter is silently ignored") };
    assert!(error.to_string().contains("colour") && error.to_string().contains("color'"), "{error}");
}

/// What each of two users draws, with this seed.
fn draws(seed: u64) -> Vec<String> {
    let script = r#"
        fn iteration() {
            print(`${vu::id()} ${random::int(1, 1000000)} ${random::float(0, 1)} ${random::pick([1, 2, 3, 4, 5, 6])} ${
                random::string(8)} ${random::uuid()} ${random::normal(0, 1)} ${random::weighted(#{ a: 1, b: 1, c: 2 })}`);
            vu::stop();
        }
    "#;
    let ran = run(load_test(script).users(2).threads(2).seed(seed)).without_errors();
    ran.printed_sorted().into_iter().map(str::to_owned).collect()
}

#[test]
fn one_seed_makes_one_sequence_for_each_user() {
    let first = draws(11);
    assert_eq!(first.len(), 2);
    assert_eq!(first, draws(11));
    assert_ne!(first, draws(12));
    assert_ne!(first[0][2..], first[1][2..], "users draw their own");
}

#[test]
fn what_is_drawn_keeps_to_its_bounds() {
    let script = r#"
        fn iteration() {
            for i in 0..2000 {
                let n = random::int(-2, 3);
                if n < -2 || n > 3 { throw `int ${n}`; }
                let f = random::float(1, 1.5);
                if f < 1.0 || f >= 1.5 { throw `float ${f}`; }
                if random::weighted(#{ never: 0, always: 0.1 }) != "always" { throw "weighted"; }
            }
            let seen = #{};
            for i in 0..200 { seen[random::int(1, 3).to_string()] = true; }
            print(seen.keys());
            print(random::int(5, 5));
            print(random::string(12).len());
            let sum = 0.0;
            for i in 0..5000 { sum += random::normal(100, 5); }
            print(sum / 5000.0 > 99.0 && sum / 5000.0 < 101.0);
            print(random::uuid());
        }
    "#;
    let ran = once(&Server::start(), script).without_errors();
    let printed = ran.printed();
    assert_eq!(printed[..4], [r#"["1", "2", "3"]"#, "5", "12", "true"]);
    let uuid: Vec<&str> = printed[4].split('-').collect();
    assert_eq!(uuid.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert!(uuid[2].starts_with('4') && "89ab".contains(&uuid[3][..1]), "{uuid:?}");
}

#[test]
fn what_cannot_be_drawn_is_a_script_error() {
    for (call, part) in [
        ("random::int(3, 1)", "the smaller number comes first"),
        ("random::float(3, 1)", "the smaller number comes first"),
        ("random::pick([])", "the array is empty"),
        ("random::weighted(#{})", "all weights are 0"),
        ("random::weighted(#{ a: -1 })", "a weight of 0 or more"),
        ("random::string(-1)", "the length must be"),
        ("random::normal(0, -1)", "must be 0 or more"),
    ] {
        let error = once(&Server::start(), &format!("fn iteration() {{ {call}; }}")).only_error();
        assert!(error.contains(part), "{call}: {error}");
    }
}

#[test]
fn time_is_that_of_the_wall() {
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let script = "fn iteration() { print(time::now()); print(time::unix_ms()); print(time::iso()); }";
    let ran = once(&Server::start(), script).without_errors();
    let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let printed = ran.printed();
    let now: f64 = printed[0].parse().unwrap();
    assert!((before..=after).contains(&now), "{before} {now} {after}");
    let ms: f64 = printed[1].parse::<f64>().unwrap() / 1000.0;
    assert!((before - 0.001..=after).contains(&ms), "{before} {ms} {after}");
    let iso = printed[2];
    assert!(iso.len() == 24 && iso.ends_with('Z') && iso.as_bytes()[10] == b'T', "{iso}");
}

#[test]
fn a_user_knows_itself() {
    let script = r#"
        options(#{ tags: #{ a: "1" } });
        scenario("shop", #{ exec: "f", tags: #{ b: "2" } });
        fn f() {
            print(`${vu::id()} ${vu::iteration()} ${vu::scenario()} ${vu::tags()}`);
            let elapsed = vu::elapsed();
            sleep(0.05);
            if vu::elapsed() - elapsed < 0.049 || run::elapsed() < 0.049 { throw "elapsed"; }
            if vu::iteration() == 2 { vu::stop(); }
        }
    "#;
    let ran = run(load_test(script).users(3).threads(2)).without_errors();
    let expected: BTreeSet<String> = (1..=3)
        .flat_map(|id| (1..=2).map(move |n| format!("{id} {n} shop #{{\"a\": \"1\", \"b\": \"2\"}}")))
        .collect();
    let printed: BTreeSet<String> = ran.printed().into_iter().map(str::to_owned).collect();
    assert_eq!(printed, expected);
}

#[test]
fn the_run_is_seen_as_of_its_last_second() {
    let script = r#"
        fn iteration() {
            http::get("/x");
            sleep(0.5);
            let users = run::users();
            sleep(0.8);
            print(`${users} ${run::rate() > 0.0} ${run::phase()} ${vu::stage()}`);
        }
    "#;
    let ran = run(load_test(script).host(&Server::start().url()).users(3).iterations(3)).without_errors();
    // The three are the last iterations, so the run is on its way out.
    assert!(ran.printed().iter().all(|line| line.starts_with("3 true ")), "{:?}", ran.printed());

    let ramping = "fn iteration() { sleep(1.2); print(run::phase()); }";
    let test = load_test(ramping).users(3).spawn_rate(1.0).run_time(Duration::from_millis(1900));
    assert_eq!(run(test).printed()[0], "ramp-up");
}

#[test]
fn a_url_is_taken_apart_joined_and_built() {
    let script = r##"
        fn iteration() {
            let url = url::parse("https://ann:s%3A@shop.example:8443/a%20b?q=red+shoes&tag=1&tag=2&tag=3#top");
            print(`${url.scheme} ${url.username} ${url.password} ${url.host} ${url.port} ${url.path} ${url.fragment}`);
            print(`${url.query.q} ${url.query.tag}`);
            let plain = url::parse("http://shop.example");
            print(`${plain.port} ${plain.path} ${plain.query} ${plain.username == ()} ${plain.fragment == ()}`);
            print(url::join("http://h/a/b?x=1", "../c?y=2"));
            print(url::with_query("/search?p=1", #{ q: "a&b", n: [1, 2] }));
            print(url::query([["z", 1], ["a", "ü"]]));
            print(url::parse(http::get("/echo").url).path);
            for wrong in ["/path", "", "shop.example/x"] {
                try { url::parse(wrong); } catch (error) { print(error); }
            }
            url::with_query("/x", 7);
        }
    "##;
    let ran = once(&Server::start(), script);
    let printed = ran.printed();
    assert_eq!(
        printed[..8],
        [
            "https ann s: shop.example 8443 /a%20b top",
            r#"red shoes ["1", "2", "3"]"#,
            "80 / #{} true true",
            "http://h/c?y=2",
            "/search?p=1&n=1&n=2&q=a%26b",
            "z=1&a=%C3%BC",
            "/echo",
            "url::parse: '/path' is not an absolute URL, such as https://shop.example/path",
        ]
    );
    assert!(printed[9].starts_with("url::parse: 'shop.example/x' is not"), "{}", printed[9]);
    assert!(ran.only_error().contains("url::with_query: the fields must be a map"), "{}", ran.only_error());
}

#[test]
fn arrays_are_joined_and_summed() {
    let script = r#"
        fn iteration() {
            print([1, "a", 2.5, ()].join("-"));
            print(["a", "b"].join() + [].join(","));
            print(`${[1, 2, 3].sum()} ${[1, 2.5].sum()} ${[].sum()} ${type_of([1].sum())}`);
            print(`${[1, 2].avg()} ${[3, 1.5, 2].min()} ${[3, 1.5, 2].max()} ${[].avg() == ()} ${[].min() == ()}`);
            print(`${type_of([3, 1.5].max())} ${[#{ p: 2 }, #{ p: 4 }].map(|x| x.p).sum()}`);
            try { [9223372036854775807, 1].sum(); } catch (error) { print(error); }
            [1, "2"].sum();
        }
    "#;
    let ran = once(&Server::start(), script);
    assert_eq!(
        ran.printed(),
        [
            "1-a-2.5-",
            "ab",
            "6 3.5 0 i64",
            "1.5 1.5 3 true true",
            "i64 6",
            "sum: the sum of the integers is too large"
        ]
    );
    let error = ran.only_error();
    assert!(error.contains("sum: element [1] must be a number, not the string \"2\""), "{error}");
}

#[test]
fn a_sample_has_each_element_once_and_is_seeded() {
    let script = r#"
        fn iteration() {
            let all = []; for n in 0..20 { all.push(n); }
            let some = random::sample(all, 7);
            let sorted = some.order(); sorted.dedup();
            print(some.len == 7 && sorted.len == 7 && some.all(|n| n in all));
            print(random::sample(all, 20).order() == all);
            print(random::sample([], 0));
            print(some);
            random::sample([1, 2], 3);
        }
    "#;
    let sampled = || {
        let options = Options { seed: Some(7), ..Options::default() };
        run(load_test(script).options(options).iterations(1))
    };
    let (first, second) = (sampled(), sampled());
    assert_eq!(first.printed()[..3], ["true", "true", "[]"]);
    assert_eq!(first.printed()[3], second.printed()[3], "the same seed");
    let error = first.only_error();
    assert!(
        error.contains("random::sample: 3 elements of an array of 2; the count must be 0 to 2"),
        "{error}"
    );
}
