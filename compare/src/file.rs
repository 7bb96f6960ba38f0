//! Scenario files: the tables of a lab file, and `[[step]]`.
//!
//! ```toml
//! [bridge.br0]
//!
//! [port.red]
//! bridge = "br0"
//! vlan = 10
//!
//! [[step]]
//! port = "red"              # a frame in fields ...
//! from = "02:00:00:00:00:01"
//! to = "ff:ff:ff:ff:ff:ff"  # left out: everybody
//!
//! [[step]]
//! port = "red"              # ... or in hexadecimal digits
//! frame = "ffffffffffff 020000000001 88b5"
//!
//! [[step]]
//! wait = 30                 # seconds; or unplug = "red", plug = "red", flush = true
//! ```

use std::path::Path;

use packet::Mac;
use serde::{Deserialize, Serialize};

use super::error::CompareError;
use super::scenario::{Scenario, Step};
use labfile::{LabSpec, MAX_BYTES, Name};

/// One `[[step]]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StepSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ethertype: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unplug: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plug: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flush: Option<bool>,
}

#[derive(Serialize, Deserialize)]
struct Steps {
    #[serde(default)]
    step: Vec<StepSpec>,
}

/// Reads a scenario, or a lab (which has no steps).
///
/// # Errors
/// The file cannot be read, or is wrong; the sentence says where.
pub(super) fn read(path: &Path) -> Result<Scenario, CompareError> {
    let wrong = |error| CompareError::File { path: path.to_owned(), error };
    let size = std::fs::metadata(path).map_err(wrong)?.len();
    if size > MAX_BYTES as u64 {
        return Err(wrong(std::io::Error::other("the file is longer than 4 MiB")));
    }
    let text = std::fs::read_to_string(path).map_err(wrong)?;
    parse(&text, &path.display().to_string())
}

/// Reads a scenario from its text; `file` only heads the sentences of the error.
///
/// # Errors
/// See [`read`].
pub(super) fn parse(text: &str, file: &str) -> Result<Scenario, CompareError> {
    let toml = |error| CompareError::Toml { file: file.to_owned(), error: Box::new(error) };
    let mut table: toml::Table = toml::from_str(text).map_err(toml)?;
    let steps = table.remove("step").unwrap_or_else(|| toml::Value::Array(Vec::new()));
    let steps: Vec<StepSpec> = steps.try_into().map_err(toml)?;
    let spec: LabSpec = table.try_into().map_err(toml)?;
    let scenario = |error| CompareError::Scenario { file: file.to_owned(), error };
    let setup = Scenario::new(spec, Vec::new()).map_err(scenario)?;
    let mut read = Vec::new();
    for (at, step) in steps.into_iter().enumerate() {
        let wrong = |wrong| CompareError::Step { file: file.to_owned(), number: at + 1, wrong };
        let step = meaning(&step).map_err(wrong)?;
        if let Some(port) = step.port().filter(|port| setup.membership(port).is_none()) {
            return Err(wrong(format!("no port is called {:?}", port.as_str())));
        }
        read.push(step);
    }
    Ok(setup.with_steps(read))
}

/// A scenario as the text of a file that reads back to the same scenario.
pub(super) fn write(scenario: &Scenario) -> String {
    let step = scenario.steps.iter().map(written).collect();
    let steps = toml::to_string(&Steps { step }).unwrap_or_default();
    let lab = scenario.spec.to_toml().unwrap_or_default();
    format!("{lab}\n{steps}")
}

fn meaning(spec: &StepSpec) -> Result<Step, String> {
    let StepSpec { wait, unplug, plug, flush, port, .. } = spec;
    let kinds = [wait.is_some(), unplug.is_some(), plug.is_some(), flush.is_some(), port.is_some()];
    if kinds.into_iter().filter(|kind| *kind).count() != 1 {
        let keys = "`port`, `wait`, `unplug`, `plug` and `flush`";
        return Err(format!("a step has exactly one of {keys}"));
    }
    match (wait, unplug, plug, port) {
        (Some(seconds), ..) => Ok(Step::Wait(*seconds)),
        (_, Some(port), ..) => Ok(Step::Unplug(name(port)?)),
        (_, _, Some(port), _) => Ok(Step::Plug(name(port)?)),
        (_, _, _, Some(port)) => Ok(Step::Frame { port: name(port)?, bytes: frame(spec)? }),
        (None, None, None, None) => Ok(Step::Flush),
    }
}

fn frame(spec: &StepSpec) -> Result<Vec<u8>, String> {
    if let Some(frame) = &spec.frame {
        let fields = [spec.from.is_some(), spec.to.is_some(), spec.vlan.is_some()];
        let more = [spec.priority.is_some(), spec.ethertype.is_some(), spec.payload.is_some()];
        if fields.into_iter().chain(more).any(|given| given) {
            return Err("`frame` is the whole frame; delete the other keys".to_owned());
        }
        return digits("frame", frame);
    }
    let from = spec.from.as_deref().ok_or("a frame needs `from`, or `frame` for all its bytes")?;
    let mac = |key: &str, text: &str| {
        text.parse::<Mac>().map_err(|error| format!("`{key}` is {text:?}: {error}"))
    };
    let to = spec.to.as_deref().map_or(Ok(Mac::BROADCAST), |to| mac("to", to))?;
    let mut bytes = [to.0, mac("from", from)?.0].concat();
    let (vlan, priority) = (spec.vlan.unwrap_or(0), spec.priority.unwrap_or(0));
    if vlan > 4095 || priority > 7 {
        return Err("`vlan` is 0 to 4095 and `priority` 0 to 7".to_owned());
    }
    if spec.vlan.is_some() || spec.priority.is_some() {
        bytes.extend(0x8100_u16.to_be_bytes());
        bytes.extend((priority << 13 | vlan).to_be_bytes());
    }
    bytes.extend(spec.ethertype.unwrap_or(EXPERIMENT).to_be_bytes());
    bytes.extend(digits("payload", spec.payload.as_deref().unwrap_or_default())?);
    Ok(bytes)
}

/// Bytes in hexadecimal digits; spaces, colons and hyphens between them do not matter.
fn digits(key: &str, text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("`{key}` is not an even number of hexadecimal digits");
    let kept = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, ':' | '-'));
    let digits: Option<Vec<u8>> = kept.map(|c| Some(c.to_digit(16)? as u8)).collect();
    let digits = digits.ok_or_else(wrong)?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    });
    let bytes: Vec<u8> = pairs.collect::<Option<_>>().ok_or_else(wrong)?;
    if bytes.len() > LONGEST {
        return Err(format!("`{key}` has {} bytes and the limit is {LONGEST}", bytes.len()));
    }
    Ok(bytes)
}

fn name(text: &str) -> Result<Name, String> {
    text.parse().map_err(|error| format!("{text:?} is no name of a port: {error}"))
}

fn written(step: &Step) -> StepSpec {
    let text = |name: &Name| Some(name.to_string());
    let none = StepSpec::default();
    match step {
        Step::Frame { port, bytes } => {
            let frame = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            StepSpec { port: text(port), frame: Some(frame), ..none }
        }
        Step::Wait(seconds) => StepSpec { wait: Some(*seconds), ..none },
        Step::Unplug(port) => StepSpec { unplug: text(port), ..none },
        Step::Plug(port) => StepSpec { plug: text(port), ..none },
        Step::Flush => StepSpec { flush: Some(true), ..none },
    }
}

/// An EtherType for local experiments (IEEE 802, clause 9.2.3): nobody looks inside.
const EXPERIMENT: u16 = 0x88b5;
/// The longest frame of a lab's ports, with two tags.
const LONGEST: usize = 65_521 + 14 + 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate;

    const SETUP: &str = "[bridge.br0]\n[port.a]\nbridge = \"br0\"\n";

    fn steps(text: &str) -> Vec<Step> {
        parse(&format!("{SETUP}{text}"), "x.toml").unwrap().steps
    }

    fn sentence(text: &str) -> String {
        parse(&format!("{SETUP}{text}"), "x.toml").unwrap_err().to_string()
    }

    #[test]
    fn fields_and_digits_say_the_same_frame() {
        let text = "[[step]]\nport = \"a\"\nfrom = \"02:00:00:00:00:01\"\nvlan = 10\npriority = 3\n\
                    [[step]]\nport = \"a\"\nframe = \"ff:ff:ff:ff:ff:ff 020000000001 8100600a 88b5\"\n";
        let steps = steps(text);
        assert_eq!(steps[0], steps[1]);
    }

    #[test]
    fn wrong_steps_say_which_and_what() {
        assert_eq!(
            sentence("[[step]]\nwait = 1\nflush = true"),
            "x.toml: step 1: a step has exactly one of `port`, `wait`, `unplug`, `plug` and `flush`"
        );
        assert_eq!(sentence("[[step]]\nplug = \"b\""), "x.toml: step 1: no port is called \"b\"");
        assert!(sentence("[[step]]\nport = \"a\"\nframe = \"abc\"").contains("even number"));
        assert!(sentence("[[step]]\nport = \"a\"").contains("needs `from`"));
        assert!(sentence("[[step]]\nwhat = 1").contains("unknown field"));
    }

    #[test]
    fn a_scenario_written_is_the_same_when_read() {
        for seed in 0..40 {
            let scenario = generate::scenario(seed, 40).unwrap();
            let text = write(&scenario);
            let again = parse(&text, "x.toml").unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!((&scenario.spec, &scenario.steps), (&again.spec, &again.steps));
        }
    }
}
