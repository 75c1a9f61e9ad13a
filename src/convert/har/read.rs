//! HAR 1.2 as the tools of the world write it: reading, and which entries matter.
//!
//! Owns the file's shape, the order of entries, redirects (which the client follows by itself), and what is left out:
//! assets, other hosts, what had no answer. Invariant: an entry that is left out is counted with its reason.

use std::collections::{BTreeMap, HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use super::raw::{Field, File, Pair, RawContent, RawEntry, RawPost};
use crate::convert::body::essence;
use crate::convert::problem::Problem;
use crate::convert::script::{Notes, count};

/// What of a recording is converted.
#[derive(Clone, Debug, Default)]
pub(crate) struct HarOptions {
    /// Also images, styles, scripts and the like.
    pub(crate) keep_assets: bool,
    /// Requests to these hosts, instead of those of the pages.
    pub(crate) hosts: Vec<String>,
    /// Requests to any host.
    pub(crate) all_hosts: bool,
    /// Longest pause, in seconds; 0 is none.
    pub(crate) max_think: u32,
    /// The folder for files that were uploaded, from the script's; without one they stand in the script.
    pub(crate) folder: Option<String>,
}

/// How far behind a redirect the request that followed it may stand.
const REDIRECT_REACH: usize = 50;

/// A recorded request and its answer.
pub(in crate::convert) struct Entry {
    /// Number of its page among those that are kept.
    pub(in crate::convert) page: usize,
    /// Milliseconds since 1970.
    pub(in crate::convert) started_ms: f64,
    pub(in crate::convert) duration_ms: f64,
    pub(in crate::convert) method: String,
    pub(in crate::convert) url: Url,
    pub(in crate::convert) headers: Vec<(String, String)>,
    pub(in crate::convert) post: Option<Post>,
    /// Of the last answer, when redirects were followed; `None` when that was not recorded.
    pub(in crate::convert) status: Option<i64>,
    /// Where redirects led to.
    pub(in crate::convert) final_url: Option<Url>,
    pub(in crate::convert) response_headers: Vec<(String, String)>,
    pub(in crate::convert) content_type: String,
    pub(in crate::convert) content: Option<String>,
    is_document: bool,
    is_asset: bool,
    has_answer: bool,
    page_ref: String,
}

/// What was sent.
pub(in crate::convert) struct Post {
    pub(in crate::convert) content_type: String,
    pub(in crate::convert) bytes: Vec<u8>,
    pub(in crate::convert) fields: Vec<Field>,
    /// How many bytes it had, where the recording has others.
    pub(in crate::convert) whole: Option<usize>,
}

/// A recording without what does not matter.
pub(in crate::convert) struct Recording {
    pub(in crate::convert) entries: Vec<Entry>,
    /// Titles of the pages that have entries.
    pub(in crate::convert) pages: Vec<String>,
}

/// Reads a recording and leaves out what does not matter.
///
/// # Errors
/// When it is no HAR, or nothing of it is left.
pub(in crate::convert) fn read(
    text: &str,
    options: &HarOptions,
    notes: &mut Notes,
) -> Result<Recording, Problem> {
    let file: File = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| Problem::of_json("a recording in HAR 1.2", &error))?;
    let recorded = file.log.entries.len();
    if recorded == 0 {
        return Err(
            "the recording has no entries; record with the browser's network panel open, then save it as HAR"
                .into(),
        );
    }
    let titles: HashMap<String, String> =
        file.log.pages.into_iter().map(|page| (page.id, page.title)).collect();
    let mut left_out = LeftOut::default();
    let mut entries: Vec<Entry> =
        file.log.entries.into_iter().filter_map(|raw| entry(raw, &mut left_out)).collect();
    entries.sort_by(|a, b| a.started_ms.total_cmp(&b.started_ms));
    let entries = follow_redirects(entries);
    let hosts = hosts(&entries, options);
    let entries: Vec<Entry> =
        entries.into_iter().filter(|entry| left_out.keep(entry, options, &hosts)).collect();
    left_out.note(recorded, notes);
    if entries.is_empty() {
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        return Err(format!(
            "none of the {} remain: {}; see --keep-assets, --host and --all-hosts (hosts in the recording: {})",
            count(recorded, "request"),
            left_out.reasons().join("; "),
            hosts.join(", ")
        )
        .into());
    }
    Ok(paged(entries, &titles))
}

fn entry(raw: RawEntry, left_out: &mut LeftOut) -> Option<Entry> {
    let url = Url::parse(&raw.request.url).ok();
    let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) else {
        let websocket = raw.request.url.starts_with("ws");
        left_out.count(if websocket { "websockets (see ws::connect)" } else { "without an http URL" });
        return None;
    };
    if raw.request.method.eq_ignore_ascii_case("connect")
        || !raw.request.method.bytes().all(|b| b.is_ascii_graphic())
    {
        left_out.count("of a proxy");
        return None;
    }
    let Some(response) = raw.response else {
        left_out.count("without a response");
        return None;
    };
    let pairs = |pairs: Vec<Pair>| -> Vec<(String, String)> {
        pairs.into_iter().map(|pair| (pair.name.to_ascii_lowercase(), pair.value)).collect()
    };
    let headers = pairs(raw.request.headers);
    let post = post(raw.request.post_data, &headers, raw.request.body_size);
    let content = response.content;
    let content_type = content.as_ref().map(|content| essence(&content.mime_type)).unwrap_or_default();
    let is_asset = is_asset(&content_type, &raw.resource_type, &url);
    let content = content.filter(|_| !is_asset).and_then(decoded);
    let mut response_headers = pairs(response.headers);
    if !response.redirect_url.is_empty() && !response_headers.iter().any(|(name, _)| name == "location") {
        response_headers.push(("location".to_owned(), response.redirect_url));
    }
    Some(Entry {
        page: 0,
        started_ms: milliseconds(&raw.started_date_time).unwrap_or(0.0),
        duration_ms: if raw.time.is_finite() { raw.time.clamp(0.0, 1e9) } else { 0.0 },
        method: raw.request.method.to_ascii_uppercase(),
        url,
        headers,
        post,
        status: Some(if response.status == 304 { 200 } else { response.status }),
        final_url: None,
        response_headers,
        is_document: content_type == "text/html",
        content_type,
        content,
        is_asset,
        has_answer: (100..1000).contains(&response.status),
        page_ref: raw.pageref,
    })
}

fn decoded(content: RawContent) -> Option<String> {
    let text = content.text?;
    match content.encoding.as_str() {
        "base64" => String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok(),
        _ => Some(text),
    }
}

/// What was sent. Recorders write bytes that are no text in three ways: a character a byte, in base64, or not at all;
/// the length that was sent tells which.
fn post(raw: Option<RawPost>, headers: &[(String, String)], body_size: i64) -> Option<Post> {
    let header =
        |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let length = header("content-length").and_then(|length| length.trim().parse().ok());
    let length = length.or(usize::try_from(body_size).ok()).filter(|length| *length > 0);
    let Some(raw) = raw else {
        let content_type = header("content-type").unwrap_or_default().to_owned();
        return length.map(|_| Post { content_type, bytes: Vec::new(), fields: Vec::new(), whole: length });
    };
    let content_type =
        if raw.mime_type.is_empty() { header("content-type").unwrap_or_default() } else { &raw.mime_type };
    let bytes = sent_bytes(raw.text.unwrap_or_default(), &raw.encoding, content_type, length);
    let whole =
        length.filter(|length| *length != bytes.len() && (!bytes.is_empty() || raw.params.is_empty()));
    Some(Post { content_type: content_type.to_owned(), bytes, fields: raw.params, whole })
}

fn sent_bytes(text: String, encoding: &str, content_type: &str, length: Option<usize>) -> Vec<u8> {
    let of_base64 = || STANDARD.decode(text.trim()).ok();
    if encoding == "base64" {
        return of_base64().unwrap_or_else(|| text.into_bytes());
    }
    let latin = || text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<Vec<u8>>>();
    if let Some(length) = length {
        if text.len() == length {
            return text.into_bytes();
        }
        let mut others = [latin(), of_base64()].into_iter().flatten();
        return others.find(|bytes| bytes.len() == length).unwrap_or_else(|| text.into_bytes());
    }
    let kind = essence(content_type);
    let is_text = ["text/", "json", "xml", "urlencoded", "graphql"].iter().any(|part| kind.contains(part));
    // Bytes from 0x80 to 0x9f are no characters that somebody writes.
    let has_bytes = text.chars().any(|c| ('\u{80}'..='\u{9f}').contains(&c));
    match latin() {
        Some(bytes) if has_bytes && !is_text => bytes,
        _ if !is_text && !kind.starts_with("multipart/") && text.len() >= 8 => {
            of_base64().unwrap_or_else(|| text.into_bytes())
        }
        _ => text.into_bytes(),
    }
}

/// Images, fonts, styles, scripts and media, by what they are said to be, else by what their names end with.
fn is_asset(content_type: &str, resource_type: &str, url: &Url) -> bool {
    const TYPES: &[&str] =
        &["image", "stylesheet", "script", "font", "media", "texttrack", "manifest", "ping"];
    const ENDINGS: &[&str] = &[
        "avif",
        "bmp",
        "css",
        "eot",
        "gif",
        "ico",
        "jpeg",
        "jpg",
        "js",
        "map",
        "mjs",
        "mp3",
        "mp4",
        "ogg",
        "otf",
        "png",
        "svg",
        "ttf",
        "wasm",
        "wav",
        "webm",
        "webmanifest",
        "webp",
        "woff",
        "woff2",
    ];
    if TYPES.contains(&resource_type) {
        return true;
    }
    let (family, kind) = content_type.split_once('/').unwrap_or((content_type, ""));
    match family {
        "image" | "font" | "video" | "audio" => true,
        "text" if kind == "css" => true,
        _ if kind.contains("javascript") || kind.contains("ecmascript") || kind.contains("font") => true,
        _ if matches!(kind, "wasm" | "manifest+json" | "vnd.ms-fontobject") => true,
        "" | "application" | "text" | "x-unknown"
            if matches!(kind, "" | "octet-stream" | "plain" | "x-unknown" | "unknown") =>
        {
            let ending = url.path().rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
            ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
        }
        _ => false,
    }
}

/// Takes out the requests that followed a redirect, and gives their answers to those that were redirected.
fn follow_redirects(entries: Vec<Entry>) -> Vec<Entry> {
    let mut slots: Vec<Option<Entry>> = entries.into_iter().map(Some).collect();
    for at in 0..slots.len() {
        let Some(mut entry) = slots[at].take() else { continue };
        while let Some(target) = redirect_target(&entry) {
            let reach = slots.iter_mut().skip(at + 1).take(REDIRECT_REACH);
            let mut followed =
                reach.filter(|slot| slot.as_ref().is_some_and(|next| same_url(&next.url, &target)));
            let Some(next) = followed.next().and_then(Option::take) else {
                entry.status = None;
                break;
            };
            entry.duration_ms =
                (next.started_ms + next.duration_ms - entry.started_ms).max(entry.duration_ms);
            entry.status = next.status;
            entry.has_answer = next.has_answer;
            entry.content = next.content;
            entry.content_type = next.content_type;
            entry.is_document |= next.is_document;
            // Cookies of every step stay; the last location counts.
            entry.response_headers.retain(|(name, _)| name == "set-cookie");
            entry.response_headers.extend(next.response_headers);
            entry.final_url = Some(next.url);
        }
        slots[at] = Some(entry);
    }
    slots.into_iter().flatten().collect()
}

fn redirect_target(entry: &Entry) -> Option<Url> {
    let redirects = matches!(entry.status, Some(301 | 302 | 303 | 307 | 308));
    let (_, location) = entry.response_headers.iter().find(|(name, _)| redirects && name == "location")?;
    entry.final_url.as_ref().unwrap_or(&entry.url).join(location).ok()
}

fn same_url(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host() == b.host()
        && a.port() == b.port()
        && a.path() == b.path()
        && a.query() == b.query()
}

/// Host and port of a URL, as one writes them.
pub(in crate::convert) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"))
}

/// The hosts whose requests are kept: those that were asked for, else those of the pages.
fn hosts(entries: &[Entry], options: &HarOptions) -> HashSet<String> {
    if !options.hosts.is_empty() {
        return options.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
    }
    let mut hosts = HashSet::new();
    let mut pages = HashSet::new();
    for entry in entries {
        if !entry.page_ref.is_empty() && !entry.is_asset && pages.insert(&entry.page_ref) {
            hosts.insert(authority(&entry.url));
            // `shop.test` may have sent the visitor to `www.shop.test`.
            hosts.extend(entry.final_url.as_ref().filter(|_| entry.is_document).map(authority));
        }
    }
    if hosts.is_empty() {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        entries
            .iter()
            .filter(|entry| !entry.is_asset)
            .for_each(|e| *counts.entry(authority(&e.url)).or_default() += 1);
        hosts.extend(counts.into_iter().max_by_key(|(_, count)| *count).map(|(host, _)| host));
    }
    hosts
}

/// How many entries were left out, and why.
#[derive(Default)]
struct LeftOut {
    reasons: BTreeMap<&'static str, usize>,
    hosts: BTreeMap<String, usize>,
}

impl LeftOut {
    fn count(&mut self, reason: &'static str) {
        *self.reasons.entry(reason).or_default() += 1;
    }

    fn keep(&mut self, entry: &Entry, options: &HarOptions, hosts: &HashSet<String>) -> bool {
        let own = || {
            hosts.contains(&authority(&entry.url))
                || entry.url.host_str().is_some_and(|host| hosts.contains(host))
        };
        if !options.all_hosts && !own() {
            *self.hosts.entry(authority(&entry.url)).or_default() += 1;
        } else if entry.is_asset && !options.keep_assets {
            self.count("images, fonts, styles, scripts and media");
        } else if entry.method == "OPTIONS" {
            self.count("CORS preflights");
        } else if !entry.has_answer {
            self.count("without a response");
        } else {
            return true;
        }
        false
    }

    fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<String> =
            self.reasons.iter().map(|(reason, number)| format!("{reason}: {number}")).collect();
        if !self.hosts.is_empty() {
            const SHOWN: usize = 5;
            let mut hosts: Vec<(&String, &usize)> = self.hosts.iter().collect();
            hosts.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
            let mut shown: Vec<String> =
                hosts.iter().take(SHOWN).map(|(host, number)| format!("{host} {number}")).collect();
            if hosts.len() > SHOWN {
                shown.push(format!("{} more", hosts.len() - SHOWN));
            }
            let all: usize = self.hosts.values().sum();
            reasons.push(format!("to other hosts: {all} ({})", shown.join(", ")));
        }
        reasons
    }

    fn note(&self, recorded: usize, notes: &mut Notes) {
        let reasons = self.reasons();
        if !reasons.is_empty() {
            notes.add(format!("left out, of {}: {}", count(recorded, "request"), reasons.join("; ")));
        }
    }
}

/// Numbers the pages that have entries, in their order.
fn paged(mut entries: Vec<Entry>, titles: &HashMap<String, String>) -> Recording {
    let mut pages = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for entry in &mut entries {
        let number = *numbers.entry(entry.page_ref.clone()).or_insert_with(|| {
            let title = titles.get(&entry.page_ref).cloned().unwrap_or_default();
            let is_url = title.is_empty() || title.contains("://");
            pages.push(if is_url { entry.url.path().to_owned() } else { title });
            pages.len() - 1
        });
        entry.page = number;
    }
    // Pages do not take turns in a script: what comes late to an earlier page comes where it was sent.
    entries.sort_by_key(|entry| entry.page);
    Recording { entries, pages }
}

/// Milliseconds since 1970 of `2026-11-25T10:00:00.123+01:00`.
fn milliseconds(text: &str) -> Option<f64> {
    let (date, rest) = text.split_once(['T', ' '])?;
    let zone_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut clock = clock.splitn(3, ':').map(|part| part.parse::<f64>().ok());
    let (hours, minutes, seconds) = (clock.next()??, clock.next()??, clock.next().unwrap_or(Some(0.0))?);
    if !(0..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let zone_minutes = match zone.chars().next() {
        Some(sign @ ('+' | '-')) => {
            let digits: String = zone[1..].chars().filter(char::is_ascii_digit).collect();
            let number = |range: std::ops::Range<usize>| {
                digits.get(range).and_then(|d| d.parse::<f64>().ok()).unwrap_or(0.0)
            };
            (number(0..2) * 60.0 + number(2..4)) * if sign == '-' { -1.0 } else { 1.0 }
        }
        _ => 0.0,
    };
    // Days since 1970 of the civil calendar, with years that begin in March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era_day = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + era_day - 719_468;
    Some((days as f64 * 24.0 * 60.0 + hours * 60.0 + minutes - zone_minutes) * 60_000.0 + seconds * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_all_zones() {
        for text in
            ["2026-11-25T10:00:00.250Z", "2026-11-25T11:00:00.250+01:00", "2026-11-25T04:30:00.25-0530"]
        {
            assert_eq!(milliseconds(text), Some(1_795_600_800_250.0), "{text}");
        }
        assert_eq!(milliseconds("1970-01-01T00:00Z"), Some(0.0));
        assert_eq!(milliseconds("2000-02-29T00:00:00Z"), Some(951_782_400_000.0));
        for text in ["", "yesterday", "2026-13-01T00:00:00Z", "2026-1T0", "\u{e9}T\u{e9}"] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_that_were_sent_in_whichever_way_they_were_recorded() {
        let bytes: &[u8] = &[0x89, b'P', 0xff, 0, 0x0a, 0x80, 1, 2, 3];
        let latin: String = bytes.iter().map(|b| char::from(*b)).collect();
        let base64 = STANDARD.encode(bytes);
        for (text, encoding, kind, length) in [
            (&latin, "", "image/png", Some(9)),
            (&latin, "", "multipart/form-data; boundary=x", Some(9)),
            (&latin, "", "application/octet-stream", None),
            (&base64, "base64", "", None),
            (&base64, "", "image/png", Some(9)),
            (&base64, "", "image/png", None),
        ] {
            assert_eq!(sent_bytes(text.clone(), encoding, kind, length), bytes, "{kind} {length:?}");
        }
        for text in ["{\"a\":\"\u{fc}\"}", "dGV4dA==dGV4dA==", "\u{80}\u{fc}"] {
            let sent = |length| sent_bytes(text.to_owned(), "", "application/json", length);
            assert_eq!((sent(None), sent(Some(text.len()))), (text.into(), text.into()));
        }
    }

    #[test]
    fn assets_by_type_and_by_name() {
        let check = |kind: &str, resource: &str, path: &str| {
            is_asset(kind, resource, &Url::parse(&format!("http://a.test{path}")).unwrap())
        };
        for (kind, resource, path) in [
            ("image/png", "", "/x"),
            ("text/css", "", "/x"),
            ("application/javascript", "", "/x"),
            ("font/woff2", "", "/x"),
            ("", "", "/a/b.woff2"),
            ("application/octet-stream", "", "/x.PNG"),
            ("", "script", "/x"),
        ] {
            assert!(check(kind, resource, path), "{kind} {resource} {path}");
        }
        for (kind, path) in
            [("text/html", "/x"), ("application/json", "/x.js"), ("", "/x"), ("text/plain", "/robots.txt")]
        {
            assert!(!check(kind, "", path), "{kind} {path}");
        }
    }
}
