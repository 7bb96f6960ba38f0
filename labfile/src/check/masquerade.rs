//! `[[masquerade]]`: who leaves with an address of ours.

use super::connected;
use super::{Findings, value};
use crate::lab::Lab;
use crate::lab::nat::Masquerade;
use crate::place::Place;
use crate::problem::{Fault, quoted};
use crate::spec::{LabSpec, MasqueradeSpec};
use nat::{Filtering, Mapping, PortRange};

/// Adds every legal rule to the lab, whose interfaces are known.
pub(super) fn check(spec: &LabSpec, lab: &mut Lab, findings: &mut Findings) {
    let rules = Place::root().key("masquerade");
    for (index, written) in spec.masquerade.iter().enumerate() {
        if findings.is_full() {
            return;
        }
        if let Some(rule) = rule(written, &rules.nth(index), spec, lab, findings) {
            lab.masquerade.push(rule);
        }
    }
}

fn rule(
    written: &MasqueradeSpec,
    place: &Place,
    spec: &LabSpec,
    lab: &Lab,
    findings: &mut Findings,
) -> Option<Masquerade> {
    let source = value::present("source", &written.source, "192.168.0.0/24")
        .and_then(|text| value::network("source", text));
    let source = findings.keep(place.key("source"), source);
    let out = value::present("out", &written.out, "INTERFACE")
        .and_then(|text| connected::interface("out", text, spec, lab));
    let out = findings.keep(place.key("out"), out);
    let except = written.except.iter().map(|text| value::network("except", text));
    let except = findings.keep_all(&place.key("except"), except);
    let mapping = written.mapping.as_deref().map(|text| value::word("mapping", text, &MAPPINGS));
    let mapping = findings.keep_option(place.key("mapping"), mapping);
    let filtering = written.filtering.as_deref().map(filtering);
    let filtering = findings.keep_option(place.key("filtering"), filtering);
    let ports = findings.keep_option(place.key("ports"), written.ports.as_deref().map(ports));
    Some(Masquerade {
        source: source?,
        out: out??,
        except: except?,
        mapping: mapping?.unwrap_or_default(),
        filtering: filtering?.unwrap_or(Filtering::AddressAndPortDependent),
        ports: ports?,
        parity: written.parity.unwrap_or(true),
        inside_reachable: written.inside_reachable.unwrap_or(false),
        keep: written.keep.unwrap_or(false),
    })
}

/// Who may answer, in RFC 4787's words.
pub(super) fn filtering(text: &str) -> Result<Filtering, Fault> {
    value::word("filtering", text, &FILTERINGS)
}

/// "1024-65535", or one port.
fn ports(text: &str) -> Result<PortRange, Fault> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first = value::transport_port("ports", first.trim())?;
    let last = value::transport_port("ports", last.trim())?;
    PortRange::new(first.get(), last.get()).ok_or_else(|| {
        let wrong = format!("`ports` {} ends before it starts", quoted(text));
        Fault::new(wrong, format!("write \"{last}-{first}\""))
    })
}

const MAPPINGS: [(&str, Mapping); 2] = [
    ("endpoint-independent", Mapping::EndpointIndependent),
    ("address-and-port-dependent", Mapping::AddressAndPortDependent),
];

const FILTERINGS: [(&str, Filtering); 3] = [
    ("endpoint-independent", Filtering::EndpointIndependent),
    ("address-dependent", Filtering::AddressDependent),
    ("address-and-port-dependent", Filtering::AddressAndPortDependent),
];
