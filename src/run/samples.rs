//! The thread that gives every sample to those who write them down.
//!
//! Owns what becomes of one that fails or is too slow. Invariants: the load never waits for it; every sample of the
//! run is either given to a sink or counted as lost for it; the end of a run waits for it only while it gets on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::metrics::{Chunk, Mask, SampleFileStats, SampleGroups, SampleSink, TapEnd, TapLine};
use crate::script::{Level, Message, MessageSink};

/// How often what was written is made safe.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// How often the writer looks whether the run is over.
const LISTEN: Duration = Duration::from_millis(50);

/// How long the end of a run waits for a writer that does not get on: its disk hangs, or nobody reads its pipe.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the end looks whether the writer is done.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// See the module's description.
pub(super) struct SampleWriter {
    thread: JoinHandle<Vec<SampleFileStats>>,
    names: Vec<String>,
    /// Samples that the writer has dealt with, and those that never reached it.
    done: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
    /// Nothing comes any more, although a tap may still be there: its thread does not end.
    is_over: Arc<AtomicBool>,
}

impl SampleWriter {
    /// Starts it; `None` when there is nobody to write to.
    ///
    /// # Errors
    /// When the system refuses the thread.
    pub(super) fn start(
        sinks: Vec<Box<dyn SampleSink>>,
        mask: Mask,
        say: MessageSink,
    ) -> io::Result<Option<(SampleWriter, TapLine)>> {
        if sinks.is_empty() {
            return Ok(None);
        }
        let (line, chunks, lost) = TapLine::new();
        let done = Arc::new(AtomicU64::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let names = sinks.iter().map(|sink| sink.name()).collect();
        let outputs = sinks.into_iter().map(Output::new).collect();
        let writing = Writing {
            outputs,
            groups: SampleGroups::new(mask),
            say,
            done: done.clone(),
            lost: lost.clone(),
            is_over: is_over.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("rhaid-samples".to_owned())
            .spawn(move || writing.until_the_end(&chunks))?;
        Ok(Some((SampleWriter { thread, names, done, lost, is_over }, line)))
    }

    /// Waits until everything is written; to be called when nothing more is sent.
    pub(super) fn finish(self) -> Vec<SampleFileStats> {
        self.finish_within(PATIENCE)
    }

    /// Waits, but no longer than so long for one that does not get on.
    fn finish_within(self, patience: Duration) -> Vec<SampleFileStats> {
        self.is_over.store(true, Ordering::Relaxed);
        let count = || self.done.load(Ordering::Relaxed);
        let (mut before, mut since) = (count(), Instant::now());
        while !self.thread.is_finished() {
            if count() != before {
                (before, since) = (count(), Instant::now());
            } else if since.elapsed() > patience {
                return self.given_up(before, patience);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let lost = self.lost.load(Ordering::Relaxed);
        match self.thread.join() {
            Ok(mut files) => {
                files.iter_mut().for_each(|file| file.lost += lost);
                files
            }
            // It has printed why.
            Err(_) => Self::unknown(self.names, "its thread panicked; how much is in it is not known", lost),
        }
    }

    fn given_up(self, written: u64, patience: Duration) -> Vec<SampleFileStats> {
        let why = format!("nothing could be written for {} s: its end is missing", patience.as_secs_f64());
        let mut files = Self::unknown(self.names, &why, self.lost.load(Ordering::Relaxed));
        files.iter_mut().for_each(|file| file.written = written);
        files
    }

    fn unknown(names: Vec<String>, why: &str, lost: u64) -> Vec<SampleFileStats> {
        let file = |name| SampleFileStats { name, written: 0, lost, problem: Some(why.to_owned()) };
        names.into_iter().map(file).collect()
    }
}

struct Writing {
    outputs: Vec<Output>,
    groups: SampleGroups,
    say: MessageSink,
    done: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

struct Output {
    sink: Box<dyn SampleSink>,
    stats: SampleFileStats,
}

impl Writing {
    fn until_the_end(mut self, chunks: &TapEnd) -> Vec<SampleFileStats> {
        let mut next_flush = Instant::now() + FLUSH_EVERY;
        let mut told_slow = false;
        loop {
            match chunks.next(next_flush.saturating_duration_since(Instant::now()).min(LISTEN)) {
                Ok(chunk) => self.write(chunk),
                Err(RecvTimeoutError::Timeout) if !self.is_over.load(Ordering::Relaxed) => {}
                Err(_) => break,
            }
            if Instant::now() >= next_flush {
                self.each(|output| output.try_to(|sink| sink.flush()));
                next_flush = Instant::now() + FLUSH_EVERY;
            }
            if !told_slow && self.lost.load(Ordering::Relaxed) > 0 {
                told_slow = true;
                let names: Vec<&str> = self.outputs.iter().map(|output| &*output.stats.name).collect();
                self.say(format!(
                    "samples come faster than they can be written to {}: some are left out, the summary says how \
                     many; the run goes on",
                    names.join(" and ")
                ));
            }
        }
        self.each(|output| output.try_to(|sink| sink.finish()));
        self.outputs.into_iter().map(|output| output.stats).collect()
    }

    fn write(&mut self, chunk: Chunk) {
        let before = self.broken();
        let (outputs, done) = (&mut self.outputs, &self.done);
        self.groups.each(chunk, |group| {
            for output in outputs.iter_mut() {
                if output.try_to(|sink| sink.write(group)) {
                    output.stats.written += 1;
                } else {
                    output.stats.lost += 1;
                }
            }
            done.fetch_add(1, Ordering::Relaxed);
        });
        self.tell_broken(&before);
    }

    fn each(&mut self, mut act: impl FnMut(&mut Output) -> bool) {
        let before = self.broken();
        self.outputs.iter_mut().for_each(|output| {
            act(output);
        });
        self.tell_broken(&before);
    }

    fn broken(&self) -> Vec<bool> {
        self.outputs.iter().map(|output| output.stats.problem.is_some()).collect()
    }

    /// Says once of each output that it takes no more.
    fn tell_broken(&self, before: &[bool]) {
        for (output, was_broken) in self.outputs.iter().zip(before) {
            if let (Some(problem), false) = (&output.stats.problem, *was_broken) {
                self.say(format!(
                    "samples are no longer written to {}: {problem}; the run goes on",
                    output.stats.name
                ));
            }
        }
    }

    fn say(&self, text: String) {
        (self.say)(Message { level: Level::Warning, text, from: None });
    }
}

impl Output {
    fn new(sink: Box<dyn SampleSink>) -> Output {
        let stats = SampleFileStats { name: sink.name(), written: 0, lost: 0, problem: None };
        Output { sink, stats }
    }

    /// Whether it was done; after the first error nothing is tried any more.
    fn try_to(&mut self, act: impl FnOnce(&mut dyn SampleSink) -> io::Result<()>) -> bool {
        if self.stats.problem.is_some() {
            return false;
        }
        let result = act(&mut *self.sink);
        self.stats.problem = result.err().map(|error| error.to_string());
        self.stats.problem.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::metrics::{Sample, SampleGroup};

    /// Takes so many groups; then it fails.
    struct Takes(usize, Arc<AtomicU64>);

    impl SampleSink for Takes {
        fn name(&self) -> String {
            format!("takes-{}", self.0)
        }

        fn write(&mut self, _: &SampleGroup<'_>) -> io::Result<()> {
            if self.1.fetch_add(1, Ordering::Relaxed) >= self.0 as u64 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn finish(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Does something before each group, which may take its time.
    struct Held(Box<dyn FnMut() + Send>);

    impl SampleSink for Held {
        fn name(&self) -> String {
            "held".to_owned()
        }

        fn write(&mut self, _: &SampleGroup<'_>) -> io::Result<()> {
            (self.0)();
            Ok(())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn finish(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Ten samples, each in a group of its own.
    fn send_ten(line: TapLine) {
        let mut tap = line.tap(0);
        drop(line);
        for _ in 0..10 {
            tap.add(Sample::ScriptError { message: String::new() });
            tap.send(&[], &[]);
        }
    }

    /// What becomes of ten samples when the end waits so long.
    fn ten_samples(before_each: impl FnMut() + Send + 'static, patience: Duration) -> SampleFileStats {
        let sinks: Vec<Box<dyn SampleSink>> = vec![Box::new(Held(Box::new(before_each)))];
        let (writer, line) =
            SampleWriter::start(sinks, Arc::new(|_| None), Arc::new(|_| {})).unwrap().unwrap();
        send_ten(line);
        writer.finish_within(patience).remove(0)
    }

    #[test]
    fn the_end_does_not_wait_for_one_that_hangs() {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let mut groups = 0;
        let hang_after_three = move || {
            groups += 1;
            if groups > 3 {
                // An error when the sender is gone: the thread ends with the test.
                let _ = held.recv();
            }
        };
        let file = ten_samples(hang_after_three, Duration::from_millis(500));
        assert_eq!(file.written, 3, "{file:?}");
        let problem = file.problem.as_deref().unwrap();
        assert_eq!(problem, "nothing could be written for 0.5 s: its end is missing");
        assert_eq!(file.warning().unwrap(), format!("held: {problem}"));
        drop(release);
    }

    #[test]
    fn the_end_waits_for_one_that_gets_on_however_long_it_takes() {
        let patience = Duration::from_secs(2);
        let begin = Instant::now();
        let file = ten_samples(|| std::thread::sleep(Duration::from_millis(210)), patience);
        assert_eq!((file.written, file.lost, file.problem), (10, 0, None));
        assert!(begin.elapsed() > patience, "or nothing was seen");
    }

    #[test]
    fn one_that_fails_is_told_once_and_the_other_goes_on() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let (sink, calls) = (said.clone(), Arc::new(AtomicU64::new(0)));
        let say: MessageSink = Arc::new(move |message: Message| sink.lock().unwrap().push(message.text));
        let sinks: Vec<Box<dyn SampleSink>> =
            vec![Box::new(Takes(3, calls.clone())), Box::new(Takes(usize::MAX, Arc::default()))];
        let (writer, line) = SampleWriter::start(sinks, Arc::new(|_| None), say).unwrap().unwrap();
        send_ten(line);
        let files = writer.finish();
        assert_eq!(files.iter().map(|file| (file.written, file.lost)).collect::<Vec<_>>(), [(3, 7), (10, 0)]);
        assert_eq!(calls.load(Ordering::Relaxed), 4, "it is not tried again");
        assert!(files[0].warning().unwrap().starts_with("7 of 10 samples are missing from takes-3: "));
        assert_eq!(files[1].warning(), None);
        let said = said.lock().unwrap();
        assert!(said.len() == 1 && said[0].contains("no longer written to takes-3"), "{said:?}");
    }
}
