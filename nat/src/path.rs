//! Between which interfaces a flow goes.

use packet::InterfaceId;
use serde::{Deserialize, Serialize};

use crate::translated::Arrival;

/// Between which interfaces a flow was begun.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Path {
    /// Its first packet came in here.
    pub(crate) ingress: InterfaceId,
    /// The router's interface that bears the address it was sent to, if one does.
    pub(crate) owner: Option<InterfaceId>,
    /// It left here, and packets of its direction do.
    pub(crate) egress: InterfaceId,
}

impl Path {
    pub(crate) const fn new(arrival: Arrival, out: InterfaceId) -> Self {
        Self { ingress: arrival.interface, owner: arrival.owner, egress: out }
    }
}
