//! The near and the far room at ping while two bystanders, at other ports of the same switch, are
//! sender and receiver of a flood: one port must not starve the others.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::atomic::AtomicU64;
use std::thread;

use anyhow::{Result, bail};

use super::udp::{self, PAYLOAD, Pace};
use super::{Reading, Stop, Trial, WARM_UP, ping};
use crate::interrupt;
use crate::system::{Running, seats};

/// The victims' median round trip, in microseconds.
pub(super) fn measure(running: &Running, trial: Trial) -> Result<Reading> {
    let [flooder, sink, ..] = running.others.as_slice() else {
        bail!("there are no bystanders");
    };
    let to = SocketAddrV4::new(seats::address(3), trial.ends(1).1.port());
    // Nobody reads it: what its buffer has no room for ends in the far kernel, past the switch.
    let _sink = sink.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, to.port())))??;
    let flooder = flooder.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)))??;
    flooder.connect(to)?;
    let (sent, stop) = (AtomicU64::new(0), Stop::default());
    thread::scope(|scope| {
        let _end = stop.at_end();
        scope.spawn(|| udp::send(&[&flooder], Pace::Flood, &PAYLOAD, &sent, &stop));
        interrupt::pause(WARM_UP)?;
        let reading = ping::measure(running, trial)?;
        Ok(Reading { cpu: None, ..reading })
    })
}
