//! The running lab read out: every listing takes the engine's lock, looks at the switch once, and
//! formats outside.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use os::{blocking, clock, underlay};
use packet::DropReason;

use super::tunnels::inner_mtus;
use super::warnings;
use super::{Engine, Running, State};
use control::explain::{Question, Story};
use control::message::Show;
use control::view::{
    BridgeView, DropView, NeighborEntry, PortState, PortView, RouteView, StationView, StatsView,
    TunnelView, UnknownVtepView,
};
use labfile::{Attach, Name, Tunnel};
use offline::explain::{ExplainError, Scene};
use offline::listing::{rows, show};

impl Engine {
    /// All of it as it is at one moment: no change and no packet comes between two parts.
    pub async fn show(&self) -> Show {
        let mut running = self.running.lock().await;
        self.look_at_machine(&mut running).await;
        let Running { lab, ids, spec, .. } = &*running;
        let known = |tunnel: &Tunnel| ids.known_port(tunnel.name.as_str());
        let (routes, counts, silent) = self.plane.look(|_, switch| {
            let counts = ids.bridges().map(|(_, id)| (id, switch.fdb_counts(id)));
            let silent = lab.tunnels.values().filter_map(known).map(|id| (id, switch.silent(id)));
            (
                switch.routes(),
                counts.collect::<BTreeMap<_, _>>(),
                silent.collect::<BTreeMap<_, _>>(),
            )
        });
        let silent = |tunnel: &Tunnel| known(tunnel).and_then(|id| silent.get(&id).cloned());
        Show {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            bridges: show::bridges(lab, ids, |id| counts.get(&id).copied().flatten()),
            ports: ports_of(&running),
            tunnels: show::tunnels(lab, |tunnel| {
                running.state_of(tunnel, &silent(tunnel).unwrap_or_default())
            }),
            routes: show::routes(lab, ids, routes),
            masquerade: spec.masquerade.clone(),
            publish: spec.publish.clone(),
            warnings: warnings_of(&running),
        }
    }

    /// Every port, by name.
    pub async fn ports(&self) -> Vec<PortView> {
        let mut running = self.running.lock().await;
        self.look_at_machine(&mut running).await;
        ports_of(&running)
    }

    /// Every tunnel, by name.
    pub async fn tunnels(&self) -> Vec<TunnelView> {
        let running = self.running.lock().await;
        show::tunnels(&running.lab, |tunnel| {
            let id = running.ids.known_port(tunnel.name.as_str());
            let silent = id.map(|id| self.plane.look(|_, switch| switch.silent(id)));
            running.state_of(tunnel, &silent.unwrap_or_default())
        })
    }

    /// Every bridge, by name.
    pub async fn bridges(&self) -> Vec<BridgeView> {
        let running = self.running.lock().await;
        let counts = |id| self.plane.look(|_, switch| switch.fdb_counts(id));
        show::bridges(&running.lab, &running.ids, counts)
    }

    /// Every route in force, by prefix, and those that wait.
    pub async fn routes(&self) -> Vec<RouteView> {
        let running = self.running.lock().await;
        let routes = self.plane.look(|_, switch| switch.routes());
        show::routes(&running.lab, &running.ids, routes)
    }

    /// Every station of every bridge, or of one.
    pub async fn stations(&self, only: Option<&str>) -> Vec<StationView> {
        let running = self.running.lock().await;
        let mut views = Vec::new();
        for (name, id) in
            running.ids.bridges().filter(|(name, _)| only.is_none_or(|o| o == name.as_str()))
        {
            let stations = self.plane.look(|now, switch| switch.stations(now, id));
            views.extend(
                stations.into_iter().map(|station| rows::station(&running.ids, name, station)),
            );
        }
        views
    }

    /// Every neighbour, by interface and address.
    pub async fn neighbors(&self) -> Vec<NeighborEntry> {
        let running = self.running.lock().await;
        let neighbors = self.plane.look(|_, switch| switch.neighbors());
        let row = |neighbor| rows::neighbor(&running.ids, neighbor);
        neighbors.into_iter().map(row).collect()
    }

    /// What every port has carried, and the switch as a whole.
    pub async fn stats(&self) -> StatsView {
        let running = self.running.lock().await;
        let (totals, mut drops) = self.plane.look(|_, switch| (switch.totals(), switch.drops()));
        drops.extend(self.overruns());
        let carried = self.plane.counts().into_iter().map(|(port, mut counts)| {
            let through = self.plane.look(|_, switch| switch.received_through(port));
            if let Some(through) = through {
                (counts.received_frames, counts.received_bytes) = through;
            }
            (port, counts)
        });
        let workers = self.plane.workers().into_iter().enumerate().map(rows::worker).collect();
        StatsView { workers, ..rows::stats(&running.ids, totals, &drops, carried) }
    }

    /// Every drop count that is not zero.
    pub async fn drops(&self) -> Vec<DropView> {
        let running = self.running.lock().await;
        let mut drops = self.plane.look(|_, switch| switch.drops());
        let unsent = self.plane.counts().into_iter().flat_map(|(port, counts)| {
            let failed = (port, DropReason::TransmitFailed, counts.failed_frames);
            [failed, (port, DropReason::FloodLimit, counts.crowded_frames)]
        });
        drops.extend(unsent.filter(|(_, _, count)| *count > 0));
        drops.extend(self.overruns());
        drops.sort_unstable();
        drops.into_iter().map(|drop| rows::drop(&running.ids, drop)).collect()
    }

    /// What ended at the sockets of ports, where the switch never saw it.
    fn overruns(&self) -> impl Iterator<Item = rows::Drops> {
        let overruns = self.plane.overruns().into_iter();
        overruns.map(|(port, frames)| (port, DropReason::ReceiveOverrun, frames))
    }

    /// Who sends datagrams that no tunnel wants, by VNI and address.
    pub async fn unknown_vteps(&self) -> Vec<UnknownVtepView> {
        let running = self.running.lock().await;
        let (unknown_vteps, more) = self.plane.look(|_, switch| switch.unknown_vteps());
        rows::unknown_vteps(&running.ids, unknown_vteps, more)
    }

    /// What would become of frames, each in the state that the one ahead of it would leave. Nothing
    /// is changed; workers wait only while the switch is copied.
    ///
    /// # Errors
    /// See [`ExplainError`].
    pub async fn explain(&self, question: &Question) -> Result<Vec<Story>, ExplainError> {
        let scene = {
            let running = self.running.lock().await;
            let copy = || self.plane.look(|now, switch| (now, switch.clone()));
            let (now, switch) = blocking(copy);
            Scene { switch, now, ids: running.ids.clone(), lab: running.lab.clone() }
        };
        blocking(|| scene.tell(question))
    }

    /// How the ports of namespaces are attached, for whoever opens sockets in them: port name to
    /// attachment.
    pub async fn attachments(&self) -> BTreeMap<String, Attach> {
        let running = self.running.lock().await;
        running
            .lab
            .ports
            .iter()
            .map(|(name, port)| (name.to_string(), port.attach.clone()))
            .collect()
    }
}

impl Running {
    /// Whether every remote VTEP can be reached, as far as routes tell, and has been heard: any
    /// datagram counts.
    fn state_of(&self, tunnel: &Tunnel, silent: &[Ipv4Addr]) -> String {
        let mut paths = tunnel.remotes.iter().map(|remote| underlay::path(*remote, tunnel.local));
        if let Some(error) = paths.find_map(Result::err) {
            return format!("down: {error}");
        }
        if silent.is_empty() {
            return "up".to_owned();
        }
        let now = clock::now();
        let made = self.tunnels_made.get(&tunnel.name).copied().unwrap_or(now);
        let age = now.since(made).as_secs();
        let remotes: Vec<String> = silent.iter().map(ToString::to_string).collect();
        format!(
            "silent: nothing has come from {} in the {age} s since it was made",
            remotes.join(" or ")
        )
    }
}

fn ports_of(running: &Running) -> Vec<PortView> {
    let place = |name: &Name| match running.ends.get(name) {
        Some(State::Up(end)) => {
            let device = running.device(name);
            let is_up = device.as_ref().is_none_or(|device| device.up && device.near_up);
            PortState {
                state: if is_up { "up" } else { "down" }.to_owned(),
                nsid: end.nsid,
                ifindex: Some(end.index),
                differs: running.drift(name).iter().map(ToString::to_string).collect(),
                device,
            }
        }
        Some(State::Lost(loss)) => PortState::without_device(format!("lost: {}", loss.why)),
        None => PortState::without_device("lost".to_owned()),
    };
    show::ports(&running.lab, &running.ids, place)
}

/// What the lab asks for and cannot have, a sentence each.
fn warnings_of(running: &Running) -> Vec<String> {
    let mut warnings = running.lab.mtu_warnings(&inner_mtus(&running.lab));
    warnings.extend(warnings::of_devices(running));
    warnings
}
