//! How the command ends when it fails: a sentence on standard error, and an exit code that tells
//! whose fault it was.

use std::fmt;
use std::process::ExitCode;

use compare::CompareError;
use control::message::LostPort;
use daemon::log::LogError;
use daemon::run::RunError;
use labfile::ConfigError;
use offline::replay::ReplayError;

use crate::output;

/// What was typed makes no sense, though it could be read.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Two switches that were compared are different; the report has said where.
#[derive(Debug)]
pub(crate) struct Differs;

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two switches differ, and not by intention")
    }
}

impl std::error::Error for Differs {}

/// A frame would be dropped; the explanation has said why.
#[derive(Debug)]
pub(crate) struct WouldDrop;

impl fmt::Display for WouldDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the frame would be dropped")
    }
}

impl std::error::Error for WouldDrop {}

/// Ports of a lab that was applied could not be brought up.
#[derive(Debug)]
pub(crate) struct PortsLost(pub(crate) Vec<LostPort>);

/// `port two is lost: there is no process 10946`
impl fmt::Display for PortsLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lost: Vec<String> = self.0.iter().map(|lost| format!("port {lost}")).collect();
        f.write_str(&lost.join("; "))
    }
}

impl std::error::Error for PortsLost {}

/// No flow was such as was to be ended; the count has said so.
#[derive(Debug)]
pub(crate) struct NothingMatched;

impl fmt::Display for NothingMatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no flow matched")
    }
}

impl std::error::Error for NothingMatched {}

/// Nothing can be said of a frame, for this reason.
#[derive(Debug)]
pub(crate) struct Untold(pub(crate) anyhow::Error);

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Untold {}

/// The daemon refused, a step failed, a port is lost, two switches differ, a frame would be
/// dropped, or no flow matched.
const REFUSED: u8 = 1;
/// Wrong usage (as clap has it), a wrong lab file, no comparison, or no explanation.
const WRONG: u8 = 2;

/// Prints the error and chooses the exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    // A verdict that has been printed needs no second one.
    if !error.is::<WouldDrop>() && !error.is::<NothingMatched>() {
        output::aside(&sentence(error));
    }
    ExitCode::from(code(error))
}

/// A lab file's problems begin with the file's name, so that editors find the place; anything else
/// begins with ours.
fn sentence(error: &anyhow::Error) -> String {
    if let Some(Untold(cause)) = error.downcast_ref() {
        return sentence(cause);
    }
    let text = error.to_string();
    if is_bad_lab(error) || text.starts_with("tapswitch ") {
        return text;
    }
    format!("tapswitch: {text}")
}

fn code(error: &anyhow::Error) -> u8 {
    let is_wrong = is_bad_lab(error)
        || error.is::<Usage>()
        || error.downcast_ref::<LogError>().is_some_and(LogError::is_wrong_usage)
        || error.is::<CompareError>()
        || error.is::<Untold>()
        || error.downcast_ref::<RunError>().is_some_and(RunError::is_wrong_usage)
        || error.downcast_ref::<ReplayError>().is_some_and(ReplayError::is_wrong_input);
    if is_wrong { WRONG } else { REFUSED }
}

fn is_bad_lab(error: &anyhow::Error) -> bool {
    error.is::<ConfigError>() || error.downcast_ref::<RunError>().is_some_and(RunError::is_bad_lab)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_wrong_file_is_two_and_a_refusal_is_one() {
        let wrong = labfile::parse(b"[brigde.a]", "lab.toml").unwrap_err();
        assert_eq!(code(&wrong.clone().into()), 2);
        assert_eq!(code(&RunError::Lab(wrong).into()), 2);
        assert_eq!(code(&Usage("nothing to set".into()).into()), 2);
        assert_eq!(code(&RunError::Privilege(daemon::run::PrivilegeError::NotRoot).into()), 1);
        assert_eq!(code(&CompareError::Missing("ovs-vswitchd").into()), 2);
        assert_eq!(code(&Differs.into()), 1);
        let denied: anyhow::Error =
            RunError::Privilege(daemon::run::PrivilegeError::NotRoot).into();
        assert!(sentence(&denied).starts_with("tapswitch needs root"), "{denied}");
        let refused = client::ClientError::NoDaemon(PathBuf::from("/x"));
        assert_eq!(code(&refused.into()), 1);
    }
}
