//! Log lines on their way to standard error: whoever logs hands a line over and goes on, whatever
//! becomes of it.
//!
//! # Theory of operation
//! Lines wait in a queue that is bounded in bytes; one thread writes them. A line that does not
//! fit, because the reader is slow or has stopped, and a line that the descriptor refuses (no
//! reader, a full disk) are lost and counted at their place in the queue. As soon as something can
//! be written again, the count is written in their place. While there is a count to tell, that is
//! tried again every [`RETRY`], also when nobody logs. The queue's lock is never held while
//! something is written, so nobody waits for a descriptor but the thread.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer as Text;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

/// The near end of the queue. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Something waits, or nothing does any more.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// Of the lines that wait.
    bytes: usize,
    /// Whether the thread is at a line that it has taken out.
    is_writing: bool,
}

#[derive(Debug)]
enum Waiting {
    Line(Vec<u8>),
    /// So many lines did not fit here.
    Lost(u64),
}

impl Lines {
    /// A queue, and the thread that writes its lines to `out`.
    ///
    /// # Errors
    /// A thread cannot be had.
    pub(super) fn to(out: impl Write + Send + 'static) -> io::Result<Self> {
        let lines = Self::default();
        let shared = Arc::clone(&lines.0);
        let run = move || Writer { shared: &shared, out, lost: 0, is_cut: false }.run();
        thread::Builder::new().name("log".into()).spawn(run)?;
        Ok(lines)
    }

    /// Hands a line over, its newline included. Never waits for it to be written.
    pub(super) fn hand_over(&self, line: Vec<u8>) {
        let mut queue = self.0.lock();
        if queue.waiting.is_empty() || queue.bytes + line.len() <= MOST_WAITING {
            queue.bytes += line.len();
            queue.waiting.push_back(Waiting::Line(line));
        } else if let Some(Waiting::Lost(count)) = queue.waiting.back_mut() {
            *count += 1;
        } else {
            queue.waiting.push_back(Waiting::Lost(1));
        }
        drop(queue);
        self.0.changed.notify_all();
    }

    /// Hands over a line of our own, as the log writes its lines.
    pub(super) fn say(&self, level: Level, sentence: &str) {
        self.hand_over(stamped(level, sentence));
    }

    /// Waits until nothing waits, or `patience` is at its end.
    pub(super) fn flush(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut queue = self.0.lock();
        while queue.is_writing || !queue.waiting.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let changed = self.0.changed.wait_timeout(queue, left);
            queue = changed.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// One write is one line: so does the log's formatter.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.hand_over(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The far end, on its thread.
struct Writer<'s, W> {
    shared: &'s Shared,
    out: W,
    /// Lines that were lost and not yet told of.
    lost: u64,
    /// The last line that was written is not whole.
    is_cut: bool,
}

impl<W: Write> Writer<'_, W> {
    fn run(mut self) {
        loop {
            match self.next() {
                Some(Waiting::Line(line)) => {
                    if !(self.tell_lost() && self.write(&line)) {
                        self.lost += 1;
                    }
                }
                Some(Waiting::Lost(count)) => self.lost += count,
                None => drop(self.tell_lost()),
            }
        }
    }

    /// The next of the queue, waited for; `None` when it is time to tell of lost lines.
    fn next(&mut self) -> Option<Waiting> {
        let mut queue = self.shared.lock();
        if queue.is_writing {
            queue.is_writing = false;
            self.shared.changed.notify_all();
        }
        let retry = Instant::now() + RETRY;
        while queue.waiting.is_empty() {
            let left = retry.saturating_duration_since(Instant::now());
            if self.lost > 0 && left.is_zero() {
                return None;
            }
            queue = match self.lost {
                0 => self.shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
                _ => {
                    let changed = self.shared.changed.wait_timeout(queue, left);
                    changed.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        let next = queue.waiting.pop_front()?;
        if let Waiting::Line(line) = &next {
            queue.bytes -= line.len();
        }
        queue.is_writing = true;
        Some(next)
    }

    /// Tells how many lines were lost, if any were; whether all is told.
    fn tell_lost(&mut self) -> bool {
        if self.lost == 0 {
            return true;
        }
        let lines = if self.lost == 1 { "line" } else { "lines" };
        let told = format!("{} log {lines} could not be written here and are lost", self.lost);
        if self.write(&stamped(Level::WARN, &told)) {
            self.lost = 0;
        }
        self.lost == 0
    }

    /// Writes a line, on a line of its own; whether it is written whole.
    fn write(&mut self, line: &[u8]) -> bool {
        if self.is_cut && !self.write_all(b"\n") {
            return false;
        }
        self.is_cut = false;
        self.write_all(line)
    }

    fn write_all(&mut self, mut rest: &[u8]) -> bool {
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(count @ 1..) => {
                    self.is_cut = true;
                    rest = rest.get(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Whoever shares the descriptor with us has made it so.
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(BETWEEN_LOOKS),
                Ok(0) | Err(_) => return false,
            }
        }
        self.is_cut = false;
        true
    }
}

/// A line as the log's formatter would write it, without colours.
fn stamped(level: Level, sentence: &str) -> Vec<u8> {
    let mut line = String::new();
    // A time that cannot be written is left out.
    let _ = SystemTime.format_time(&mut Text::new(&mut line));
    format!("{line} {level:>5} {sentence}\n").into_bytes()
}

/// Bytes of lines that wait at most: ten thousand lines, more than a reader that is only slow ever
/// leaves.
const MOST_WAITING: usize = 1 << 20;
/// How often a descriptor that refuses is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often one that takes nothing at the moment is.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// Refuses everything while it is shut, or after some bytes of a line.
    #[derive(Clone, Debug, Default)]
    struct Door(Arc<Mutex<Behind>>);

    #[derive(Debug, Default)]
    struct Behind {
        written: String,
        room: usize,
    }

    impl Door {
        fn written(&self) -> String {
            self.0.lock().unwrap().written.clone()
        }

        fn open(&self, room: usize) {
            self.0.lock().unwrap().room = room;
        }
    }

    impl Write for Door {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut behind = self.0.lock().unwrap();
            let count = bytes.len().min(behind.room);
            if count == 0 {
                return Err(io::Error::from_raw_os_error(28));
            }
            behind.room -= count;
            behind.written += std::str::from_utf8(&bytes[..count]).unwrap();
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn line(lines: &Lines, text: &str) {
        lines.hand_over(format!("{text}\n").into_bytes());
        lines.flush(LONG);
    }

    #[test]
    fn lines_that_a_full_disk_refuses_are_counted_and_told_when_there_is_room() {
        let door = Door::default();
        let lines = Lines::to(door.clone()).unwrap();
        line(&lines, "one");
        line(&lines, "two");
        assert_eq!(door.written(), "");
        door.open(1_000);
        line(&lines, "three");
        let told = door.written();
        let (first, rest) = told.split_once('\n').unwrap();
        assert!(first.ends_with(" WARN 2 log lines could not be written here and are lost"));
        assert_eq!(rest, "three\n");
    }

    #[test]
    fn a_line_that_was_cut_off_is_ended_and_counted() {
        let door = Door::default();
        door.open(6);
        let lines = Lines::to(door.clone()).unwrap();
        line(&lines, "one");
        line(&lines, "two");
        assert_eq!(door.written(), "one\ntw");
        door.open(1_000);
        line(&lines, "three");
        let told = door.written();
        let told: Vec<&str> = told.lines().collect();
        assert_eq!((told.len(), told[0], told[1], told[3]), (4, "one", "tw", "three"));
        assert!(told[2].contains("1 log line could"), "{told:?}");
    }

    #[test]
    fn what_was_lost_is_told_also_when_nobody_logs_any_more() {
        let door = Door::default();
        let lines = Lines::to(door.clone()).unwrap();
        line(&lines, "one");
        door.open(1_000);
        let deadline = Instant::now() + LONG;
        while door.written().is_empty() && Instant::now() < deadline {
            thread::yield_now();
        }
        assert!(door.written().contains("1 log line could"), "{}", door.written());
    }

    #[test]
    fn a_reader_that_has_stopped_holds_nobody_up_and_finds_the_gap_told() {
        let (out, mut reader) = UnixStream::pair().unwrap();
        let lines = Lines::to(out).unwrap();
        let text = [b'x'; 1_023];
        let count = 4 * (MOST_WAITING >> 10);
        for _ in 0..count {
            lines.hand_over([&text[..], b"\n"].concat());
        }
        let start = Instant::now();
        lines.flush(Duration::from_millis(10));
        assert!(start.elapsed() < LONG);
        let reading = thread::spawn(move || {
            let mut read = Vec::new();
            let mut buffer = [0; 1 << 16];
            while !read.ends_with(b"the last\n") {
                let more = reader.read(&mut buffer).unwrap();
                read.extend_from_slice(&buffer[..more]);
            }
            String::from_utf8(read).unwrap()
        });
        lines.flush(LONG);
        line(&lines, "the last");
        let read = reading.join().unwrap();
        let told: Vec<&str> = read.lines().filter(|line| !line.starts_with('x')).collect();
        // A gap is told where it is, and there may be several.
        let (last, gaps) = told.split_last().unwrap();
        assert_eq!((*last, gaps.is_empty()), ("the last", false), "{told:?}");
        let lost = |gap: &&str| -> usize {
            gap.split(" WARN ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
        };
        let lost: usize = gaps.iter().map(lost).sum();
        assert_eq!(
            read.lines().count() - told.len() + lost,
            count,
            "every line is written or counted"
        );
    }

    /// Also one that a program beside us has made non-blocking.
    #[test]
    fn a_descriptor_that_would_block_is_waited_for() {
        let (out, mut reader) = UnixStream::pair().unwrap();
        out.set_nonblocking(true).unwrap();
        let lines = Lines::to(out).unwrap();
        let text = vec![b'x'; MOST_WAITING - 1];
        lines.hand_over([&text[..], b"\n"].concat());
        let mut read = vec![0; MOST_WAITING];
        reader.read_exact(&mut read).unwrap();
        assert_eq!((read.last(), read.first()), (Some(&b'\n'), Some(&b'x')));
    }
}
