//! What the devices of a lab really are, beside what the lab takes them for: somebody else may set
//! them, too.

use std::collections::BTreeMap;

use super::{Running, State};
use labfile::machine::differs;
use labfile::{Attach, Lab, Name, Port, Tunnel};

/// A sentence for each port whose device is not what is asked of it.
pub(super) fn of_devices(running: &Running) -> Vec<String> {
    let narrow = narrowest(&running.lab);
    let mut warnings = Vec::new();
    for (name, port) in &running.lab.ports {
        let (Some(State::Up(end)), Some(state)) = (running.ends.get(name), running.device(name))
        else {
            continue;
        };
        let drift = state.drift(port);
        if !drift.is_empty() {
            warnings.push(format!("port {name} {}", differs(&drift)));
        }
        let tunnel = port.bridge().and_then(|bridge| narrow.get(bridge)).copied();
        let command = |mtu| end.netns.command(&format!("ip link set {} mtu {mtu}", port.device));
        warnings.extend(of_mtu(port, state.mtu, tunnel, command));
    }
    warnings
}

/// The tunnel of each bridge that carries least.
fn narrowest(lab: &Lab) -> BTreeMap<&Name, &Tunnel> {
    let mut narrow: BTreeMap<&Name, &Tunnel> = BTreeMap::new();
    for tunnel in lab.tunnels.values() {
        let least = narrow.entry(&tunnel.bridge).or_insert(tunnel);
        if tunnel.mtu < least.mtu {
            *least = tunnel;
        }
    }
    narrow
}

fn of_mtu(
    port: &Port,
    real: u32,
    tunnel: Option<&Tunnel>,
    command: impl Fn(u16) -> String,
) -> Option<String> {
    let Port { name, device, mtu, .. } = port;
    if let Some(tunnel) = tunnel.filter(|tunnel| real > u32::from(tunnel.mtu)) {
        // What is written in the lab is told where it is written.
        let is_told = port.mtu_written && real == u32::from(*mtu);
        let sentence = format!(
            "port {name}: its device {device} has MTU {real}, and tunnel {} carries {}: larger packets to far stations end \
             here; `{}`, and so at what is behind it",
            tunnel.name,
            tunnel.mtu,
            command(tunnel.mtu)
        );
        return (!is_told).then_some(sentence);
    }
    // What is not the owner's own business is drift.
    let is_found = matches!(port.attach, Attach::Interface(_));
    (is_found && real != u32::from(*mtu)).then(|| {
        format!(
            "port {name}: its device {device} has MTU {real}, and the lab takes it for {mtu}: `{}`",
            command(*mtu)
        )
    })
}
