//! Small numbers that name things inside the switch. People's names for them live in the daemon.

use core::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(#[serde(deserialize_with = "crate::snapshot::position")] $inner);

        impl $name {
            /// The `number`th of its kind.
            pub const fn new(number: $inner) -> Self {
                Self(number)
            }

            /// The number itself.
            pub const fn number(self) -> $inner {
                self.0
            }

            /// The number as a position in a table that is indexed by it.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    };
}

id!(
    /// A port of the switch: one cable. Dense and small, because tables are indexed by it; reused
    /// after removal.
    PortId, u32, "port"
);
id!(
    /// A bridge: one set of VLANs with one forwarding table.
    BridgeId, u16, "bridge"
);
id!(
    /// A router interface: the router's own end on a VLAN of a bridge, or on a routed port.
    InterfaceId, u16, "interface"
);
