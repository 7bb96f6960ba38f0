//! Where a station is, in 32 bits.

use packet::PortId;

use crate::station::Location;

/// A port's number; of any other place, that the station's entry knows it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Place(u32);

impl Place {
    /// No port's number, since the table of ports would have to be that long.
    const ELSEWHERE: Self = Self(u32::MAX);

    #[inline]
    pub(super) const fn of(location: Location) -> Self {
        match location {
            Location::Port(port) => Self(port.index() as u32),
            Location::Peer { .. } | Location::Router(_) => Self::ELSEWHERE,
        }
    }

    /// The port.
    #[inline]
    pub(super) fn port(self) -> Option<PortId> {
        (self != Self::ELSEWHERE).then_some(PortId::new(self.0))
    }
}
