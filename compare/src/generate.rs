//! Scenarios from a seed: the same seed gives the same set-up and the same steps, on every machine.
//!
//! A seed draws its set-up (ports with all VLAN modes, a table that may be small, ageing, static
//! entries) and its temper, so that some scenarios are full of strange frames and others are long
//! quiet histories. What a frame looks like is drawn in `frames`.

mod frames;

use packet::Mac;

use self::frames::Frames;
use super::random::Random;
use super::scenario::{Scenario, ScenarioError, Step};
use labfile::{BoolOrText, BridgeSpec, LabSpec, Name, PortSpec, StaticSpec};

/// A scenario of `frames` frames, and what happens between them.
///
/// # Errors
/// The set-up drawn is no scenario; it always is one, and a test says so.
pub fn scenario(seed: u64, frames: usize) -> Result<Scenario, ScenarioError> {
    let mut random = Random::new(seed);
    let small_table = random.chance(350);
    let stations = if small_table { 24 } else { 10 };
    let spec = set_up(&mut random, small_table, stations);
    let setup = Scenario::new(spec, Vec::new())?;
    let ports: Vec<Name> = setup.ports().map(|(name, _)| name.clone()).collect();
    let ageing = u32::try_from(setup.bridge().ageing.as_secs()).unwrap_or(u32::MAX);
    let strange = if random.chance(300) { 30 } else { 4 };
    let mut drawn = Frames::new(&setup, stations, strange, &mut random);
    let mut history = History { ports, unplugged: Vec::new(), ageing };
    let mut steps = Vec::with_capacity(frames + frames / 8);
    for _ in 0..frames {
        steps.extend(history.between(&mut random));
        steps.push(drawn.frame(&mut random));
    }
    Ok(setup.with_steps(steps))
}

/// What happens between frames.
struct History {
    ports: Vec<Name>,
    unplugged: Vec<Name>,
    ageing: u32,
}

impl History {
    fn between(&mut self, random: &mut Random) -> Option<Step> {
        if !self.unplugged.is_empty() && random.chance(60) {
            return self.unplugged.pop().map(Step::Plug);
        }
        match random.below(1000) {
            0..40 => Some(Step::Wait(1 + random.below(4) as u32)),
            40..50 => Some(Step::Wait(1 + random.below(u64::from(self.ageing)) as u32)),
            50..53 => Some(Step::Wait(self.ageing + 1 + random.below(5) as u32)),
            53..56 => Some(Step::Flush),
            56..62 if self.unplugged.is_empty() => {
                let port = random.pick(&self.ports)?.clone();
                self.unplugged.push(port.clone());
                Some(Step::Unplug(port))
            }
            _ => None,
        }
    }
}

fn set_up(random: &mut Random, small_table: bool, stations: u8) -> LabSpec {
    let mut spec = LabSpec::default();
    let mut bridge = BridgeSpec {
        ageing: Some(15 + random.below(30) as i64),
        fdb_size: small_table.then(|| 10 + random.below(6) as i64),
        forward: if random.chance(120) { vec!["all".into()] } else { Vec::new() },
        ..BridgeSpec::default()
    };
    let isolation = random.chance(250);
    // A provider's bridge, now and then.
    let tunnels = random.chance(250);
    let count = 3 + random.below(4) as usize;
    for name in NAMES.into_iter().take(count) {
        let mut port = port(random, tunnels);
        port.isolated = (isolation && random.chance(600)).then_some(true);
        spec.port.insert(name.to_owned(), port);
    }
    if random.chance(300) {
        for _ in 0..1 + random.below(3) {
            bridge.statics.extend(static_entry(random, &spec, stations));
        }
        bridge.statics.sort_by(|a, b| (&a.mac, a.vlan).cmp(&(&b.mac, b.vlan)));
        bridge.statics.dedup_by(|a, b| (&a.mac, a.vlan) == (&b.mac, b.vlan));
    }
    spec.bridge.insert(BRIDGE.to_owned(), bridge);
    spec
}

fn port(random: &mut Random, tunnels: bool) -> PortSpec {
    let mut port = PortSpec { bridge: Some(BRIDGE.to_owned()), ..PortSpec::default() };
    if tunnels && random.chance(400) {
        port.vlan = vlan(random);
        port.vlan_mode = Some("dot1q-tunnel".to_owned());
        port.cvlans = if random.chance(500) { some_vlans(random) } else { Vec::new() };
        port.qinq_ethertype = random.chance(500).then(|| "802.1q".to_owned());
        return port;
    }
    match random.below(10) {
        0..3 => port.vlan = vlan(random),
        3..5 => {}
        5..7 => port.trunks = some_vlans(random),
        mode => {
            port.native = vlan(random);
            port.trunks = some_vlans(random);
            let mode = if mode < 9 { "native-untagged" } else { "native-tagged" };
            port.vlan_mode = Some(mode.to_owned());
        }
    }
    port.priority_tags = match random.below(6) {
        // What that means for pushed tags is a difference of its own.
        _ if tunnels => None,
        0 => Some(BoolOrText::Text("always".to_owned())),
        1 => Some(BoolOrText::Bool(true)),
        _ => None,
    };
    port
}

/// An entry for a station in a VLAN of its port.
fn static_entry(random: &mut Random, spec: &LabSpec, stations: u8) -> Option<StaticSpec> {
    let ports: Vec<(&String, &PortSpec)> = spec.port.iter().collect();
    let (name, port) = *random.pick(&ports)?;
    let mac = station(random.below(stations.into()) as u8).to_string();
    let trunk = port.trunks.first().copied();
    let vlan = port.vlan.or(port.native).or(trunk);
    let vlan = vlan.or_else(|| vlan_or_none(random));
    let port = name.clone();
    Some(StaticSpec { mac, port, remote: None, vlan })
}

fn vlan(random: &mut Random) -> Option<i64> {
    random.pick(&VLANS).copied()
}

fn vlan_or_none(random: &mut Random) -> Option<i64> {
    if random.chance(500) { vlan(random) } else { None }
}

fn some_vlans(random: &mut Random) -> Vec<i64> {
    VLANS.into_iter().filter(|_| random.chance(600)).collect()
}

/// The address of a station, by its number.
fn station(number: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, number + 1])
}

const BRIDGE: &str = "br0";
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// Few, so that ports meet.
const VLANS: [i64; 3] = [10, 20, 4094];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_draws_a_scenario_and_always_the_same() {
        for seed in 0..300 {
            let first = scenario(seed, 50).unwrap_or_else(|error| panic!("{seed}: {error}"));
            let second = scenario(seed, 50).unwrap();
            assert_eq!((first.spec, &first.steps), (second.spec, &second.steps));
            let frames = first.steps.iter().filter(|step| matches!(step, Step::Frame { .. }));
            assert_eq!(frames.count(), 50);
        }
    }
}
