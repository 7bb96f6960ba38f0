//! Who has a UDP port: looked up when it turns out to be taken, so that the user need not.
//!
//! The kernel's list of sockets (proc(5), `/proc/net/udp`) gives the inode of each; the process
//! whose `/proc/PID/fd` shows that inode has it. The kernel's own sockets are in the list too, but
//! in no process: VXLAN devices, in the main.

use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4};

use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::packet_route::link::{InfoData, InfoVxlan, LinkAttribute, LinkFlags, LinkInfo};

use super::netlink;

/// Who has a port, as far as this process may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A process, by its number and the name that `ps` shows.
    Process {
        /// Its number.
        pid: u32,
        /// Its name.
        name: String,
    },
    /// A VXLAN device of the kernel, in this namespace.
    Device {
        /// Its name.
        name: String,
    },
    /// One that cannot be seen from here: in another container, or in the kernel.
    Unseen,
}

impl Holder {
    /// Who keeps `address` from being bound in the calling thread's namespace. Reads files of every
    /// process, up to a bound: tens of milliseconds.
    pub fn of(address: SocketAddrV4) -> Self {
        let sockets = inodes(address);
        let process = (!sockets.is_empty()).then(|| process(&sockets)).flatten();
        process.or_else(|| device(address.port())).unwrap_or(Self::Unseen)
    }

    /// What to do about it.
    pub(super) fn remedy(&self, port: u16) -> String {
        match self {
            Self::Process { .. } => "stop it".into(),
            Self::Device { name } => {
                let here = std::process::id();
                format!("delete it with `nsenter --net=/proc/{here}/ns/net ip link del {name}`")
            }
            Self::Unseen => format!("look for it with `ss -uanp sport = {port}`"),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { pid, name } => write!(f, "process {pid} ({name})"),
            Self::Device { name } => write!(f, "the kernel's VXLAN device {name}"),
            Self::Unseen => f.write_str("somebody that cannot be seen from here"),
        }
    }
}

/// The sockets in the way, as `/proc/PID/fd` writes them: `socket:[24749]`.
fn inodes(address: SocketAddrV4) -> Vec<String> {
    // Those of the thread: the process's own could be another namespace's.
    let lists = ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"];
    let texts = lists.map(|list| fs::read_to_string(list).unwrap_or_default());
    let lines = texts.iter().flat_map(|text| text.lines());
    lines.filter_map(|line| conflicting(line, address)).collect()
}

/// The socket of a line, if binding `address` fails while it is there.
fn conflicting(line: &str, address: SocketAddrV4) -> Option<String> {
    let mut fields = line.split_ascii_whitespace();
    let (local, port) = fields.nth(1)?.split_once(':')?;
    let local = address_in(local)?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let overlaps =
        local.is_unspecified() || address.ip().is_unspecified() || local == *address.ip();
    let inode = fields.nth(7)?;
    (overlaps && port == address.port()).then(|| format!("socket:[{inode}]"))
}

/// Words of 32 bits in the machine's order, of bytes in the network's: one word, or four. An IPv6
/// socket is in the way when its address is everybody's, or stands for an IPv4 address.
fn address_in(hex: &str) -> Option<Ipv4Addr> {
    if let [_, _, _, _, _, _, _, _] = hex.as_bytes() {
        return word(hex).map(Ipv4Addr::from);
    }
    let mut bytes = [0; 16];
    for (at, place) in bytes.chunks_exact_mut(4).enumerate() {
        place.copy_from_slice(&word(hex.get(at * 8..at * 8 + 8)?)?);
    }
    let address = Ipv6Addr::from(bytes);
    if address.is_unspecified() { Some(Ipv4Addr::UNSPECIFIED) } else { address.to_ipv4_mapped() }
}

fn word(hex: &str) -> Option<[u8; 4]> {
    u32::from_str_radix(hex, 16).ok().map(u32::to_ne_bytes)
}

/// The first process that has one of the sockets open. Processes that may not be looked into are
/// passed over.
fn process(sockets: &[String]) -> Option<Holder> {
    let pids = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, entry.path()))
    });
    let mut left = MOST_DESCRIPTORS;
    for (pid, path) in pids {
        let Ok(descriptors) = fs::read_dir(path.join("fd")) else { continue };
        for descriptor in descriptors.flatten() {
            left = usize::checked_sub(left, 1)?;
            let Ok(target) = fs::read_link(descriptor.path()) else { continue };
            if sockets.iter().any(|socket| target.as_os_str() == socket.as_str()) {
                let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
                return Some(Holder::Process { pid, name: name.trim_end().into() });
            }
        }
    }
    None
}

/// About a tenth of a second's worth.
const MOST_DESCRIPTORS: usize = 100_000;

/// The first VXLAN device that is up, as it has a socket only then, and on this port.
fn device(port: u16) -> Option<Holder> {
    let links = netlink::links().ok()?;
    let link = links
        .iter()
        .find(|link| link.header.flags.contains(LinkFlags::Up) && vxlan_port(link) == Some(port))?;
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(Holder::Device { name: name.clone() }),
        _ => None,
    })
}

fn vxlan_port(link: &LinkMessage) -> Option<u16> {
    link.attributes.iter().find_map(|attribute| {
        let LinkAttribute::LinkInfo(infos) = attribute else { return None };
        infos.iter().find_map(|info| {
            let LinkInfo::Data(InfoData::Vxlan(facts)) = info else { return None };
            facts.iter().find_map(|fact| match fact {
                InfoVxlan::Port(port) => Some(*port),
                _ => None,
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "11994: 00000000:12B5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        \
        0 24749 2 0000000013712f3a 0";

    fn at(address: [u8; 4], port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(address.into(), port)
    }

    fn hex(address: [u8; 4]) -> String {
        format!("{:08X}", u32::from_ne_bytes(address))
    }

    #[test]
    fn a_socket_is_in_the_way_when_port_and_address_overlap() {
        let found = Some("socket:[24749]".to_owned());
        assert_eq!(conflicting(LINE, at([0; 4], 4789)), found);
        assert_eq!(conflicting(LINE, at([192, 0, 2, 1], 4789)), found);
        assert_eq!(conflicting(LINE, at([0; 4], 4790)), None);
        let line = LINE.replacen("00000000", &hex([192, 0, 2, 1]), 1);
        assert_eq!(conflicting(&line, at([0; 4], 4789)), found);
        assert_eq!(conflicting(&line, at([192, 0, 2, 1], 4789)), found);
        assert_eq!(conflicting(&line, at([192, 0, 2, 2], 4789)), None);
    }

    #[test]
    fn an_ipv6_socket_for_everybody_is_in_the_way_and_one_of_an_address_is_not() {
        let zeros = "0".repeat(24);
        let found = Some("socket:[24749]".to_owned());
        let line = LINE.replacen("00000000", &format!("{zeros}00000000"), 1);
        assert_eq!(conflicting(&line, at([0; 4], 4789)), found);
        let line = LINE.replacen("00000000", &format!("{zeros}{}", hex([0, 0, 0, 1])), 1);
        assert_eq!(conflicting(&line, at([0; 4], 4789)), None);
    }

    #[test]
    fn lines_of_another_shape_are_passed_over() {
        for end in 0..LINE.len() {
            let line = LINE.get(..end).unwrap_or_default();
            assert!(conflicting(line, at([1; 4], 9)).is_none(), "{line}");
        }
        assert_eq!(conflicting("  sl  local_address rem_address   st", at([0; 4], 4789)), None);
    }
}
