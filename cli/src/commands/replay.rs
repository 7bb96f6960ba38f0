//! `tapswitch replay`

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{ArgAction, Args};
use daemon::replay::{self, Account, Input, ReplayOptions, Summary};
use daemon::run;

use crate::render::replay as render;

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The lab file
    lab: PathBuf,
    /// A capture, and the port that its frames come in on; may be repeated
    ///
    /// TUNNEL@ADDRESS=FILE for frames that the far end of a tunnel sent; without ADDRESS when it has one far end. Of
    /// frames with the same time, those of the first input go first.
    #[arg(long = "in", required = true, value_name = "PORT=FILE")]
    inputs: Vec<Input>,
    /// What the switch draws its numbers from
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// End this long after the first frame: later frames are left out, and timers run until then [default: end
    /// with the last frame]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    until: Option<Duration>,
    /// Write what leaves into DIR, one pcapng for each port: red.pcapng, vx0@192.0.2.1.pcapng
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Replace such files where they are there already
    #[arg(long, requires = "write")]
    force: bool,
    /// Tell what becomes of each frame; twice, also what is in it
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

impl Replay {
    pub(crate) fn run(self, json: bool) -> Result<()> {
        let (_, lab) = run::read_lab(&self.lab)?;
        let options = ReplayOptions {
            inputs: self.inputs,
            seed: self.seed,
            until: self.until,
            write: self.write,
            force: self.force,
        };
        let width = options.inputs.iter().map(|input| input.to_string().len()).max();
        let mut page = Page::new(json, self.verbose, width.unwrap_or_default());
        let summary = match self.verbose {
            0 => replay::run(&lab, &options, None)?,
            _ => replay::run(&lab, &options, Some(&mut |account| page.tell(account)))?,
        };
        page.end(&summary)
    }
}

/// Standard output, written as the replay goes: it may be longer than memory is.
struct Page {
    json: bool,
    verbose: u8,
    width: usize,
    accounts: u64,
    out: BufWriter<io::Stdout>,
    outcome: io::Result<()>,
}

impl Page {
    fn new(json: bool, verbose: u8, width: usize) -> Self {
        let out = BufWriter::new(io::stdout());
        Self { json, verbose, width, accounts: 0, out, outcome: Ok(()) }
    }

    fn tell(&mut self, account: &Account) {
        if self.outcome.is_ok() {
            self.outcome = self.write_account(account);
        }
        self.accounts += 1;
    }

    fn write_account(&mut self, account: &Account) -> io::Result<()> {
        if !self.json {
            let text = render::account(account, self.width, self.verbose > 1);
            return writeln!(self.out, "{text}");
        }
        // One object in all, begun here: its other members follow in `end`.
        self.out.write_all(if self.accounts == 0 {
            b"{\n  \"accounts\": [\n    "
        } else {
            b",\n    "
        })?;
        serde_json::to_writer(&mut self.out, account)?;
        Ok(())
    }

    fn end(mut self, summary: &Summary) -> Result<()> {
        let written = match self.outcome {
            Ok(()) if self.json => {
                let object = serde_json::to_string_pretty(summary)?;
                match (self.accounts, object.strip_prefix('{')) {
                    (1.., Some(members)) => writeln!(self.out, "\n  ],{members}"),
                    _ => writeln!(self.out, "{object}"),
                }
            }
            Ok(()) => {
                let gap = if self.accounts > 0 { "\n" } else { "" };
                writeln!(self.out, "{gap}{}", render::summary(summary))
            }
            Err(error) => Err(error),
        };
        if !self.json {
            summary.warnings.iter().for_each(|warning| eprintln!("tapswitch: {warning}"));
        }
        match written.and_then(|()| self.out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            Err(error) => bail!("standard output cannot be written: {error}"),
            Ok(()) => Ok(()),
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "no such time".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Verb};

    fn parse(words: &str) -> Result<Replay, String> {
        let words = ["tapswitch", "replay"].into_iter().chain(words.split(' '));
        let args = Args::try_parse_from(words).map_err(|error| error.to_string())?;
        match args.verb {
            Verb::Replay(replay) => Ok(replay),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn inputs_are_ports_or_far_ends() {
        let typed =
            "lab.toml --in red=a=1.pcap --in vx0@192.0.2.1=b.pcapng --until 1.5 --seed 7 -vv";
        let replay = parse(typed).unwrap();
        let input = |name: &str, remote: Option<&str>, file: &str| Input {
            name: name.into(),
            remote: remote.map(|remote| remote.parse().unwrap()),
            file: file.into(),
        };
        let expected =
            [input("red", None, "a=1.pcap"), input("vx0", Some("192.0.2.1"), "b.pcapng")];
        assert_eq!(replay.inputs, expected);
        assert_eq!(replay.until, Some(Duration::from_millis(1500)));
        assert_eq!((replay.seed, replay.verbose, replay.force), (7, 2, false));
        assert_eq!(replay.write, None);
    }

    #[test]
    fn what_cannot_be_meant_is_wrong_usage() {
        for (typed, sentence) in [
            ("lab.toml", "--in <PORT=FILE>"),
            ("lab.toml --in red", "write PORT=FILE"),
            ("lab.toml --in =a.pcap", "write PORT=FILE"),
            ("lab.toml --in vx0@far=a.pcap", "write PORT=FILE"),
            ("lab.toml --in red=a.pcap --until soon", "a number of seconds"),
            ("lab.toml --in red=a.pcap --until=-1", "no such time"),
            ("lab.toml --in red=a.pcap --force", "--write"),
        ] {
            let error = parse(typed).unwrap_err();
            assert!(error.contains(sentence), "{typed}: {error}");
        }
    }
}
