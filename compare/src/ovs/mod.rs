//! The other side: a real `ovs-vswitchd` with its dummy datapath, whose clock stands until we turn
//! it.
//!
//! # Theory of operation
//! A frame goes in by `netdev-dummy/receive` and waits in a queue. The daemon's main loop takes
//! frames from the queues ahead of its control connections, and serves those in the order in which
//! they were opened. So a question on the connection that was opened first (`asks`), sent after the
//! answer on the second (`acts`), is answered in a later turn of the loop, when the frame has
//! passed: that is the barrier, and `fdb/show` is the question. What left is then in the ports'
//! capture files, which are flushed frame by frame.

mod control;
mod daemons;
mod room;
mod tail;

use std::collections::BTreeMap;

use packet::Mac;

use self::control::Control;
use self::daemons::Daemons;
use self::tail::Tail;
use super::error::CompareError;
use super::scenario::{Scenario, Step};
use super::side::{Copy, Counts, Forget, Known, Observed, Side};
use labfile::{Membership, Name};
use switch::vlan::{PriorityTags, VlanMode, VlanSet};

/// An Open vSwitch of our own.
#[derive(Debug)]
pub struct Ovs {
    // Connections close before the daemon ends.
    asks: Control,
    acts: Control,
    daemons: Daemons,
    version: String,
    scenario: Option<Scenario>,
    /// What is plugged in, by its number on the bridge.
    cables: BTreeMap<usize, Cable>,
    /// Makes the names of capture files unique.
    files: u32,
}

#[derive(Debug)]
struct Cable {
    port: Name,
    tail: Tail,
}

impl Ovs {
    /// Starts one and stops its clock.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub fn start() -> Result<Self, CompareError> {
        let daemons = Daemons::start()?;
        let mut asks = Control::connect(&daemons.control())?;
        // Answered, so that this connection is the first in the daemon's list.
        let version = asks.call("version", &[])?;
        let mut acts = Control::connect(&daemons.control())?;
        acts.call("time/stop", &[])?;
        let version = version.split_whitespace().last().unwrap_or("unknown").to_owned();
        let cables = BTreeMap::new();
        Ok(Self { asks, acts, daemons, version, scenario: None, cables, files: 0 })
    }

    /// What it says of itself, as "3.1.0".
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it would do with a frame, in its own words (`ofproto/trace`). Nothing changes.
    ///
    /// # Errors
    /// It does not answer.
    pub fn trace(&mut self, port: &Name, bytes: &[u8]) -> Result<Vec<String>, CompareError> {
        let Some(number) = self.number(port).filter(|number| self.cables.contains_key(number))
        else {
            return Ok(vec!["nothing is plugged in there".to_owned()]);
        };
        let flow = format!("in_port={number}");
        let text = self.asks.call("ofproto/trace", &[BRIDGE, &flow, &hex(bytes)])?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Why a step failed: `error`, unless a daemon has ended, which is why it did.
    pub(super) fn reason(&mut self, error: CompareError) -> CompareError {
        self.daemons.ended().unwrap_or(error)
    }

    /// The number of a port on the bridge: Open vSwitch's start at 1.
    fn number(&self, port: &Name) -> Option<usize> {
        let scenario = self.scenario.as_ref()?;
        let position = scenario.ports().position(|(name, _)| name == port)?;
        Some(position + 1)
    }

    /// The words that add a port, and its cable's file.
    fn addition(&mut self, number: usize, port: &Membership, mtu: u16) -> (Vec<String>, String) {
        self.files += 1;
        let file = format!("p{number}-{}.pcap", self.files);
        let path = self.daemons.path(&file);
        let device = device(number);
        let mut words: Vec<String> = ["--", "add-port", BRIDGE, &device].map(str::to_owned).into();
        words.extend(vlan_words(&port.vlan_mode));
        words.extend(priority_words(port.priority_tags).map(str::to_owned));
        words.push(format!("protected={}", port.isolated));
        words.extend(["--", "set", "Interface", &device, "type=dummy"].map(str::to_owned));
        words.push(format!("ofport_request={number}"));
        words.push(format!("mtu_request={mtu}"));
        words.push(format!("options:tx_pcap={}", path.display()));
        (words, file)
    }

    /// Adds ports of the scenario, each with its number, after `words`.
    fn plug(&mut self, mut words: Vec<String>, ports: &[usize]) -> Result<(), CompareError> {
        let Some(scenario) = self.scenario.clone() else { return Ok(()) };
        let mut files = Vec::new();
        for (at, (name, member)) in scenario.ports().enumerate() {
            let number = at + 1;
            if ports.contains(&number) {
                let mtu = scenario.lab().ports.get(name).map_or(1500, |port| port.mtu);
                let (added, file) = self.addition(number, member, mtu);
                words.extend(added);
                files.push((number, name.clone(), file));
            }
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.daemons.vsctl(&words)?;
        for (number, port, file) in files {
            let tail = Tail::open(self.daemons.path(&file))?;
            self.cables.insert(number, Cable { port, tail });
        }
        self.bind()
    }

    /// Writes the static entries of what is plugged in; those that are there stay.
    fn bind(&mut self) -> Result<(), CompareError> {
        let Some(scenario) = self.scenario.clone() else { return Ok(()) };
        for entry in &scenario.lab().statics {
            let Some(number) = self.number(&entry.port) else { continue };
            if self.cables.contains_key(&number) {
                let (vlan, mac) = (entry.vlan.to_string(), entry.mac.to_string());
                self.acts.call("fdb/add", &[BRIDGE, &device(number), &vlan, &mac])?;
            }
        }
        Ok(())
    }

    fn unplug(&mut self, port: &Name) -> Result<(), CompareError> {
        let number = self.number(port);
        let Some(number) = number.filter(|number| self.cables.remove(number).is_some()) else {
            return Ok(());
        };
        self.daemons.vsctl(&["del-port", BRIDGE, &device(number)])?;
        Ok(())
    }

    /// How much of a wait its clock is turned by. When the ageing time is over, nothing is left
    /// that time would change; and what Open vSwitch counts by the second (`coverage`) takes
    /// minutes to follow a clock that is turned by years.
    fn worth(&self, seconds: u64) -> u64 {
        let ageing =
            self.scenario.as_ref().map_or(0, |scenario| scenario.bridge().ageing.as_secs());
        seconds.min(ageing + MARGIN)
    }

    /// The forwarding table, read after everything that was done.
    fn stations(&mut self) -> Result<Vec<Known>, CompareError> {
        let text = self.asks.call("fdb/show", &[BRIDGE])?;
        let mut stations = Vec::new();
        for line in text.lines().skip(1) {
            let known = station(line).and_then(|(number, vlan, mac, age)| {
                let port = self.cables.get(&number)?.port.clone();
                Some(Known { vlan, mac, port, age })
            });
            let known = known.ok_or_else(|| CompareError::Answer {
                asked: "fdb/show".to_owned(),
                wrong: format!("printed a line that cannot be read: {line}"),
            })?;
            stations.push(known);
        }
        stations.sort_unstable();
        Ok(stations)
    }

    fn egress(&mut self) -> Result<Vec<Copy>, CompareError> {
        let mut egress = Vec::new();
        for cable in self.cables.values_mut() {
            let frames = cable.tail.frames().map_err(|error| CompareError::Program {
                program: "ovs-vswitchd",
                wrong: format!("its capture of {} cannot be read: {error}", cable.port),
            })?;
            let port = &cable.port;
            egress.extend(frames.into_iter().map(|bytes| Copy { port: port.clone(), bytes }));
        }
        egress.sort_unstable();
        Ok(egress)
    }
}

impl Side for Ovs {
    fn begin(&mut self, scenario: &Scenario) -> Result<(), CompareError> {
        self.cables.clear();
        // In a transaction of its own: a bridge that is deleted and added in one keeps its tables.
        self.daemons.vsctl(&["--if-exists", "del-br", BRIDGE])?;
        self.scenario = Some(scenario.clone());
        let bridge = scenario.bridge();
        let forward = format!("other_config:forward-bpdu={}", scenario.forwards_reserved());
        let ageing = format!("other_config:mac-aging-time={}", bridge.ageing.as_secs());
        let size = format!("other_config:mac-table-size={}", bridge.fdb_size);
        // By default a tunnel's end would lose the customer's tag; elsewhere it decides what is a
        // tag and what is payload.
        let is_tunnel = |port: &Membership| matches!(port.vlan_mode, VlanMode::Dot1qTunnel { .. });
        let tags = if scenario.ports().any(|(_, port)| is_tunnel(port)) { 2 } else { 1 };
        let tags = format!("other_config:vlan-limit={tags}");
        let words = [
            ["add-br", BRIDGE, "--", "set", "bridge", BRIDGE].as_slice(),
            &["datapath_type=dummy", "fail_mode=standalone", &forward, &ageing, &size],
            &["--", "set", "Open_vSwitch", ".", &tags],
        ];
        let words = words.concat().into_iter().map(str::to_owned).collect();
        let all: Vec<usize> = (1..=scenario.ports().count()).collect();
        self.plug(words, &all)
    }

    fn step(&mut self, step: &Step) -> Result<Observed, CompareError> {
        match step {
            Step::Frame { port, bytes } => {
                let number = self.number(port).filter(|number| self.cables.contains_key(number));
                // The dummy device takes nothing shorter than an Ethernet header.
                if let Some(number) = number.filter(|_| bytes.len() >= SHORTEST) {
                    self.acts.call("netdev-dummy/receive", &[&device(number), &hex(bytes)])?;
                }
            }
            Step::Wait(0) => {}
            Step::Wait(seconds) => {
                let milliseconds = self.worth(u64::from(*seconds)) * 1000;
                self.acts.call("time/warp", &[&milliseconds.to_string()])?;
            }
            Step::Unplug(port) => self.unplug(port)?,
            Step::Plug(port) => {
                let number = self.number(port);
                if let Some(number) = number.filter(|number| !self.cables.contains_key(number)) {
                    self.plug(vec!["--no-syslog".to_owned()], &[number])?;
                }
            }
            Step::Flush => self.forget(&Forget::All)?,
        }
        let stations = self.stations()?;
        Ok(Observed { egress: self.egress()?, stations, dropped: None })
    }

    fn counts(&mut self) -> Result<Counts, CompareError> {
        let text = self.asks.call("fdb/stats-show", &[BRIDGE])?;
        let count = |of: &str| {
            let line = text.lines().find(|line| line.contains(of));
            let count = line.and_then(|line| line.rsplit(':').next()?.trim().parse().ok());
            count.ok_or_else(|| CompareError::Answer {
                asked: "fdb/stats-show".to_owned(),
                wrong: format!("told no number of {of} entries"),
            })
        };
        Ok(Counts {
            learned: count("learned")?,
            expired: count("expired")?,
            evicted: count("evicted")?,
            moved: count("moved")?,
        })
    }

    fn forget(&mut self, which: &Forget) -> Result<(), CompareError> {
        match which {
            Forget::All => {
                self.acts.call("fdb/flush", &[BRIDGE])?;
            }
            // `fdb/del` takes only what was written. Nobody asks: theirs is the side that forgets
            // earlier.
            Forget::Some(_) => {
                let wrong = "cannot forget single stations that it learned".to_owned();
                return Err(CompareError::Answer { asked: "fdb/del".to_owned(), wrong });
            }
        }
        self.bind()
    }
}

/// `vlan_mode` of a port, and what goes with it.
fn vlan_words(mode: &VlanMode) -> Vec<String> {
    let customers = match mode {
        VlanMode::Dot1qTunnel { service, customers } => Some((customers, service.standard())),
        _ => None,
    };
    let (mode, tag, trunks) = match mode {
        VlanMode::Dot1qTunnel { service, .. } => ("dot1q-tunnel", service.vlan(), None),
        VlanMode::Access(vlan) => ("access", Some(*vlan), None),
        VlanMode::Trunk(trunks) => ("trunk", None, Some(trunks)),
        VlanMode::NativeTagged { native, trunks } => ("native-tagged", Some(*native), Some(trunks)),
        VlanMode::NativeUntagged { native, trunks } => {
            ("native-untagged", Some(*native), Some(trunks))
        }
    };
    let mut words = vec![format!("vlan_mode={mode}")];
    words.extend(tag.map(|tag| format!("tag={tag}")));
    let list =
        |key: &str, vlans: &VlanSet| (*vlans != VlanSet::All).then(|| format!("{key}={vlans}"));
    words.extend(trunks.and_then(|trunks| list("trunks", trunks)));
    if let Some((customers, ethertype)) = customers {
        words.extend(list("cvlans", customers));
        words.push(format!("other_config:qinq-ethtype={ethertype}"));
    }
    words
}

/// `other_config:priority-tags` of a port; none for the default.
fn priority_words(tags: PriorityTags) -> Option<&'static str> {
    match tags {
        PriorityTags::Never => None,
        PriorityTags::IfNonzero => Some("other_config:priority-tags=if-nonzero"),
        PriorityTags::Always => Some("other_config:priority-tags=always"),
    }
}

/// One line of `fdb/show`: number of the port, VLAN, address, age or "static".
fn station(line: &str) -> Option<(usize, u16, Mac, Option<u64>)> {
    let mut words = line.split_whitespace();
    let port = words.next()?.parse().ok()?;
    let vlan = words.next()?.parse().ok()?;
    let mac = words.next()?.parse().ok()?;
    let age = match words.next()? {
        "static" => None,
        age => Some(age.parse().ok()?),
    };
    Some((port, vlan, mac, age))
}

/// A port's device, by its number: people's names may be longer than a device's.
fn device(number: usize) -> String {
    format!("p{number}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const BRIDGE: &str = "br0";
/// Seconds after the ageing time within which the last station is forgotten for certain.
const MARGIN: u64 = 60;
/// Bytes of an Ethernet header.
const SHORTEST: usize = 14;

#[cfg(test)]
mod tests {
    use packet::VlanId;

    use super::*;

    #[test]
    fn lines_of_a_table_are_read_in_both_spellings() {
        let vlan = 10;
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        assert_eq!(station("    1    10  02:00:00:00:00:01    7"), Some((1, vlan, mac, Some(7))));
        assert_eq!(station("   12    10  02:00:00:00:00:01 static"), Some((12, vlan, mac, None)));
        assert_eq!(station("LOCAL     0  02:00:00:00:00:01    7"), None);
    }

    #[test]
    fn vlan_modes_are_open_vswitch_s_words() {
        let trunks = VlanSet::only([10, 20].into_iter().filter_map(VlanId::new));
        let native = VlanId::new(5).unwrap();
        assert_eq!(
            vlan_words(&VlanMode::NativeTagged { native, trunks }),
            ["vlan_mode=native-tagged", "tag=5", "trunks=10,20"]
        );
        assert_eq!(
            vlan_words(&VlanMode::Trunk(VlanSet::All)),
            ["vlan_mode=trunk"],
            "no list means all"
        );
    }
}
