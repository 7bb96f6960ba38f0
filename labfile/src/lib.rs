//! The lab file: what a user writes, and the lab it means.
//!
//! | step | from | to | file |
//! |---|---|---|---|
//! | read | bytes | [`LabSpec`], every value still as written | `text`, `keys` |
//! | check | [`LabSpec`] | [`Lab`], every value a proven one | `check/` |
//!
//! The control API sends a [`LabSpec`] (or a part of one) as JSON and passes the same check, so a
//! verb and a file earn the same sentence; only a file's has a line and a column. Nothing here
//! touches the machine: whether a device name is taken or a process lives is found out when the lab
//! is built.

// Their macros panic when nobody reads: say it by `output` or the log.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]
#![forbid(unsafe_code)]

pub mod changes;
mod check;
#[cfg(any(test, fuzzing))]
#[allow(clippy::expect_used)]
pub mod fuzz;
pub mod ids;
mod keys;
mod lab;
mod left_behind;
pub mod machine;
mod nearest;
mod place;
pub mod plan;
pub mod printable;
mod problem;
mod processors;
mod recency;
mod renumber;
mod spec;
mod text;

use recency::Recency;

pub use lab::Lab;
pub use lab::bridge::{Bridge, Reserved, Static};
pub use lab::device::Device;
pub use lab::interface::{Interface, InterfaceName};
pub use lab::name::Name;
pub use lab::nat::{InsideService, ListenScope, Listener, Masquerade};
pub use lab::port::SUPER_FRAME;
pub use lab::port::{Attach, Membership, Netns, Port, Segment};
pub use lab::route::NextHop;
pub use lab::settings::{Settings, Timeouts, Timers};
pub use lab::threads::{NotAPoll, Poll};
pub use lab::tunnel::{Dscp, Ttl, Tunnel, TunnelVlans};
pub use left_behind::left_behind;
pub use problem::{ConfigError, Position, Problem};
pub use processors::{locate_absent, ranges};
pub use renumber::{Renumbering, Unmovable, Wanted, renumber};
pub use text::MAX_BYTES;

pub use spec::texts::{BoolOrText, NumberOrText};
pub use spec::{
    BridgeSpec, LabSpec, MasqueradeSpec, PortSpec, PublishSpec, RouteSpec, StaticSpec, SwitchSpec,
    TimeoutsSpec, TunnelSpec, VlanSpec,
};

/// Reads and checks a whole lab file; `file_name` only heads the sentences of the error.
///
/// A file that is not UTF-8 or not TOML stops at the first fault. Unknown keys are reported
/// together, and so are the faults of meaning, each at its line and column.
pub fn parse(text: &[u8], file_name: &str) -> Result<Lab, ConfigError> {
    parse_spec(text, file_name).map(|(_, lab)| lab)
}

/// As [`parse`], and returns what was written beside what it means: the verbs of the command line
/// edit the former.
pub fn parse_spec(text: &[u8], file_name: &str) -> Result<(LabSpec, Lab), ConfigError> {
    parse_text(text, file_name, false)
}

/// As [`parse_spec`], where a text that says nothing means the empty lab: what `--empty` stands
/// for.
pub fn parse_or_empty(text: &[u8], file_name: &str) -> Result<(LabSpec, Lab), ConfigError> {
    parse_text(text, file_name, true)
}

fn parse_text(
    text: &[u8],
    file_name: &str,
    may_be_empty: bool,
) -> Result<(LabSpec, Lab), ConfigError> {
    let (spec, tree) = text::read(text).map_err(|problem| ConfigError::of(file_name, problem))?;
    if spec.is_nothing() && !may_be_empty {
        return Err(ConfigError::of(file_name, vec![text::nothing()]));
    }
    match check::lab(&spec, Recency::in_file(&spec, &tree)) {
        Ok(lab) => Ok((spec, lab)),
        Err(problems) => Err(ConfigError::of(file_name, tree.locate(problems))),
    }
}

impl TryFrom<&LabSpec> for Lab {
    type Error = ConfigError;

    fn try_from(spec: &LabSpec) -> Result<Self, ConfigError> {
        check::lab(spec, Recency::default()).map_err(ConfigError::without_file)
    }
}

/// The lab that `wanted` means while `running` runs: of two parts that cannot both be, the new one
/// is refused.
pub fn changed(running: &LabSpec, wanted: &LabSpec) -> Result<Lab, ConfigError> {
    let recency = Recency::since(running, wanted);
    check::lab(wanted, recency).map_err(ConfigError::without_file)
}

/// The lab of `tapswitch demo`: two hosts, a gateway, and an outside host.
pub fn demo() -> &'static str {
    include_str!("../../examples/demo.toml")
}

#[cfg(test)]
mod tests;
