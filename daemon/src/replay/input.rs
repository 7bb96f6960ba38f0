//! Whose frames a capture holds: `red=a.pcap`, or `vx0@192.0.2.1=b.pcap` for what a tunnel's far end sent.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::str::FromStr;

use packet::PortId;
use vxlan::Vni;

use super::error::ReplayError;
use crate::config::{Lab, Tunnel};
use crate::engine::ids::{Ids, UdpPort};

/// A capture, and where its frames come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The port or tunnel.
    pub name: String,
    /// The tunnel's far end that sent the frames, which are those inside.
    pub remote: Option<Ipv4Addr>,
    /// The capture.
    pub file: PathBuf,
}

/// The text names no input.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write PORT=FILE, or TUNNEL@ADDRESS=FILE for frames from the far end of a tunnel")]
pub struct NotAnInput;

impl FromStr for Input {
    type Err = NotAnInput;

    fn from_str(text: &str) -> Result<Self, NotAnInput> {
        let (place, file) = text.split_once('=').ok_or(NotAnInput)?;
        let (name, remote) = match place.split_once('@') {
            Some((name, remote)) => (name, Some(remote.parse().map_err(|_| NotAnInput)?)),
            None => (place, None),
        };
        if name.is_empty() || file.is_empty() {
            return Err(NotAnInput);
        }
        Ok(Self { name: name.to_owned(), remote, file: PathBuf::from(file) })
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.remote.map_or(Ok(()), |remote| write!(f, "@{remote}"))
    }
}

/// Where an input's frames come in, in the switch's numbers.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// What people call it.
    pub(super) label: String,
    pub(super) way: Way,
}

#[derive(Copy, Clone, Debug)]
pub(super) enum Way {
    /// From the device behind a port.
    Port(PortId),
    /// From a far end: each frame is put behind a VXLAN header first.
    FarEnd { underlay: PortId, vni: Vni, remote: Ipv4Addr },
}

impl Source {
    /// Finds what an input names. The address may be a stranger's: what becomes of his frames is worth a look too.
    pub(super) fn find(input: &Input, lab: &Lab, ids: &Ids) -> Result<Self, ReplayError> {
        let name = input.name.as_str();
        let way = if let Some(tunnel) = lab.tunnels.get(name) {
            far_end(tunnel, input.remote, ids)?
        } else if lab.ports.contains_key(name) && input.remote.is_some() {
            return Err(ReplayError::NoTunnel { name: name.to_owned() });
        } else {
            ids.known_port(name).filter(|_| lab.ports.contains_key(name)).map(Way::Port)
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
        Ok(Self { label: input.to_string(), way: way? })
    }
}

fn far_end(
    tunnel: &Tunnel,
    remote: Option<Ipv4Addr>,
    ids: &Ids,
) -> Result<Option<Way>, ReplayError> {
    let remote = match (remote, tunnel.remotes.as_slice()) {
        (Some(remote), _) | (None, &[remote]) => remote,
        (None, []) => return Ok(None),
        (None, &[remote, ..]) => {
            return Err(ReplayError::WhichRemote { tunnel: tunnel.name.clone(), remote });
        }
    };
    let underlay = ids.known_udp_port(UdpPort::of(tunnel));
    Ok(underlay.map(|underlay| Way::FarEnd { underlay, vni: tunnel.vni, remote }))
}
