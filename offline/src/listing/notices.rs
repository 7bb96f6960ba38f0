//! What the switch wants a person to know, in words.

use packet::{InterfaceId, PortId};
use switch::Notice;
use switch::view::Location;

use labfile::ids::Ids;

/// A notice as a sentence.
pub fn say(ids: &Ids, notice: Notice) -> String {
    let interface = |id: InterfaceId| {
        let name = ids.interface_name(id).map(ToString::to_string);
        name.unwrap_or_else(|| id.to_string())
    };
    let port = |id: PortId| ids.port_label(id).unwrap_or_else(|| id.to_string());
    match notice {
        Notice::AddressConflict { interface: on, address, station } => {
            let on = interface(on);
            format!("{station} on {on} claims {address}, which is the switch's own")
        }
        Notice::NeighborMoved { interface: on, address, was, is, taken } => {
            let on = interface(on);
            let outcome = match taken {
                true => format!("and is taken to have it now in place of {was}"),
                false => {
                    format!("which {was} has: that station is asked whether it is still there")
                }
            };
            format!("{is} on {on} claims {address}, {outcome}")
        }
        Notice::OwnSource { interface: own, station, from } => {
            let own = interface(own);
            let (from, remedy) = match from {
                Location::Remote { tunnel, remote } => (
                    format!("{} brings frames of {remote}", port(tunnel)),
                    "the switch there has the same, and neither hears the other. Write another `mac` for the \
                     router on one side, or give the two routers different addresses"
                        .to_owned(),
                ),
                Location::Port(at) => (
                    format!("{} brings frames", port(at)),
                    "another router has the same, or there is a loop behind that port".to_owned(),
                ),
                Location::Router(_) => (String::new(), String::new()),
            };
            format!(
                "{from} from {station}, which is the router's own MAC address on {own}: {remedy}"
            )
        }
    }
}
