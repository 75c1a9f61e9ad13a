//! What a run says, kept for those who look at the page: its newest lines.
//!
//! Invariants: bounded in lines and in bytes, whatever a script prints; texts are as clean as on the terminal.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use crate::text::clean_lines;
use crate::text::format::round;

/// Most lines; the page shows as many.
const MOST_LINES: usize = 1_000;

/// Most bytes of all texts together.
const MOST_BYTES: usize = 256 << 10;

/// Most bytes of one text: as many as the trace of a script error has.
const LONGEST: usize = 8_000;

/// How near to each other a line and a mark that say the same are about one event.
const SAME_EVENT: Duration = Duration::from_secs(5);

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// From `debug`.
    Debug,
    /// What a script prints, and what happens as planned.
    Info,
    /// What may make the figures unreliable, and what a script warns of.
    Warning,
    /// A script error, and what a script calls one.
    Error,
    /// A moment that is marked on the timeline.
    Mark,
}

impl LogLevel {
    fn as_str(self) -> &'static str {
        match self {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warning => "warning",
            LogLevel::Error => "error",
            LogLevel::Mark => "mark",
        }
    }
}

/// A line, and how often it was said without another one in between.
#[derive(Debug)]
struct Line {
    /// Of the last time that it was said.
    number: u64,
    /// The same, as time of the load.
    at: Duration,
    level: LogLevel,
    text: String,
    count: u64,
}

/// See the module's description.
#[derive(Debug, Default)]
pub(in crate::web) struct Log {
    lines: VecDeque<Line>,
    bytes: usize,
    /// The number that the next line gets.
    next: u64,
    /// How many are not kept any more.
    dropped: u64,
}

impl Log {
    /// Adds a line, which may contain line breaks. A mark that repeats what was just said is none of its own.
    pub(in crate::web) fn say(&mut self, level: LogLevel, at: Duration, text: &str) {
        let text = cut(clean_lines(text).join("\n"));
        if level == LogLevel::Mark && self.has_said(at, &text) {
            return;
        }
        let number = self.next;
        self.next += 1;
        match self.lines.back_mut() {
            Some(last) if last.level == level && last.text == text => {
                *last = Line { number, at, level, text, count: last.count + 1 };
            }
            _ => {
                self.bytes += text.len();
                self.lines.push_back(Line { number, at, level, text, count: 1 });
            }
        }
        while self.lines.len() > MOST_LINES || self.bytes > MOST_BYTES {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes -= oldest.text.len();
            self.dropped += oldest.count;
        }
    }

    fn has_said(&self, at: Duration, text: &str) -> bool {
        let mut recent = self.lines.iter().rev().take_while(|line| line.at + SAME_EVENT >= at);
        recent.any(|line| line.level != LogLevel::Mark && line.text.ends_with(text))
    }

    /// The number after the newest line.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The lines that were said, or said again, from number `since` on; `next` is what to ask for the next time.
    pub(in crate::web) fn since(&self, since: u64) -> Value {
        let known = self.lines.partition_point(|line| line.number < since);
        let lines: Vec<Value> = self.lines.range(known..).map(Line::json).collect();
        json!({ "lines": lines, "next": self.next, "dropped": self.dropped })
    }
}

impl Line {
    fn json(&self) -> Value {
        json!({
            "number": self.number,
            "at_s": round(self.at.as_secs_f64(), 3),
            "level": self.level.as_str(),
            "text": self.text,
            "count": self.count,
        })
    }
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(log: &Log, since: u64) -> Vec<String> {
        let lines = log.since(since)["lines"].as_array().unwrap().clone();
        lines.iter().map(|line| format!("{} x{}", line["text"].as_str().unwrap(), line["count"])).collect()
    }

    fn said(texts: &[&str]) -> Log {
        let mut log = Log::default();
        texts.iter().for_each(|text| log.say(LogLevel::Info, Duration::ZERO, text));
        log
    }

    #[test]
    fn what_is_said_again_is_one_line_that_is_new_again() {
        let mut log = said(&["a", "b", "b"]);
        assert_eq!(texts(&log, 0), ["a x1", "b x2"]);
        assert_eq!(texts(&log, 2), ["b x2"], "who has seen the first b learns of the second");
        assert!(texts(&log, 3).is_empty());
        assert!(texts(&log, u64::MAX).is_empty());
        log.say(LogLevel::Warning, Duration::ZERO, "b");
        assert_eq!(texts(&log, 0), ["a x1", "b x2", "b x1"], "another level is another line");
        assert_eq!(log.since(0)["next"], 4);
    }

    #[test]
    fn a_flood_is_bounded_and_what_is_lost_is_counted() {
        let mut log = Log::default();
        for number in 0..5_000 {
            log.say(LogLevel::Info, Duration::ZERO, &format!("{number}"));
        }
        assert_eq!(texts(&log, 0).len(), MOST_LINES);
        assert_eq!(log.since(0)["dropped"], 4_000);
        assert_eq!(texts(&log, 4_999), ["4999 x1"]);
        for number in 0..200 {
            log.say(LogLevel::Info, Duration::ZERO, &format!("{number}{}", "é".repeat(100_000)));
        }
        let bytes: usize = log.lines.iter().map(|line| line.text.len()).sum();
        assert!(log.bytes == bytes && bytes <= MOST_BYTES, "{bytes}");
        let longest = log.lines.iter().map(|line| line.text.len()).max().unwrap();
        assert!(longest <= LONGEST + '…'.len_utf8(), "{longest}");
    }

    #[test]
    fn texts_are_clean_and_keep_their_lines() {
        let log = said(&["a\u{1b}[31m\nb\u{202e}c", ""]);
        assert_eq!(texts(&log, 0), ["a␛[31m\nb\u{fffd}c x1", " x1"]);
    }

    #[test]
    fn a_mark_that_was_just_said_is_not_repeated() {
        let mut log = Log::default();
        let at = Duration::from_secs;
        log.say(LogLevel::Warning, at(3), "warning: worker 1 is silent");
        log.say(LogLevel::Mark, at(4), "worker 1 is silent");
        log.say(LogLevel::Mark, at(4), "5 users");
        log.say(LogLevel::Mark, at(30), "worker 1 is silent");
        assert_eq!(texts(&log, 0).len(), 3);
    }
}
