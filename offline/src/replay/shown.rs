//! What `show` would tell of the switch on the stage.

use packet::PortId;

use super::stage::Stage;
use crate::listing::show;
use control::message::Show;
use control::view::PortState;
use labfile::{Lab, LabSpec, Name, Tunnel};

/// The whole lab. Nothing is known of devices and paths here: a port is up when its switch takes it
/// to be.
pub(super) fn shown(spec: &LabSpec, lab: &Lab, stage: &Stage) -> Show {
    let Stage { switch, ids, .. } = stage;
    let state = |port: Option<PortId>| match port {
        Some(port) if switch.is_up(port) => "up".to_owned(),
        _ => "lost".to_owned(),
    };
    let of_port = |name: &Name| PortState::without_device(state(ids.known_port(name.as_str())));
    let of_tunnel = |tunnel: &Tunnel| state(ids.known_port(tunnel.name.as_str()));
    Show {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        bridges: show::bridges(lab, ids, |id| switch.fdb_counts(id)),
        ports: show::ports(lab, ids, of_port),
        tunnels: show::tunnels(lab, of_tunnel),
        routes: show::routes(lab, ids, switch.routes()),
        masquerade: spec.masquerade.clone(),
        publish: spec.publish.clone(),
        warnings: Vec::new(),
    }
}
