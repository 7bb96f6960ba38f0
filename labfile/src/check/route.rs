//! `[[route]]`: where packets go that no interface is next to.

use packet::Ipv4Net;
use switch::change::Reject;

use super::connected::{self, Connected};
use super::{Findings, value};
use crate::lab::Lab;
use crate::lab::interface::InterfaceName;
use crate::lab::route::NextHop;
use crate::place::Place;
use crate::problem::Fault;
use crate::spec::{LabSpec, RouteSpec};

/// Adds every legal route to the lab, whose interfaces are known.
pub(super) fn check(spec: &LabSpec, connected: &Connected, lab: &mut Lab, findings: &mut Findings) {
    let routes = Place::root().key("route");
    for (index, written) in spec.route.iter().enumerate() {
        if findings.is_full() {
            return;
        }
        let place = routes.nth(index);
        let to = value::present("to", &written.to, "0.0.0.0/0")
            .and_then(destination)
            .and_then(|to| unconnected(to, connected));
        let to = findings.keep(place.key("to"), to);
        let hop = hop(written, &place, spec, connected, lab, findings);
        let (Some(to), Some(hop)) = (to, hop) else {
            continue;
        };
        if let Some(other) = lab.routes.get(&to) {
            findings.refuse(
                place.key("to"),
                format!("there is a route to {to} already, {other}"),
                "keep one of the two",
            );
            continue;
        }
        lab.routes.insert(to, hop);
    }
}

fn destination(text: &str) -> Result<Ipv4Net, Fault> {
    match text {
        "default" => Ok(Ipv4Net::default()),
        text => value::network("to", text),
    }
}

fn unconnected(to: Ipv4Net, connected: &Connected) -> Result<Ipv4Net, Fault> {
    match connected.subnet(to) {
        Some(name) => {
            let wrong =
                format!("`to` {to} is the subnet of {name}, which the switch reaches directly");
            Err(Fault::new(wrong, "delete the route"))
        }
        None => Ok(to),
    }
}

fn hop(
    written: &RouteSpec,
    place: &Place,
    spec: &LabSpec,
    connected: &Connected,
    lab: &Lab,
    findings: &mut Findings,
) -> Option<NextHop> {
    let out = written.out.as_deref();
    let out = out.map(|text| connected::interface("out", text, spec, lab));
    let out = match findings.keep_option(place.key("out"), out)? {
        None => None,
        Some(resolved) => Some(resolved?),
    };
    match (written.via.as_deref(), out, written.reject.as_deref()) {
        (Some(via), out, None) => {
            // While subnets are at fault, so may be the answer to where an address is.
            let sure = findings.is_empty();
            let found = self::via(via, out.as_ref(), connected);
            if sure { findings.keep(place.key("via"), found) } else { found.ok() }
        }
        (None, Some(out), None) => Some(NextHop::Out(out)),
        (None, None, Some(reject)) => {
            let reject = value::word("reject", reject, &REJECTS);
            findings.keep(place.key("reject"), reject).map(NextHop::Reject)
        }
        (None, None, None) => {
            findings.refuse(
                place.clone(),
                "nothing says where the packets go",
                "write via = \"ADDRESS\", out = \"INTERFACE\" or reject = \"unreachable\"",
            );
            None
        }
        (_, _, Some(_)) => {
            findings.refuse(
                place.key("reject"),
                "`reject` excludes `via` and `out`",
                "keep the one or the others",
            );
            None
        }
    }
}

fn via(text: &str, out: Option<&InterfaceName>, connected: &Connected) -> Result<NextHop, Fault> {
    let gateway = value::address("via", text)?;
    let Some((subnet, interface)) = connected.around(gateway) else {
        let wrong = format!("`via` {gateway} is in no subnet of the switch");
        return Err(Fault::new(
            wrong,
            "write the address of a neighbour on a bridge or routed port",
        ));
    };
    if let Some(owner) = connected.owner(gateway) {
        let wrong = format!("`via` {gateway} is the switch's own address on {owner}");
        return Err(Fault::new(wrong, "write the next router's address"));
    }
    value::edge_of("via", gateway, subnet)?;
    match out {
        Some(out) if out != interface => {
            let wrong = format!("`via` {gateway} is in a subnet of {interface}, not of {out}");
            Err(Fault::new(wrong, format!("write out = \"{interface}\", or delete `out`")))
        }
        _ => Ok(NextHop::Via { gateway, out: interface.clone() }),
    }
}

const REJECTS: [(&str, Reject); 3] = [
    ("unreachable", Reject::Unreachable),
    ("prohibit", Reject::Prohibit),
    ("blackhole", Reject::Blackhole),
];
