//! `tapswitch explain`

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use clap::{ArgGroup, Args};
use control::explain::{Question, Story};
use daemon::run;
use offline::explain::{self, ExplainError, Selection};

use crate::context::{Context, block_on};
use crate::failure::{Untold, WouldDrop};
use crate::output;
use crate::render::explain as render;

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args(["frames", "captures"])))]
pub(crate) struct Explain {
    /// Where frames come in: a port, or TUNNEL@ADDRESS for a remote VTEP of a tunnel, whose frames
    /// are those inside
    #[arg(long = "in", value_name = "PORT")]
    input: String,
    /// A frame in hexadecimal digits; may be repeated
    ///
    /// Blanks, colons, newlines and 0x between the bytes are passed over; @- reads standard input.
    /// PORT=HEX for one that comes in elsewhere.
    #[arg(long = "frame", value_name = "HEX")]
    frames: Vec<String>,
    /// The frames of a capture (pcap, pcapng, also in gzip), or only the one of this number, from
    /// 1; may be repeated
    ///
    /// PORT=FILE for frames that come in elsewhere.
    #[arg(long = "pcap", value_name = "FILE[:N]")]
    captures: Vec<String>,
    /// Ask a switch that is made from this lab file, with all ports up and nothing learned, in
    /// place of the daemon
    #[arg(long, value_name = "FILE")]
    lab: Option<PathBuf>,
}

impl Explain {
    pub(crate) fn run(self, context: &Context) -> Result<()> {
        let stories = self.ask(context).map_err(Untold)?;
        if context.json {
            output::json(&stories)?;
        } else {
            output::text(&render::stories(&stories))?;
        }
        match stories.last().is_some_and(|story| story.verdict.passes) {
            true => Ok(()),
            false => Err(WouldDrop.into()),
        }
    }

    fn ask(self, context: &Context) -> Result<Vec<Story>> {
        let question = Question { frames: self.read()?, input: self.input };
        if let Some(path) = &self.lab {
            let (_, lab) = run::read_lab(path)?;
            return Ok(explain::in_lab(&lab, &question)?);
        }
        let mut stories = Vec::new();
        block_on(async {
            stories = context.client.explain(&question).await?;
            Ok(())
        })?;
        Ok(stories)
    }

    /// All frames as digits: those of captures first.
    fn read(&self) -> Result<Vec<String>> {
        let mut frames = Vec::new();
        for text in &self.captures {
            let (place, file) = match text.split_once('=') {
                Some((place, file)) if !Path::new(text).exists() => (Some(place), file),
                _ => (None, text.as_str()),
            };
            let selected = Selection::parse(file)?.read()?;
            frames.extend(selected.iter().map(|bytes| digits(place, bytes)));
        }
        for text in &self.frames {
            let (place, written) = match text.split_once('=') {
                Some((place, written)) => (Some(place), written),
                None => (None, text.as_str()),
            };
            let bytes = match written.trim() {
                "@-" => explain::hex(&standard_input()?)?,
                written => explain::hex(written)?,
            };
            frames.push(digits(place, &bytes));
        }
        Ok(frames)
    }
}

fn digits(place: Option<&str>, bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    place.map_or_else(|| hex.clone(), |place| format!("{place}={hex}"))
}

/// Digits of one frame: a longer text cannot be one.
fn standard_input() -> Result<String> {
    let mut text = String::new();
    let read = io::stdin().lock().take(MOST_DIGITS).read_to_string(&mut text);
    match read {
        Ok(count) if count as u64 == MOST_DIGITS => {
            Err(ExplainError::TooLong { bytes: text.len() / 2 }.into())
        }
        Ok(_) => Ok(text),
        Err(error) => Err(anyhow!("standard input cannot be read: {error}")),
    }
}

/// Eight characters a byte, of the longest frame.
const MOST_DIGITS: u64 = 8 * 65_557;

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::args::{Args, Verb};

    fn parse(words: &str) -> Result<Explain, String> {
        let words = ["tapswitch", "explain"].into_iter().chain(words.split(' '));
        let args = Args::try_parse_from(words).map_err(|error| error.to_string())?;
        match args.verb {
            Verb::Explain(explain) => Ok(explain),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn frames_and_captures_may_be_several_and_come_in_anywhere() {
        let explain = parse("--in red --frame 02:00 --frame wan=0x0203 --lab lab.toml").unwrap();
        assert_eq!(explain.read().unwrap(), ["0200", "wan=0203"]);
        assert_eq!(explain.lab, Some(PathBuf::from("lab.toml")));
    }

    #[test]
    fn what_cannot_be_meant_is_wrong_usage() {
        for (typed, sentence) in [
            ("--in red", "--frame <HEX>"),
            ("--frame 00", "--in <PORT>"),
            ("--in red --frame", "--frame <HEX>"),
        ] {
            let error = parse(typed).unwrap_err();
            assert!(error.contains(sentence), "{typed}: {error}");
        }
    }

    #[test]
    fn what_is_no_frame_is_a_sentence() {
        for (typed, sentence) in [
            ("--in red --frame 020", "half a byte"),
            ("--in red --frame red=02:0g", "'g' at character 5"),
            ("--in red --pcap /nonexistent/a.pcap:3", "/nonexistent/a.pcap: No such file"),
            ("--in red --pcap a.pcap:0", "a.pcap: frames are counted from 1"),
            ("--in red --pcap Cargo.toml", "Cargo.toml is not a capture"),
        ] {
            let error = parse(typed).unwrap().read().unwrap_err().to_string();
            assert!(error.contains(sentence), "{typed}: {error}");
        }
    }

    /// What advice tells to type can be typed.
    #[test]
    fn every_command_in_an_advice_is_one() {
        Args::command().debug_assert();
        let mut commands = 0;
        for (reason, advice) in explain::remedies() {
            for command in advice.split('`').filter(|text| text.starts_with("tapswitch ")) {
                let parsed = Args::try_parse_from(command.split(' '));
                assert!(parsed.is_ok(), "{reason}: {command}: {}", parsed.unwrap_err());
                commands += 1;
            }
        }
        assert!(commands > 20, "{commands}");
    }
}
