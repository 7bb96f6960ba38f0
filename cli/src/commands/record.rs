//! `tapswitch record`

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::Subcommand;
use control::record::{RecordSpec, RecordStatus};
use labfile::printable;
use offline::replay;

use crate::context::Context;
use crate::render::record as render;

#[derive(Debug, Subcommand)]
pub(crate) enum Record {
    /// Begin a record, of the switch as it is and of everything that enters it from now on
    ///
    /// The daemon writes the file, readable by root alone: all that passes the switch is in it. It
    /// holds what was recorded until a second ago at any time, so that it can be replayed also
    /// when the daemon is killed.
    Start {
        /// The file to write
        file: PathBuf,
        /// End the record before the file takes more: bytes, or with K, M or G
        #[arg(long, value_name = "SIZE", value_parser = size, default_value = "256M")]
        max_size: u64,
        /// End it after so long: seconds, or with ms, s, m or h [default: as long as there is
        /// room]
        #[arg(long, value_name = "TIME", value_parser = replay::span)]
        max_time: Option<Duration>,
        /// Replace the file where it is there already; nothing but an ordinary file is replaced
        #[arg(long)]
        force: bool,
    },
    /// End the record; prints what it has become
    Stop,
    /// How far the record is, or how the latest one ended
    Status,
}

impl Record {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = &context.client;
        let status: RecordStatus = match self {
            Self::Start { file, max_size, max_time, force } => {
                let file = std::path::absolute(&file)
                    .map_err(|error| anyhow!("{}: {error}", printable::path(&file)))?;
                let max_time = max_time.map(|time| time.as_secs_f64());
                let max_size = Some(max_size);
                client.start_record(&RecordSpec { file, force, max_size, max_time }).await?
            }
            Self::Stop => client.stop_record().await?,
            Self::Status => client.record_status().await?,
        };
        context.list(&status, render::status)
    }
}

/// Reads a size as `256M`.
fn size(text: &str) -> Result<u64, String> {
    let units = [('K', 10), ('M', 20), ('G', 30)];
    let known = units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(*unit)?, *shift)));
    let (number, shift) = known.unwrap_or((text, 0));
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes.ok_or_else(|| "write a number of bytes, or with K, M or G, as in 256M".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        assert_eq!(size("256M"), Ok(268_435_456));
        assert_eq!(size("1K"), Ok(1024));
        assert_eq!(size("7"), Ok(7));
        for text in ["", "M", "1T", "-1", "99999999999G", "1.5M"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
