//! Foreign input of every kind, each behind one function that takes any bytes: what `tests/fuzz` mutates.
//!
//! Built for tests and with `--cfg rhaid_fuzzing` only, so it is no part of the library. Owns what has to hold whatever
//! the bytes are: no panic, an end within [`LIMIT`], and the invariants of each function. Leaves choosing inputs to
//! libFuzzer; inputs that once failed stay in `tests/fuzz/found` and run with the unit tests.

#![allow(clippy::unwrap_used, reason = "a target that meets what it does not expect has found something")]
#![allow(missing_docs, reason = "no part of the library")]

use std::cell::OnceCell;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant, SystemTime};

use http::Method;

use crate::cluster::wire::{IntervalDecoder, IntervalEncoder};
use crate::credentials::{self, Declared};
use crate::data::{CsvOptions, Folders, Form, Loaded, Registry, Row};
use crate::http::{
    Client, Destination, DigestCredentials, HttpOptions, Network, ProxyChoice, Request, Transport,
    VersionChoice,
};
use crate::metrics::{Aggregator, Known, Phase, ThresholdText, Tick, resolve};
use crate::plan::parse_stages;
use crate::report::{Look, Model, html_report, junit, markdown, summary};
use crate::results::{StoredRun, run_json};
use crate::scrape::{Document, Patterns, Selectors};
use crate::share::Share;
use crate::{LoadTest, cli, convert, results, script, text, ws};

/// The CPU time that one input may take.
const LIMIT: Duration = Duration::from_secs(if cfg!(rhaid_fuzzing) { 2 } else { 20 });

/// A kind of input and what is done with it.
type Target = (&'static str, fn(&[u8]));

/// All targets by their names.
pub const TARGETS: &[Target] = &[
    ("script", script_text),
    ("threshold", threshold),
    ("times", times),
    ("curl", |data| converted(data, convert::convert_curl)),
    ("har", |data| converted(data, |text| convert::convert_har(text, &har_options()))),
    ("openapi", |data| converted(data, |text| convert::convert_openapi(text, None))),
    ("postman", |data| converted(data, |text| convert::convert_postman(text, None))),
    ("jmeter", |data| converted(data, convert::convert_jmeter)),
    ("csv", csv),
    ("json", json),
    ("settings", settings),
    ("run_folder", run_folder),
    ("http1", |data| responses(data, VersionChoice::Http1)),
    ("http2", |data| responses(data, VersionChoice::Http2)),
    ("websocket", websocket),
    ("html", html),
    ("regex", regex),
    ("url", url),
    ("credentials", secrets),
    ("literal", literal),
    ("terminal", terminal),
    ("interval", interval),
];

/// Runs an input; panics if anything does not hold.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target of this name");
    let before = crate::system::thread_cpu();
    target(data);
    if let (Some(before), Some(after)) = (before, crate::system::thread_cpu()) {
        assert!(after - before < LIMIT, "{name}: {:?} for {} bytes", after - before, data.len());
    }
}

/// Most targets read text; what is no UTF-8 is refused before them.
fn utf8(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// The text up to the first line break, and what follows.
fn two_parts(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// What may be shown: no control characters but line breaks.
#[track_caller]
fn assert_shown(text: &str) {
    let bad = text.chars().find(|c| c.is_control() && *c != '\n');
    assert!(bad.is_none(), "{bad:?} in {text:?}");
}

fn script_text(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    // Endless scripts are right as such; here they end.
    let limited = |engine: &mut rhai::Engine| {
        engine.on_progress(|operations| (operations > 20_000).then(|| "enough".into()));
    };
    let report = LoadTest::from_text("fuzz.rhai", text).with_engine(limited).find_problems();
    for problem in &report.problems {
        assert!(!problem.message.is_empty());
        assert_shown(&problem.to_string());
    }
}

fn threshold(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    let known = Known { scenarios: vec!["default".into()], ..Known::default() };
    let resolved = |text: &str| resolve(&[ThresholdText::new(text, "fuzz")], &known);
    match resolved(text) {
        Ok((thresholds, _)) => {
            for threshold in thresholds {
                let again = format!("{}: {}", threshold.selector(), threshold.expression);
                let _ = (threshold.scope(), threshold.holds(1.0), threshold.margin(1.0));
                let (again, _) =
                    resolved(&again).unwrap_or_else(|problems| panic!("{again:?}: {problems:?}"));
                assert_eq!(again[0], threshold);
            }
        }
        Err(problems) => assert!(problems.iter().all(|problem| problem.contains("fuzz"))),
    }
}

fn times(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    if let Ok(duration) = text::parse_duration(text) {
        assert_eq!(text::parse_duration(&text::format_duration(duration)), Ok(duration), "{text:?}");
        text::format_clock(duration);
        text::format::run_length(duration);
    }
    if let Ok(stages) = parse_stages(text) {
        let again: Vec<String> = stages
            .stages
            .iter()
            .map(|stage| {
                let name = stage.name.as_ref().map_or(String::new(), |name| format!("{name}="));
                let unit = if stages.are_rates { "/s" } else { "" };
                format!("{name}{}:{}{unit}", text::format_duration(stage.duration), stage.target)
            })
            .collect();
        // A target that is no number is refused later, by the plan.
        if stages.stages.iter().all(|stage| stage.target.is_finite()) {
            assert_eq!(parse_stages(&again.join(",")), Ok(stages), "{text:?}");
        }
    }
    let _ = crate::plan::parse_rate(text)
        .map(|rate| assert!(rate >= 0.0 && rate.is_finite(), "{text:?}: {rate}"));
    if let Some(bytes) = data.first_chunk::<8>() {
        let number = f64::from_le_bytes(*bytes);
        let _ = (text::format::rate(number), text::format::percent(number), text::format::number(number));
        let number = u64::from_le_bytes(*bytes);
        let _ = (text::format::bytes(number), text::format_count(number), text::format::latency(number));
    }
}

fn har_options() -> convert::HarOptions {
    convert::HarOptions {
        keep_assets: false,
        hosts: Vec::new(),
        all_hosts: true,
        max_think: 10,
        folder: None,
    }
}

/// A conversion gives an error in words or a script that compiles.
fn converted(data: &[u8], convert: impl Fn(&str) -> Result<convert::Converted, convert::Problem>) {
    let Some(text) = utf8(data) else { return };
    match convert(text) {
        Ok(converted) => {
            let mut engine = rhai::Engine::new_raw();
            engine.set_max_expr_depths(0, 0);
            if let Err(error) = engine.compile(&converted.script) {
                panic!("{error} in\n{}", converted.script);
            }
            let again = convert(text).map(|again| again.script);
            assert!(
                again.is_ok_and(|again| again == converted.script),
                "the same input gives the same script"
            );
        }
        Err(problem) => assert!(problem.told_of("fuzz").starts_with("fuzz")),
    }
}

/// Reads a data file with these bytes.
fn loaded(data: &[u8], form: Form) -> Result<Loaded, String> {
    thread_local! {
        static FOLDER: OnceCell<std::path::PathBuf> = const { OnceCell::new() };
    }
    let folder = FOLDER.with(|folder| folder.get_or_init(own_folder).clone());
    fs::write(folder.join("data"), data).unwrap();
    Registry::new(Folders::new(&folder.join("script.rhai"), &[]), Share::default()).load("data", form)
}

/// A folder that no other process or thread has.
fn own_folder() -> std::path::PathBuf {
    let name = format!("rhaid-fuzz-{}-{:?}", std::process::id(), std::thread::current().id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn csv(data: &[u8]) {
    let Some((options, rest)) = data.split_first() else { return };
    let options = CsvOptions {
        delimiter: if options & 1 == 0 { b',' } else { b';' },
        header: options & 2 == 0,
        columns: (options & 4 != 0).then(|| vec!["a".into(), "b".into()]),
        ragged: options & 8 != 0,
    };
    let named = options.columns.is_some() || options.header;
    if let Ok(Loaded::Table(table)) = loaded(rest, Form::Csv(options)) {
        for index in 0..table.len() {
            match table.get(index) {
                Some(Row::Named(names, cells)) if named => assert_eq!(names.len(), cells.len()),
                Some(Row::Cells(cells)) if !named => assert!(!cells.is_empty()),
                _ => panic!("row {index} of {} is missing", table.len()),
            }
        }
        assert!(table.get(table.len()).is_none());
    }
    let _ = loaded(rest, Form::Lines);
}

fn json(data: &[u8]) {
    match loaded(data, Form::Json) {
        Ok(Loaded::Table(table)) => {
            let rows = (0..table.len()).map(|index| match table.get(index) {
                Some(Row::Json(text)) => {
                    serde_json::from_str::<&serde_json::value::RawValue>(text).unwrap().get()
                }
                _ => panic!("row {index} is no JSON"),
            });
            let whole: Vec<&serde_json::value::RawValue> =
                serde_json::from_slice(data.strip_prefix("\u{feff}".as_bytes()).unwrap_or(data)).unwrap();
            assert!(rows.eq(whole.iter().map(|value| value.get())));
        }
        Ok(Loaded::Json(text)) => drop(serde_json::from_str::<serde::de::IgnoredAny>(&text).unwrap()),
        _ => {}
    }
    let Some(text) = utf8(data) else { return };
    let (path, text) = two_parts(text);
    if let Ok(value) = serde_json::from_str(text) {
        let _ = script::find_in_json(&value, path);
    }
}

fn settings(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    // A file that names other files is read, no more.
    if let Err(problem) = cli::read_settings(text) {
        assert!(!problem.is_empty());
    }
}

/// The files of a run: `=== NAME` and its lines.
fn run_folder(data: &[u8]) {
    const NAMES: [&str; 6] =
        ["run.json", "state.json", "latency.hlog", "timeline.csv", "resources.csv", "stats_history.csv"];
    let folder = own_folder().join("run");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let mut rest = data;
    while let Some((name, content)) = section(rest) {
        let end =
            content.windows(5).position(|window| window == b"\n=== ").map_or(content.len(), |at| at + 1);
        if let Some(name) = NAMES.iter().find(|known| known.as_bytes() == name) {
            fs::write(folder.join(name), &content[..end]).unwrap();
        }
        rest = &content[end..];
    }
    let Ok(run) = StoredRun::read(&folder) else { return };
    let model = Model::new(&run.record, &run.recording.intervals, &run.problems);
    let page = html_report(&model);
    assert!(!page.contains('\u{1b}'));
    for text in [
        junit(&run.record),
        markdown(&run.record),
        summary(&run.record, Look { width: 100, unicode: true, color: false }),
    ] {
        assert_shown(&text);
    }
    let json = run_json(&run.record).to_string();
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
    if let Ok(comparison) = results::compare(&folder, &folder, 0.05) {
        assert!(!comparison.has_regression(), "a run is no worse than itself");
    }
    let _ = results::Trend::up_to(&folder, 5);
}

/// `=== NAME`, and what comes after its line.
fn section(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = data.strip_prefix(b"=== ")?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    Some((&rest[..end], &rest[end + 1..]))
}

/// Runs something as a worker thread does.
fn on_worker<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

/// A server that answers everything on each of its connections with these bytes and closes it. It ends when nobody
/// connects any more.
fn server(answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(read) => request.extend_from_slice(&buffer[..read]),
                }
            }
            if request.is_empty() {
                // The test itself, which has finished.
                return;
            }
            let _ = stream.write_all(&answer(&request));
            let _ = stream.shutdown(std::net::Shutdown::Write);
            while stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
        }
    });
    addr
}

/// The bytes of a server as two requests of one user meet them; the first byte says whether redirects are followed.
fn responses(data: &[u8], version: VersionChoice) {
    let Some((&how, rest)) = data.split_first() else { return };
    let answer = rest.to_vec();
    let addr = server(move |_| match version {
        // An empty SETTINGS comes first, or nothing is read.
        VersionChoice::Http2 => [&[0, 0, 0, 4, 0, 0, 0, 0, 0][..], &answer].concat(),
        _ => answer.clone(),
    });
    let follows = how & 1 == 1 && version != VersionChoice::Http2;
    let options = HttpOptions {
        // Whatever a redirect names, it leads here.
        proxy: if follows { ProxyChoice::Url(format!("http://{addr}")) } else { ProxyChoice::None },
        max_redirects: if follows { 3 } else { 0 },
        timeout: Duration::from_millis(500),
        connect_timeout: Duration::from_millis(500),
        version,
        ..HttpOptions::default()
    };
    let begun = Instant::now();
    on_worker(async {
        let client = Client::new(Network::new(Transport::new(options).unwrap()));
        let target = Destination::parse(&format!("http://{addr}/a/b?c=d")).unwrap();
        for method in [Method::GET, Method::POST, Method::HEAD] {
            let mut request = Request::new(method, target.clone());
            if how & 2 == 2 {
                request.digest = Some(DigestCredentials { user: "ann".into(), password: "secret".into() });
            }
            let exchange = client.send(request).await;
            match &exchange.error {
                Some(error) => {
                    assert_eq!(exchange.status, 0);
                    assert!(!error.message.is_empty());
                    assert_shown(&error.message);
                }
                None => assert!(exchange.status >= 100, "{}", exchange.status),
            }
            assert!(exchange.body.len() as u64 <= exchange.body_size);
            if let Err(error) = exchange.decoded_body() {
                assert_shown(&error.message);
            }
        }
        let _ = client.cookies_for(&target);
    });
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // Ends the server.
    let _ = std::net::TcpStream::connect(addr);
}

/// What a server sends after a handshake.
fn websocket(data: &[u8]) {
    let frames = data.to_vec();
    let addr = server(move |request| {
        let request = String::from_utf8_lossy(request).into_owned();
        let mut fields = request.lines().filter_map(|line| line.split_once(": "));
        let key = fields.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
        let key = key.map_or("", |(_, key)| key);
        let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
        let head = format!(
            "HTTP/1.1 101 Test\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
        );
        [head.as_bytes(), &frames].concat()
    });
    let begun = Instant::now();
    on_worker(async {
        let client = Client::new(Network::new(Transport::new(HttpOptions::default()).unwrap()));
        let target = Destination::parse(&format!("http://{addr}/")).unwrap();
        let (_, socket) = ws::connect(&client, Request::new(Method::GET, target)).await;
        let mut socket = socket.expect("the handshake is right");
        let _ = socket.send(ws::Message::Text("hello".into())).await;
        for _ in 0..100 {
            match socket.receive().await {
                Ok(ws::Received::Message(_)) => {}
                Ok(ws::Received::Closed(why)) => {
                    assert!(!why.is_empty());
                    return;
                }
                Err(error) => {
                    assert_shown(&error.message);
                    return;
                }
            }
        }
        socket.close().await;
    });
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let _ = std::net::TcpStream::connect(addr);
}

/// A selector, and a document.
fn html(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    let (selector, page) = two_parts(text);
    let mut pause = || Ok::<(), String>(());
    let Ok(document) = Document::parse(page, &mut pause) else { return };
    let selectors = Selectors::default();
    let Ok(found) = document.css(&selectors, selector, &mut pause) else { return };
    for element in found.clone().into_iter().take(20) {
        let _ = (element.text(), element.html(), element.attrs(), element.fields(), element.name().len());
        assert!(element.css(&selectors, selector, &mut pause).is_ok());
    }
    assert!(found.css(&selectors, "*", &mut pause).is_ok());
}

/// A pattern, and a text.
fn regex(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    let (pattern, text) = two_parts(text);
    let patterns = Patterns::default();
    if let (Ok(first), Ok(all)) = (patterns.first(pattern, text), patterns.all(pattern, text)) {
        assert_eq!(first.as_ref(), all.first());
    }
}

fn url(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    if let Ok(target) = Destination::parse(text) {
        let again = Destination::parse(target.as_str()).unwrap();
        assert_eq!(again.as_str(), target.as_str());
        let client = Client::new(Network::new(Transport::new(HttpOptions::default()).unwrap()));
        let _ = client.header_of(&Request::new(Method::GET, target.clone()));
        let _ = client.set_cookie(&target, text);
        let _ = client.cookies_for(&target);
    }
    let (url, cookie) = two_parts(text);
    if let Ok(target) = Destination::parse(url) {
        let client = Client::new(Network::new(Transport::new(HttpOptions::default()).unwrap()));
        let _ = client.set_cookie(&target, cookie);
        assert!(client.header_of(&Request::new(Method::GET, target)).len() < 20);
    }
}

/// A secret, and a text that may hold it.
fn secrets(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    let (secret, text) = two_parts(text);
    let once = credentials::masked(text).into_owned();
    // What is glued to a masked value may be taken for the rest of it: that is masked too, and then nothing changes any more.
    let twice = credentials::masked(&once).into_owned();
    assert!(twice.len() <= once.len(), "masking again shows nothing more");
    assert_eq!(credentials::masked(&twice), twice, "masking comes to an end");
    let mut declared = Declared::default();
    declared.add(secret);
    for most in [usize::MAX, 20] {
        let shown = credentials::masked_with(text, &declared, most).unwrap_or_else(|| text.to_owned());
        let is_plain = secret.len() >= 8 && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
        assert!(!is_plain || !shown.contains(secret), "{secret:?} in {shown:?}");
    }
}

/// A text as a literal of the language is that text.
fn literal(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    let literal = convert::text_literal(text);
    assert_eq!(rhai::Engine::new_raw().eval::<String>(&literal).as_deref().ok(), Some(text), "{literal}");
    let name = convert::identifier(text, "fallback");
    assert!(rhai::Engine::new_raw().compile(format!("let {name} = 1; {name}")).is_ok(), "{name}");
}

/// What is shown of a foreign text.
fn terminal(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let line = text::clean_line(&text);
    assert_shown(&line);
    assert!(!line.contains('\n'));
    text::clean_lines(&text).iter().for_each(|line| assert_shown(line));
    for columns in [0, 1, 5, 40] {
        let cut = text::cut_middle(&line, columns, "…");
        assert!(text::width(&cut) <= columns.max(1), "{cut:?} in {columns}");
    }
    let word = text::shell_word(&text);
    assert!(!word.is_empty());
    let _ = text::did_you_mean(&text, ["users", "rate"]);
}

/// What comes as the figures of another machine: refused in words, or counted and passed on as it is.
fn interval(data: &[u8]) {
    let message = match IntervalDecoder::default().decode(data) {
        Ok(message) => message,
        Err(error) => return assert_shown(&error.to_string()),
    };
    let again = IntervalDecoder::default().decode(&IntervalEncoder::default().encode(&message)).unwrap();
    assert_eq!(format!("{again:?}"), format!("{message:?}"));
    let mut aggregator = Aggregator::new(message.threads.len(), SystemTime::UNIX_EPOCH);
    for (worker, thread) in message.threads.into_iter().enumerate() {
        aggregator.health(worker, &thread.1.health);
        let _ = aggregator.add(worker, thread.1.delta);
    }
    aggregator.close_interval(Tick::idle(Phase::Steady));
}

/// Inputs that once failed, and those of the same kinds that are kept to begin with.
#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn files(folder: &Path) -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        files.sort();
        files
    }

    #[test]
    fn inputs_that_fuzzing_found_hold() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
        let (mut tried, mut failed) = (0, Vec::new());
        for kind in ["found", "seeds"] {
            for (name, _) in TARGETS {
                for file in files(&root.join(kind).join(name)) {
                    let data = fs::read(&file).unwrap();
                    tried += 1;
                    if std::panic::catch_unwind(|| run(name, &data)).is_err() {
                        failed.push(file);
                    }
                }
            }
        }
        assert!(failed.is_empty(), "these do not hold: {failed:?}");
        assert!(tried >= TARGETS.len(), "{tried} inputs");
    }
}
