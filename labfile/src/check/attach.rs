//! Where a port's far end is, and how its device is called.

use std::path::PathBuf;

use super::{Findings, value};
use crate::lab::device::Device;
use crate::lab::port::{Attach, Netns};
use crate::place::Place;
use crate::problem::{Fault, quoted};
use crate::spec::PortSpec;

/// One of `netns`, `pid`, `host` and `interface`.
pub(super) fn check(written: &PortSpec, place: &Place, findings: &mut Findings) -> Option<Attach> {
    let host = written.host == Some(true);
    if written.master.is_some() && !host {
        findings.refuse(
            place.key("master"),
            "`master` is for ports of the host itself",
            "write host = true beside it, or delete it",
        );
        return None;
    }
    let in_netns = written.netns.is_some() || written.pid.is_some();
    if written.link.is_some() && !in_netns {
        findings.refuse(
            place.key("link"),
            "`link` is for ports in a namespace",
            "write netns = \"NAME\" beside it, or delete it",
        );
        return None;
    }
    match (&written.netns, written.pid, host, &written.interface) {
        (Some(netns), None, false, None) => {
            let netns = findings.keep(place.key("netns"), self::netns(netns));
            linked(written, netns, place, findings)
        }
        (None, Some(pid), false, None) => {
            let pid = findings.keep(place.key("pid"), value::number("pid", pid, 1..=MOST_PIDS));
            linked(written, pid.map(Netns::Pid), place, findings)
        }
        (None, None, true, None) => {
            let master = written.master.as_deref().map(|text| device_name("master", text));
            let master = findings.keep_option(place.key("master"), master)?;
            Some(Attach::Host { master })
        }
        (None, None, false, Some(interface)) => existing(interface, written, place, findings),
        (None, None, false, None) => {
            findings.refuse(
                place.clone(),
                "nothing says where its far end is",
                "write netns = \"NAME\", pid = NUMBER, host = true or interface = \"DEVICE\"",
            );
            None
        }
        (netns, pid, host, interface) => {
            let given = [
                ("netns", netns.is_some()),
                ("pid", pid.is_some()),
                ("host", host),
                ("interface", interface.is_some()),
            ];
            let given = given.iter().filter(|(_, given)| *given).map(|(key, _)| format!("`{key}`"));
            findings.refuse(
                place.clone(),
                format!("{} exclude each other", given.collect::<Vec<_>>().join(" and ")),
                "keep one of them",
            );
            None
        }
    }
}

/// A namespace, and what joins it to the switch.
fn linked(
    written: &PortSpec,
    netns: Option<Netns>,
    place: &Place,
    findings: &mut Findings,
) -> Option<Attach> {
    let link = written.link.as_deref().unwrap_or("tap");
    let link = findings.keep(place.key("link"), value::word("link", link, &LINKS))?;
    if link == Link::Veth && written.offload == Some(false) {
        findings.refuse(
            place.key("offload"),
            "offload = false is for a TAP, and link = \"veth\" makes none",
            "delete it, or write link = \"tap\"",
        );
        return None;
    }
    match link {
        Link::Tap => netns.map(Attach::Netns),
        Link::Veth => netns.map(Attach::Veth),
    }
}

/// A device that is there already, of which the switch sets nothing.
fn existing(
    interface: &str,
    written: &PortSpec,
    place: &Place,
    findings: &mut Findings,
) -> Option<Attach> {
    let keys = [
        ("device", written.device.is_some()),
        ("mac", written.mac.is_some()),
        ("address", !written.address.is_empty()),
        ("gateway", written.gateway.is_some()),
        ("offload", written.offload.is_some()),
    ];
    let mut fits = true;
    for (key, _) in keys.iter().filter(|(_, given)| *given) {
        findings.refuse(
            place.key(key),
            format!("`{key}` is for devices that the switch makes, and this port has `interface`"),
            "delete it: the device stays as it is found",
        );
        fits = false;
    }
    let device = findings.keep(place.key("interface"), device_name("interface", interface))?;
    fits.then_some(Attach::Interface(device))
}

/// The far end's device: as written, else "eth0" in a namespace and the port's name on the host. An
/// existing device is its own far end.
pub(super) fn device(
    name: &str,
    written: &PortSpec,
    place: &Place,
    findings: &mut Findings,
) -> Option<Device> {
    if let Some(interface) = &written.interface {
        // Whether it is a device at all is said where the attachment is checked.
        return interface.parse().ok();
    }
    let device = match (&written.device, written.host == Some(true)) {
        (Some(device), _) => device_name("device", device),
        (None, false) => device_name("device", "eth0"),
        (None, true) => name.parse().map_err(|error| {
            let wrong = format!("its device would be called {}, which {error}", quoted(name));
            Fault::new(wrong, "write device = \"...\" with at most 15 characters")
        }),
    };
    let device = findings.keep(place.key("device"), device)?;
    if written.host == Some(true) && written.master.as_deref() == Some(device.as_str()) {
        findings.refuse(
            place.key("master"),
            format!("device \"{device}\" would be its own master"),
            "write the name of the Linux bridge",
        );
        return None;
    }
    Some(device)
}

fn device_name(key: &str, text: &str) -> Result<Device, Fault> {
    text.parse().map_err(|error| {
        let wrong = format!("`{key}` {} {error}", quoted(text));
        Fault::new(wrong, "write a name such as \"eth0\", at most 15 characters")
    })
}

/// A name, or a path when it has a slash.
fn netns(text: &str) -> Result<Netns, Fault> {
    let remedy = "write a name such as \"red\", or a path such as \"/proc/1557/ns/net\"";
    let fault = |why: &str| Err(Fault::new(format!("`netns` {} {why}", quoted(text)), remedy));
    if text.contains('\0') {
        return fault("has a zero byte");
    }
    if text.starts_with('/') {
        return match text.len() {
            ..=LONGEST_PATH => Ok(Netns::Path(PathBuf::from(text))),
            _ => fault("is longer than a path can be"),
        };
    }
    match text {
        "" => fault("is empty"),
        "." | ".." => fault("is a directory"),
        _ if text.contains('/') => fault("is a path that depends on where the daemon runs"),
        _ if text.starts_with('-') => fault("would be an option of `ip netns`"),
        _ if text.chars().any(|c| c.is_control() || c.is_whitespace()) => {
            fault("has a character that a namespace's name cannot have")
        }
        _ if text.len() > LONGEST_NAME => fault("is longer than 254 bytes"),
        _ => Ok(Netns::Name(text.to_owned())),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    Tap,
    Veth,
}

const LINKS: [(&str, Link); 2] = [("tap", Link::Tap), ("veth", Link::Veth)];

/// The kernel's PID_MAX_LIMIT on 64-bit machines.
const MOST_PIDS: i64 = 4_194_304;
/// PATH_MAX less its terminator.
const LONGEST_PATH: usize = 4_095;
/// `ip netns` wants less than NAME_MAX.
const LONGEST_NAME: usize = 254;
