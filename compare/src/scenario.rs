//! What both switches are put through: one bridge with its ports, and a sequence of steps.
//!
//! The set-up is a lab like any other, checked by the same check and turned into a switch by the
//! same code as `tapswitch run` uses; only what Open vSwitch has no word for is refused. Time is
//! virtual and counts whole seconds, the unit in which Open vSwitch ages its stations. A sequence
//! remains a legal one when steps are taken out of it.

use std::fmt;

use packet::Mac;

use labfile::{Bridge, ConfigError, Lab, LabSpec, Membership, Name, Reserved};

/// A set-up and a sequence.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The set-up as it was written.
    pub spec: LabSpec,
    /// What it means; has one bridge, and ports on it.
    lab: Lab,
    bridge: Bridge,
    /// In order.
    pub steps: Vec<Step>,
}

/// One thing that happens to both switches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A frame comes in on a port; nothing happens while nothing is plugged in there.
    Frame {
        /// The port.
        port: Name,
        /// Ethernet header with all tags, and payload; no FCS.
        bytes: Vec<u8>,
    },
    /// Seconds pass.
    Wait(u32),
    /// A port is removed, with all that was learned on it; nothing happens when it is gone already.
    Unplug(Name),
    /// A removed port is added again as it was, static entries included.
    Plug(Name),
    /// What was learned is forgotten.
    Flush,
}

/// Why a lab cannot be put before Open vSwitch.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It is not even a lab.
    #[error(transparent)]
    Lab(#[from] ConfigError),
    /// The comparison is about one bridge.
    #[error("a scenario has one bridge, and this one has {0}; write one [bridge.NAME]")]
    Bridges(usize),
    /// The comparison is about bridging.
    #[error("a scenario is about one bridge and its ports, and this one has `{0}`; delete it")]
    Beyond(&'static str),
    /// One bit in Open vSwitch (`forward-bpdu`), sixteen here.
    #[error(
        "Open vSwitch forwards all reserved addresses or none; write forward = \"all\", or delete it"
    )]
    Forward,
}

impl Scenario {
    /// A set-up with its steps. Ports need not say where they are attached: nothing is attached.
    ///
    /// # Errors
    /// See [`ScenarioError`].
    pub fn new(spec: LabSpec, steps: Vec<Step>) -> Result<Self, ScenarioError> {
        let mut attached = spec.clone();
        for port in attached.port.values_mut() {
            let nowhere = port.netns.is_none() && port.pid.is_none() && port.interface.is_none();
            if nowhere && port.host.is_none() {
                port.host = Some(true);
            }
        }
        let lab = Lab::try_from(&attached)?;
        let mut bridges = lab.bridges.values();
        let (Some(bridge), None) = (bridges.next().cloned(), bridges.next()) else {
            return Err(ScenarioError::Bridges(lab.bridges.len()));
        };
        beyond(&lab, &bridge)?;
        Ok(Self { spec, lab, bridge, steps })
    }

    /// The same set-up with other steps.
    #[must_use]
    pub fn with_steps(&self, steps: Vec<Step>) -> Self {
        Self { steps, ..self.clone() }
    }

    /// The lab that it means.
    pub const fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The lab while only some of its ports are plugged in.
    pub fn lab_with(&self, plugged: impl Fn(&Name) -> bool) -> Lab {
        let mut lab = self.lab.clone();
        lab.ports.retain(|name, _| plugged(name));
        lab.statics.retain(|entry| plugged(&entry.port));
        lab
    }

    /// The bridge.
    pub const fn bridge(&self) -> &Bridge {
        &self.bridge
    }

    /// Whether reserved addresses are forwarded.
    pub fn forwards_reserved(&self) -> bool {
        !self.bridge.forward.is_empty()
    }

    /// The ports with their places on the bridge, by name.
    pub fn ports(&self) -> impl Iterator<Item = (&Name, &Membership)> {
        self.lab.ports.values().filter_map(|port| Some((&port.name, port.membership()?)))
    }

    /// Whether every port that a step names is there.
    pub fn is_complete(&self) -> bool {
        let mut named = self.steps.iter().filter_map(Step::port);
        named.all(|port| self.membership(port).is_some())
    }

    /// The place of one port.
    pub fn membership(&self, port: &Name) -> Option<&Membership> {
        self.lab.ports.get(port)?.membership()
    }
}

/// Refuses what is not bridging, or what Open vSwitch has no word for.
fn beyond(lab: &Lab, bridge: &Bridge) -> Result<(), ScenarioError> {
    let excluded = [
        ("router", !lab.interfaces().is_empty()),
        ("hub", bridge.hub),
        ("guard", lab.ports.values().any(|port| port.guard)),
        ("tunnel", !lab.tunnels.is_empty()),
        ("route", !lab.routes.is_empty()),
        ("masquerade", !lab.masquerade.is_empty()),
        ("publish", !lab.publish.is_empty()),
    ];
    if let Some((key, _)) = excluded.into_iter().find(|(_, present)| *present) {
        return Err(ScenarioError::Beyond(key));
    }
    match bridge.forward.len() {
        0 => Ok(()),
        some if some == Reserved::all().count() => Ok(()),
        _ => Err(ScenarioError::Forward),
    }
}

impl Step {
    /// The port that it names.
    pub const fn port(&self) -> Option<&Name> {
        match self {
            Self::Frame { port, .. } | Self::Unplug(port) | Self::Plug(port) => Some(port),
            Self::Wait(_) | Self::Flush => None,
        }
    }
}

impl fmt::Display for Step {
    /// One line: `red: 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, tag 8100 600a, type 0806, 28 bytes`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame { port, bytes } => write!(f, "{port}: {}", Outline(bytes)),
            Self::Wait(seconds) => write!(f, "wait {seconds} s"),
            Self::Unplug(port) => write!(f, "unplug {port}"),
            Self::Plug(port) => write!(f, "plug {port}"),
            Self::Flush => f.write_str("flush"),
        }
    }
}

/// The addresses of a frame, destination first; none when it is shorter than they are.
pub(super) fn addresses(bytes: &[u8]) -> Option<(Mac, Mac)> {
    let (to, rest) = bytes.split_first_chunk::<6>()?;
    Some((Mac(*to), Mac(*rest.first_chunk::<6>()?)))
}

/// The 16-bit word at `at`.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let word = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*word))
}

/// Where a frame's EtherType ends, behind whatever tags there are.
pub(super) fn header_len(bytes: &[u8]) -> usize {
    let mut at = 12;
    while let Some(0x8100 | 0x88a8) = word(bytes, at) {
        at += 4;
    }
    at + 2
}

/// A frame in one line: addresses, tags as they stand on the wire, EtherType, length of the rest.
pub(super) struct Outline<'a>(pub(super) &'a [u8]);

impl fmt::Display for Outline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((to, from)) = addresses(self.0) else {
            return write!(f, "{} bytes", self.0.len());
        };
        write!(f, "{from} > {to}")?;
        let mut at = 12;
        while let (Some(tpid @ (0x8100 | 0x88a8)), Some(bits)) =
            (word(self.0, at), word(self.0, at + 2))
        {
            write!(f, ", tag {tpid:04x} {bits:04x}")?;
            at += 4;
        }
        match word(self.0, at) {
            Some(kind) => write!(f, ", type {kind:04x}, {} bytes", self.0.len() - at - 2),
            None => f.write_str(", cut off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use labfile::{BridgeSpec, PortSpec};

    fn spec() -> LabSpec {
        let mut spec = LabSpec::default();
        spec.bridge.insert("br0".into(), BridgeSpec::default());
        let port = PortSpec { bridge: Some("br0".into()), ..PortSpec::default() };
        spec.port.insert("a".into(), port);
        spec
    }

    #[test]
    fn a_port_needs_no_place_in_the_machine() {
        let scenario = Scenario::new(spec(), vec![Step::Flush]).unwrap();
        assert_eq!(scenario.ports().count(), 1);
        assert_eq!(scenario.lab_with(|_| false).ports.len(), 0);
    }

    #[test]
    fn what_is_no_bridging_is_refused() {
        let mut routed = spec();
        routed.bridge.get_mut("br0").unwrap().router = vec!["10.0.0.1/24".into()];
        let error = Scenario::new(routed, Vec::new()).unwrap_err();
        assert!(error.to_string().contains("this one has `router`"), "{error}");
        let mut some = spec();
        some.bridge.get_mut("br0").unwrap().forward = vec!["lldp".into()];
        let error = Scenario::new(some, Vec::new()).unwrap_err();
        assert!(matches!(error, ScenarioError::Forward), "{error}");
        assert!(matches!(
            Scenario::new(LabSpec::default(), Vec::new()),
            Err(ScenarioError::Bridges(0))
        ));
    }

    #[test]
    fn a_frame_is_told_in_one_line() {
        let bytes = b"\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x01\x81\0\x60\x0a\x08\x06abc".to_vec();
        let step = Step::Frame { port: "red".parse().unwrap(), bytes };
        assert_eq!(
            step.to_string(),
            "red: 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, tag 8100 600a, type 0806, 3 bytes"
        );
    }
}
