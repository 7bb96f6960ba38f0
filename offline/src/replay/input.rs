//! Whose frames a capture holds: `red=a.pcap`, or `vx0@192.0.2.1=b.pcap` for what a remote VTEP
//! sent.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::str::FromStr;

use packet::{Frame, Pool, PortId};
use switch::Event;
use vxlan::{Vni, header};

use super::error::ReplayError;
use labfile::ids::{Ids, UdpPort};
use labfile::{Lab, Tunnel};

/// A capture, and where its frames come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The port or tunnel.
    pub name: String,
    /// The remote VTEP that sent the frames, which are those inside.
    pub remote: Option<Ipv4Addr>,
    /// The capture.
    pub file: PathBuf,
}

/// The text names no input.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write PORT=FILE, or TUNNEL@ADDRESS=FILE for frames from a remote VTEP of a tunnel")]
pub struct NotAnInput;

impl FromStr for Input {
    type Err = NotAnInput;

    fn from_str(text: &str) -> Result<Self, NotAnInput> {
        let (written, file) = text.split_once('=').ok_or(NotAnInput)?;
        let (name, remote) = place(written).filter(|_| !file.is_empty()).ok_or(NotAnInput)?;
        Ok(Self { name, remote, file: PathBuf::from(file) })
    }
}

/// `red`, or `vx0@192.0.2.1`, in its parts; none for what cannot be either.
pub(crate) fn place(text: &str) -> Option<(String, Option<Ipv4Addr>)> {
    let (name, remote) = match text.split_once('@') {
        Some((name, remote)) => (name, Some(remote.parse().ok()?)),
        None => (text, None),
    };
    (!name.is_empty()).then(|| (name.to_owned(), remote))
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&far_or_near(&self.name, self.remote))
    }
}

fn far_or_near(name: &str, remote: Option<Ipv4Addr>) -> String {
    remote.map_or_else(|| name.to_owned(), |remote| format!("{name}@{remote}"))
}

/// Where an input's frames come in, in the switch's numbers.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// What people call it.
    pub label: String,
    pub way: Ingress,
}

#[derive(Copy, Clone, Debug)]
pub(crate) enum Ingress {
    /// From the device behind a port.
    Port(PortId),
    /// From a remote VTEP: each frame is put behind a VXLAN header first.
    Vtep { underlay: PortId, vni: Vni, remote: Ipv4Addr },
}

impl Source {
    /// Finds what an input names. The address may be a stranger's: what becomes of his frames is
    /// worth a look too.
    pub(crate) fn find(
        name: &str,
        remote: Option<Ipv4Addr>,
        lab: &Lab,
        ids: &Ids,
    ) -> Result<Self, ReplayError> {
        let way = if let Some(tunnel) = lab.tunnels.get(name) {
            remote_vtep(tunnel, remote, ids)?
        } else if lab.ports.contains_key(name) && remote.is_some() {
            return Err(ReplayError::NoTunnel { name: name.to_owned() });
        } else {
            ids.known_port(name).filter(|_| lab.ports.contains_key(name)).map(Ingress::Port)
        };
        let known = || {
            let ports = lab.ports.keys().map(ToString::to_string);
            let remotes = |tunnel: &Tunnel| {
                let name = tunnel.name.clone();
                let all = tunnel.remotes.clone().into_iter();
                all.map(move |remote| format!("{name}@{remote}"))
            };
            ports.chain(lab.tunnels.values().flat_map(remotes)).collect()
        };
        let way = way.ok_or_else(|| ReplayError::NoPort { name: name.to_owned(), known: known() });
        Ok(Self { label: far_or_near(name, remote), way: way? })
    }

    /// What happens when a frame comes in here. Its buffer, from `pool`, is as large as a daemon's:
    /// what is done to it may need the room.
    pub(crate) fn event(&self, bytes: &[u8], pool: &mut Pool) -> Event {
        match self.way {
            Ingress::Port(port) => Event::Frame { port, frame: in_buffer(pool.take(), &[], bytes) },
            Ingress::Vtep { underlay: port, vni, remote } => {
                let datagram = in_buffer(pool.take(), &header::emit(vni), bytes);
                Event::Datagram { port, remote, traffic_class: 0, datagram }
            }
        }
    }
}

/// A header and what follows it, in the buffer of `frame`.
pub(super) fn in_buffer(mut frame: Frame, header: &[u8], bytes: &[u8]) -> Frame {
    let mut count = 0;
    let space = frame.receive_space(0);
    for (place, byte) in space.iter_mut().zip(header.iter().chain(bytes)) {
        *place = *byte;
        count += 1;
    }
    frame.received(0, count);
    frame
}

fn remote_vtep(
    tunnel: &Tunnel,
    remote: Option<Ipv4Addr>,
    ids: &Ids,
) -> Result<Option<Ingress>, ReplayError> {
    let remote = match (remote, tunnel.remotes.as_slice()) {
        (Some(remote), _) | (None, &[remote]) => remote,
        (None, []) => return Ok(None),
        (None, &[remote, ..]) => {
            return Err(ReplayError::WhichRemote { tunnel: tunnel.name.clone(), remote });
        }
    };
    let underlay = ids.known_udp_port(UdpPort::of(tunnel));
    Ok(underlay.map(|underlay| Ingress::Vtep { underlay, vni: tunnel.vni, remote }))
}
