//! `tapswitch replay`

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{ArgAction, Args, ValueEnum};
use control::message::Show;
use daemon::run;
use labfile::printable;
use offline::replay::{self, Account, Input, Moment, RecordOptions, ReplayOptions, Summary};
use serde::Serialize;

use crate::failure::Usage;
use crate::output;
use crate::render::{counters, replay as render, tables, tree};

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The lab file, or a record
    file: PathBuf,
    /// A capture, and the port that its frames come in on; may be repeated
    ///
    /// TUNNEL@ADDRESS=FILE for frames that a remote VTEP of a tunnel sent; without ADDRESS when it
    /// has one. Of frames with the same time, those of the first input go first.
    #[arg(long = "in", value_name = "PORT=FILE")]
    inputs: Vec<Input>,
    /// What the switch draws its numbers from; a record brings its own [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// End this long after the first frame: later frames are left out, and timers run until then
    /// [default: end with the last frame]
    #[arg(long, value_name = "SECONDS", value_parser = replay::span)]
    until: Option<Duration>,
    /// Answer as a daemon would have at TIME: after the beginning (12.5s, 500ms), or by the
    /// calendar (2026-11-21T17:00:00Z). VIEW is show, fdb, conntrack, neigh, stats or drops
    #[arg(long, num_args = 2, value_names = ["TIME", "VIEW"], conflicts_with_all = ["until", "verbose"])]
    at: Option<Vec<String>>,
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
        let at = self.at.as_deref().map(AsOf::parse).transpose()?;
        if replay::is_record(&self.file) { self.record(at, json) } else { self.captures(at, json) }
    }

    fn record(self, at: Option<AsOf>, json: bool) -> Result<()> {
        if !self.inputs.is_empty() || self.seed.is_some() {
            let file = printable::path(&self.file);
            bail!(Usage(format!(
                "{file} is a record: it brings lab, frames and seed, so leave --in and --seed out"
            )));
        }
        let until = at.map(|at| at.time).or(self.until.map(Moment::After));
        let (write, force) = (self.write, self.force);
        let options = RecordOptions { file: self.file, until, write, force };
        if let Some(at) = at {
            let (summary, show) = replay::run_record(&options, None)?;
            return at.print(json, &summary, &show);
        }
        // What its ports are called is known as it goes.
        let mut page = Page::new(json, self.verbose, "change".len());
        let (summary, _) = match self.verbose {
            0 => replay::run_record(&options, None)?,
            _ => replay::run_record(&options, Some(&mut |account| page.tell(account)))?,
        };
        page.end(&summary)
    }

    fn captures(self, at: Option<AsOf>, json: bool) -> Result<()> {
        let (spec, lab) = run::read_lab(&self.file)?;
        if self.inputs.is_empty() {
            let file = printable::path(&self.file);
            bail!(Usage(format!("{file} is a lab file: say what comes in, with --in PORT=FILE")));
        }
        let mut options = ReplayOptions {
            inputs: self.inputs,
            seed: self.seed.unwrap_or_default(),
            until: self.until,
            write: self.write,
            force: self.force,
        };
        if let Some(at) = at {
            let Moment::After(span) = at.time else {
                bail!(Usage(
                    "captures are asked how long after the first frame, as in --at 12.5s fdb"
                        .into()
                ));
            };
            options.until = Some(span);
            let (summary, show) = replay::run_and_show((&spec, &lab), &options)?;
            return at.print(json, &summary, &show);
        }
        let width = options.inputs.iter().map(|input| input.to_string().len()).max();
        let mut page = Page::new(json, self.verbose, width.unwrap_or_default());
        let summary = match self.verbose {
            0 => replay::run(&lab, &options, None)?,
            _ => replay::run(&lab, &options, Some(&mut |account| page.tell(account)))?,
        };
        page.end(&summary)
    }
}

/// One listing, as of a moment.
#[derive(Copy, Clone, Debug)]
struct AsOf {
    time: Moment,
    view: View,
}

#[derive(Copy, Clone, Debug, ValueEnum)]
enum View {
    Show,
    Fdb,
    Conntrack,
    Neigh,
    Stats,
    Drops,
}

impl AsOf {
    fn parse(words: &[String]) -> Result<Self> {
        let [time, view] = words else { bail!(Usage("--at takes a time and a view".into())) };
        let time = time.parse().map_err(|error| Usage(format!("--at {time}: {error}")))?;
        let view = View::from_str(view, false).map_err(|_| {
            Usage(format!(
                "--at shows show, fdb, conntrack, neigh, stats or drops, and no {view:?}"
            ))
        })?;
        Ok(Self { time, view })
    }

    /// Prints what the verb of this name would have printed.
    fn print(self, json: bool, summary: &Summary, show: &Show) -> Result<()> {
        match self.view {
            View::Show => listing(json, show, tree::show),
            View::Fdb => listing(json, &summary.fdb, |all| tables::stations(all)),
            View::Conntrack => listing(json, &summary.conntrack, |all| tables::flows(all)),
            View::Neigh => listing(json, &summary.neighbors, |all| tables::neighbors(all)),
            View::Stats => listing(json, &summary.stats, counters::stats),
            View::Drops => listing(json, &summary.drops, |all| counters::drops(all)),
        }?;
        conclude(summary, json)
    }
}

fn listing<T: Serialize>(json: bool, values: &T, table: impl FnOnce(&T) -> String) -> Result<()> {
    if json { output::json(values) } else { output::text(&table(values)) }
}

/// Says what was wrong with what was read; a file that was cut off is a failure, whatever was made
/// of the rest.
fn conclude(summary: &Summary, json: bool) -> Result<()> {
    if summary.is_cut_off {
        bail!(Usage(summary.warnings.join("\ntapswitch: ")));
    }
    // JSON has them among its members.
    let warnings = summary.warnings.iter().filter(|_| !json);
    warnings.for_each(|warning| output::aside(&format!("tapswitch: {warning}")));
    match summary.record.as_ref().and_then(|record| record.equal) {
        Some(false) => bail!("the switch has not become what it was in the daemon"),
        Some(true) | None => Ok(()),
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
        match written.and_then(|()| self.out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            Err(error) => bail!("standard output cannot be written: {error}"),
            Ok(()) => conclude(summary, self.json),
        }
    }
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
    fn inputs_are_ports_or_remotes() {
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
        assert_eq!((replay.seed, replay.verbose, replay.force), (Some(7), 2, false));
        assert_eq!(replay.write, None);
    }

    #[test]
    fn what_cannot_be_meant_is_wrong_usage() {
        for (typed, sentence) in [
            ("x.record --at 1s", "2 values required"),
            ("x.record --at 1s fdb --until 2", "cannot be used with"),
            ("lab.toml --in red", "write PORT=FILE"),
            ("lab.toml --in =a.pcap", "write PORT=FILE"),
            ("lab.toml --in vx0@far=a.pcap", "write PORT=FILE"),
            ("lab.toml --in red=a.pcap --until soon", "a number of seconds"),
            ("lab.toml --in red=a.pcap --until=-1", "a number of seconds"),
            ("lab.toml --in red=a.pcap --force", "--write"),
        ] {
            let error = parse(typed).unwrap_err();
            assert!(error.contains(sentence), "{typed}: {error}");
        }
    }
}
