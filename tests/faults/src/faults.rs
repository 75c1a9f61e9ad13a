//! The faults, each with what has to come of it.
//!
//! To add one, add a line to `all`: its kind, a name, the server, the script, and what is not as usual.

use std::time::Duration;

use crate::outputs::Place;
use crate::run::{Scene, Told};
use crate::server::{Raw, Speaks, State};
use crate::tls::Certificate;

/// What a fault is, and what has to come of it.
pub(crate) struct Fault {
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    pub(crate) speaks: Speaks,
    pub(crate) script: String,
    /// Instead of the server's own URL; `PORT` stands for its port.
    pub(crate) host: Option<&'static str>,
    pub(crate) arguments: Vec<&'static str>,
    /// Shell commands before the program starts; `FOLDER` stands for the folder that it runs in.
    pub(crate) before: &'static str,
    /// What is done while it runs.
    pub(crate) act: Option<fn(&Scene)>,
    /// How many requests the script makes, if that is fixed.
    pub(crate) asked: Option<u64>,
    /// How many of them the server cannot see.
    pub(crate) unseen: Unseen,
    /// The server's answers may not arrive.
    pub(crate) loses_answers: bool,
    /// Whether a request may come twice.
    pub(crate) repeats: bool,
    pub(crate) codes: &'static [i32],
    pub(crate) without: &'static [Place],
    pub(crate) also: Option<Check>,
    /// The longest that it may take.
    pub(crate) limit: Duration,
    /// It needs namespaces of its own.
    pub(crate) namespaced: bool,
}

/// A check of what came of it, beside the usual ones.
type Check = fn(&Told) -> Result<(), String>;

/// Requests that are counted and never reached the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unseen {
    Exactly(u64),
    /// The server was away for a time.
    Some,
}

/// `ask` makes a request that the server can tell from all others.
const PRELUDE: &str = r#"
fn id(n) { `${vu::id()}.${vu::iteration()}.${n}` }
fn ask(path, n) { let id = id(n); http::get(`${path}?id=${id}`, #{ name: path, tags: #{ id: id } }) }
fn put(path, n, size) {
    let id = id(n);
    http::post(`${path}?id=${id}`, #{ name: path, tags: #{ id: id }, body: blob(size, 120) })
}
"#;

const USUAL: [&str; 8] = ["-u", "4", "-r", "1000", "-i", "24", "--timeout", "800ms"];

fn fault(kind: &'static str, name: &'static str, speaks: Speaks, body: &str) -> Fault {
    Fault {
        kind,
        name,
        speaks,
        script: format!("{PRELUDE}\nfn iteration() {{ {body} }}\n"),
        host: None,
        arguments: USUAL.to_vec(),
        before: "",
        act: None,
        asked: None,
        unseen: Unseen::Exactly(0),
        loses_answers: false,
        repeats: false,
        codes: &[0],
        without: &[],
        also: None,
        limit: Duration::from_secs(30),
        namespaced: false,
    }
}

/// Between two good requests, so that what is left of the fault shows.
fn path(kind: &'static str, path: &'static str) -> Fault {
    let body = format!("ask(\"/fine\", 1); ask(\"{path}\", 2); ask(\"/fine\", 3);");
    Fault { asked: Some(72), ..fault(kind, path, Speaks::Http1, &body) }
}

fn over(speaks: Speaks, kind: &'static str, path: &'static str) -> Fault {
    Fault { speaks, ..self::path(kind, path) }
}

/// Nothing succeeds.
fn all_fail(kind: &'static str, name: &'static str, speaks: Speaks) -> Fault {
    Fault {
        asked: Some(24),
        unseen: Unseen::Exactly(24),
        codes: &[1],
        ..fault(kind, name, speaks, "ask(\"/fine\", 1);")
    }
}

/// For a time, while something happens.
fn during(kind: &'static str, name: &'static str, act: fn(&Scene)) -> Fault {
    Fault {
        arguments: vec!["-u", "4", "-r", "1000", "-t", "3s", "--timeout", "10s"],
        act: Some(act),
        ..fault(kind, name, Speaks::Http1, "ask(\"/fine\", 1); sleep(0.02); ask(\"/500\", 2); sleep(0.02);")
    }
}

const OK_AFTERWARDS: &str = "ask(\"/fine\", 1); ask(\"/fine\", 2);";

pub(crate) fn all() -> Vec<Fault> {
    let tls = |certificate| Speaks::Https(certificate);
    let mut all = vec![
        // Answers that are failures.
        path("status", "/500"),
        path("status", "/429"),
        path("status", "/503-close"),
        // Connections that end in the wrong place.
        path("reset", "/reset"),
        path("reset", "/late-reset"),
        path("reset", "/reset-in-head"),
        path("reset", "/cut-reset"),
        path("reset", "/until-reset"),
        path("close", "/close"),
        path("close", "/late-close"),
        path("close", "/close-in-head"),
        path("close", "/cut"),
        path("close", "/cut-chunk"),
        path("close", "/until-close"),
        // What is sent while the connection ends is not read, and nobody can know that it was not.
        Fault { unseen: Unseen::Some, ..path("close", "/fine-close") },
        Fault { unseen: Unseen::Some, ..path("close", "/fine-reset") },
        path("close", "/fine-said"),
        path("close", "/every-third-dies"),
        path("close", "/first-connection-dies"),
        path("half-open", "/half-close"),
        path("half-open", "/never"),
        path("half-open", "/too-long"),
        // Slow.
        path("slow", "/slow"),
        path("slow", "/slow-head"),
        path("slow", "/slow-body"),
        // What is not HTTP, or too much of it.
        path("garbage", "/garbage"),
        path("garbage", "/nothing-said"),
        path("garbage", "/bad-chunk"),
        path("garbage", "/two-lengths"),
        path("garbage", "/bad-length"),
        path("garbage", "/endless-head"),
        path("garbage", "/bad-gzip"),
        path("garbage", "/two-answers"),
        Fault {
            asked: Some(72),
            // It comes while nobody waits for anything; nobody may take it for an answer.
            ..fault(
                "garbage",
                "an answer that nobody asked for",
                Speaks::Http1,
                "ask(\"/fine\", 1); ask(\"/unasked-later\", 2); sleep(0.1); ask(\"/fine\", 3);",
            )
        },
        path("garbage", "/continues"),
        path("garbage", "/early-hints"),
        // Each hop is a request to the server and a part of one request of the script.
        Fault { repeats: true, ..path("redirect", "/loop") },
        path("redirect", "/to-nowhere"),
        Fault {
            asked: Some(72),
            ..fault(
                "upload",
                "answered before it is read",
                Speaks::Http1,
                "ask(\"/fine\", 1); put(\"/too-large\", 2, 3000000); ask(\"/fine\", 3);",
            )
        },
        Fault {
            asked: Some(72),
            ..fault(
                "upload",
                "reset in the middle",
                Speaks::Http1,
                "ask(\"/fine\", 1); put(\"/upload-reset\", 2, 3000000); ask(\"/fine\", 3);",
            )
        },
        // Whole servers.
        Fault {
            unseen: Unseen::Some,
            ..during("server", "killed", |scene| {
                scene.wait_for(40);
                scene.server.set(State::Dead);
            })
        },
        Fault {
            unseen: Unseen::Some,
            ..during("server", "killed, and back", |scene| {
                scene.wait_for(40);
                scene.server.set(State::Dead);
                scene.sleep(500);
                scene.server.set(State::Up);
            })
        },
        Fault {
            unseen: Unseen::Some,
            ..during("server", "killed five times", |scene| {
                for _ in 0..5 {
                    scene.sleep(300);
                    scene.server.set(State::Dead);
                    scene.sleep(50);
                    scene.server.set(State::Up);
                }
            })
        },
        Fault {
            also: Some(|told| told.longest(300.0)),
            ..during("server", "frozen for 0.4 s", |scene| {
                scene.wait_for(40);
                scene.server.set(State::Frozen);
                scene.sleep(400);
                scene.server.set(State::Up);
            })
        },
        all_fail("server", "closes at once", Speaks::Raw(Raw::Close)),
        all_fail("server", "resets at once", Speaks::Raw(Raw::Reset)),
        all_fail("server", "says nothing", Speaks::Raw(Raw::Silent)),
        all_fail("server", "answers garbage", Speaks::Raw(Raw::Garbage)),
        Fault {
            arguments: vec!["-u", "4", "-r", "1000", "-i", "24", "--connect-timeout", "300ms"],
            ..all_fail("server", "accepts nobody", Speaks::Raw(Raw::FullQueue))
        },
        Fault { host: Some("http://127.0.0.1:1"), ..all_fail("server", "is not there", Speaks::Http1) },
        // TLS.
        all_fail("tls", "unknown authority", tls(Certificate::Unknown)),
        all_fail("tls", "expired certificate", tls(Certificate::Expired)),
        all_fail("tls", "wrong name", tls(Certificate::WrongName)),
        Fault {
            host: Some("https://127.0.0.1:PORT"),
            ..all_fail("tls", "server without TLS", Speaks::Http1)
        },
        Fault {
            host: Some("https://127.0.0.1:PORT"),
            ..all_fail("tls", "handshake cut", Speaks::Raw(Raw::CloseAfterFirst))
        },
        Fault {
            host: Some("https://127.0.0.1:PORT"),
            arguments: vec!["-u", "4", "-r", "1000", "-i", "24", "--connect-timeout", "300ms"],
            ..all_fail("tls", "handshake without an end", Speaks::Raw(Raw::Silent))
        },
        over(tls(Certificate::Good), "tls", "/bad-record"),
        over(tls(Certificate::Good), "tls", "/cut-dead"),
        over(tls(Certificate::Good), "tls", "/reset"),
        Fault { unseen: Unseen::Some, ..over(tls(Certificate::Good), "tls", "/fine-close") },
        // HTTP/2.
        over(Speaks::Http2, "h2", "/500"),
        over(Speaks::Http2, "h2", "/reset-internal"),
        over(Speaks::Http2, "h2", "/reset-cancel"),
        over(Speaks::Http2, "h2", "/reset-calm"),
        over(Speaks::Http2, "h2", "/reset-http11"),
        over(Speaks::Http2, "h2", "/refused-once"),
        over(Speaks::Http2, "h2", "/refused-always"),
        over(Speaks::Http2, "h2", "/never"),
        over(Speaks::Http2, "h2", "/cut"),
        over(Speaks::Http2, "h2", "/kill"),
        over(Speaks::Http2, "h2", "/calm-down"),
        over(Speaks::Http2, "h2", "/not-a-frame"),
        over(Speaks::Http2, "h2", "/go-away"),
        Fault {
            script: format!(
                "{PRELUDE}\nfn one(path, n) {{ let id = id(n); \
                 #{{ method: \"POST\", url: `${{path}}?id=${{id}}`, body: \"x\", name: path, tags: #{{ id: id }} }} }}\n\
                 fn iteration() {{ http::batch([one(\"/fine\", 1), one(\"/go-away\", 2), one(\"/fine\", 3), one(\"/fine\", 4), \
                 one(\"/fine\", 5), one(\"/fine\", 6)]); }}"
            ),
            asked: Some(144),
            ..fault("h2", "GOAWAY under a batch of POST", Speaks::Http2, "")
        },
        // Signals.
        Fault { codes: &[105], ..during("signal", "SIGINT", |scene| scene.after(60, "INT")) },
        Fault { codes: &[105], ..during("signal", "SIGTERM", |scene| scene.after(60, "TERM")) },
        Fault { codes: &[105], ..during("signal", "SIGHUP", |scene| scene.after(60, "HUP")) },
        Fault {
            codes: &[105],
            // What was interrupted may have reached the server or not.
            unseen: Unseen::Some,
            script: format!(
                "{PRELUDE}\nfn iteration() {{ ask(\"/fine\", 1); ask(\"/500\", 2); if vu::id() == 1 {{ ask(\"/never\", 3); }} }}"
            ),
            arguments: vec!["-u", "4", "-r", "1000", "--timeout", "1m"],
            ..during("signal", "SIGINT twice, requests hang", |scene| {
                scene.after(60, "INT");
                scene.sleep(300);
                scene.signal("INT");
            })
        },
        during("signal", "stopped for 1 s, and continued", |scene| {
            scene.after(40, "STOP");
            scene.sleep(1000);
            scene.signal("CONT");
        }),
        Fault {
            codes: &[-9],
            without: &[Place::Terminal, Place::Junit, Place::Markdown, Place::Html, Place::RunFolder],
            arguments: vec!["-u", "4", "-r", "1000", "-t", "20s", "--timeout", "800ms"],
            // The last second of the samples is not written.
            unseen: Unseen::Some,
            also: Some(|told| told.readable_when_killed()),
            ..during("signal", "SIGKILL after 7 s", |scene| {
                scene.sleep(7000);
                scene.signal("KILL");
            })
        },
        // Machine.
        Fault {
            without: &[Place::Samples],
            codes: &[0, 104],
            arguments: [USUAL.as_slice(), &["--out", "json=/dev/full"]].concat(),
            asked: Some(48),
            ..fault("disk", "samples on a full disk", Speaks::Http1, OK_AFTERWARDS)
        },
        Fault {
            without: &[Place::Samples, Place::RunFolder],
            codes: &[0, 104],
            before: "mkdir FOLDER/results && mount -t tmpfs -o size=32k tmpfs FOLDER/results",
            namespaced: true,
            ..during("disk", "results on a full disk", |_| {})
        },
        Fault {
            before: "mkdir FOLDER/results && mount -t tmpfs -o size=4m tmpfs FOLDER/results",
            namespaced: true,
            ..during("disk", "full for a second, then free", |scene| {
                scene.sleep(500);
                let filler = scene.results.join("filler");
                // It ends with the error of a full disk.
                let _ = std::fs::write(&filler, vec![0; 8 << 20]);
                scene.sleep(1200);
                let _ = std::fs::remove_file(filler);
            })
        },
        Fault {
            // The report is made from them.
            without: &[Place::RunFolder, Place::Html],
            codes: &[104],
            ..during("disk", "results removed under the run", |scene| {
                scene.wait_for(40);
                let _ = std::fs::remove_dir_all(scene.results);
            })
        },
        Fault {
            unseen: Unseen::Some,
            before: "ulimit -n 64",
            arguments: vec!["-u", "60", "-r", "1000", "-i", "120", "--timeout", "5s"],
            asked: Some(240),
            ..fault(
                "descriptors",
                "64 of them for 60 users",
                Speaks::Http1,
                "ask(\"/slow\", 1); ask(\"/fine\", 2);",
            )
        },
        Fault {
            before: "CLOCK",
            also: Some(|told| told.took(2.5, 5.0)),
            ..during("clock", "an hour back, an hour ahead", |_| {})
        },
        Fault {
            ..during("cpu", "a tenth of a core, in slices of 100 ms", |scene| {
                while scene.is_running() && scene.seconds() < 2.5 {
                    scene.signal("STOP");
                    scene.sleep(90);
                    scene.signal("CONT");
                    scene.sleep(10);
                }
            })
        },
        Fault { before: "QUOTA", ..during("cpu", "a quota of a fifth of a core", |_| {}) },
        // Scripts.
        Fault {
            asked: Some(48),
            codes: &[1],
            ..fault(
                "script",
                "an error in each iteration's middle",
                Speaks::Http1,
                "ask(\"/fine\", 1); ask(\"/fine\", 2); throw \"odd\";",
            )
        },
        Fault { before: "ulimit -v 4000000", ..during("memory", "4 GB of addresses", |_| {}) },
        Fault {
            before: "exec >/dev/full",
            without: &[Place::Terminal],
            codes: &[0, 104],
            ..during("disk", "standard output on a full disk", |_| {})
        },
    ];
    all.extend(names_and_ways());
    all.extend(hostile());
    all
}

/// Bodies and scripts that crash or stop a program which trusts them: an error ends an iteration, and nothing else.
fn hostile() -> Vec<Fault> {
    let body = |name, body: &str| {
        let body = format!("ask(\"/fine\", 1); {body} ask(\"/fine\", 3);");
        Fault {
            codes: &[0, 1],
            also: Some(|told| told.requests(48)),
            ..fault("hostile", name, Speaks::Http1, &body)
        }
    };
    let script = |name, body: &str| {
        let body = format!("ask(\"/fine\", 1); {body}");
        Fault { codes: &[0, 1], asked: Some(24), ..fault("hostile", name, Speaks::Http1, &body) }
    };
    let with = |fault: Fault, more: &str| Fault { script: format!("{}\n{more}\n", fault.script), ..fault };
    vec![
        path("flood", "/endless-continues"),
        path("flood", "/endless-fields"),
        path("flood", "/endless-body"),
        body("a page of 20,000 levels, :has", "ask(\"/deep-html\", 2).css(\"div:has(span)\");"),
        body("a page of 20,000 levels, its text", "ask(\"/deep-html\", 2).css(\"div\")[0].text();"),
        body("a page of nested lists", "ask(\"/deep-lists\", 2).css(\"li\");"),
        body("JSON of 100,000 levels", "ask(\"/deep-json\", 2).json();"),
        with(script("recursion without an end", "down(1);"), "fn down(n) { down(n + 1) + 1 }"),
        // Each level copies all below it, so many levels take quadratic time; `tests/main/depth.rs` has deeper ones.
        script("a value of 1,000 levels", "let x = 1; for i in 0..1000 { x = [x]; } print(x == x);"),
        script(
            "a map of 1,000 levels as JSON",
            "let x = #{}; for i in 0..1000 { x = #{ x: x }; } x.to_json();",
        ),
        script("padding with nothing", "\"a\".pad(5, \"\");"),
        script("an array of a billion", "let a = []; a.pad(1000000000, 1);"),
        Fault {
            arguments: vec!["-u", "4", "-r", "1000", "-t", "2s", "--stop-timeout", "1s"],
            asked: None,
            ..script("computing without an end", "if vu::id() == 1 { loop { } } sleep(0.02);")
        },
        Fault {
            without: &[
                Place::Terminal,
                Place::RunFolder,
                Place::Junit,
                Place::Markdown,
                Place::Html,
                Place::Samples,
            ],
            codes: &[105, 107],
            limit: Duration::from_secs(15),
            act: Some(|scene| {
                scene.sleep(1500);
                scene.signal("TERM");
                scene.sleep(500);
                scene.signal("TERM");
            }),
            asked: None,
            ..with(script("setup without an end, SIGTERM twice", ""), "fn setup() { loop { } }")
        },
    ]
}

/// Faults of names and of the network, which need a network of their own.
fn names_and_ways() -> Vec<Fault> {
    let named = |name, host, fails: bool| {
        let fault = Fault {
            arguments: vec!["-u", "2", "-r", "1000", "-i", "4", "--connect-timeout", "500ms"],
            host: Some(host),
            namespaced: true,
            ..all_fail("dns", name, Speaks::Http1)
        };
        if fails {
            Fault { asked: Some(4), unseen: Unseen::Exactly(4), limit: Duration::from_secs(8), ..fault }
        } else {
            Fault { asked: Some(4), unseen: Unseen::Exactly(0), codes: &[0], ..fault }
        }
    };
    vec![
        named("no such name", "http://nosuch.test:PORT", true),
        named("the name server fails", "http://failing.test:PORT", true),
        named("the name server is silent", "http://silent.test:PORT", true),
        named("a name without an address", "http://empty.test:PORT", true),
        named("an address where nobody listens", "http://dead.test:PORT", true),
        named("the first address is dead", "http://two.test:PORT", false),
        Fault {
            arguments: vec!["-u", "2", "-r", "1000", "-i", "4", "--connect-timeout", "300ms"],
            asked: Some(4),
            unseen: Unseen::Exactly(4),
            host: Some("http://10.99.0.2:80"),
            namespaced: true,
            ..all_fail("network", "packets vanish", Speaks::Http1)
        },
        Fault {
            host: Some("http://10.99.0.1:PORT"),
            unseen: Unseen::Some,
            loses_answers: true,
            arguments: vec!["-u", "4", "-r", "1000", "-t", "3s", "--timeout", "500ms"],
            namespaced: true,
            ..during("network", "the server's machine vanishes, and is back", |scene| {
                scene.wait_for(40);
                crate::run::shell("ip addr del 10.99.0.1/24 dev away");
                scene.sleep(1200);
                crate::run::shell("ip addr add 10.99.0.1/24 dev away");
            })
        },
    ]
}
