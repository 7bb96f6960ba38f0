//! Why a frame ended here. Each is what the sender did wrong, or what the switch ran out of.

use core::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// Every way for a frame to end without being sent, consumed or held.
        #[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum DropReason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl DropReason {
            /// All of them, in the order of a packet's life.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// Short name for tables and JSON: lower case with hyphens, stable.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// One sentence for people.
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)+ }
            }
        }
    };
}

reasons! {
    // Port and frame.
    /// The frame is shorter than an Ethernet header (14 bytes).
    Runt = "runt",
    /// The kernel dropped it at the port's socket, for frames came faster than they were read.
    ReceiveOverrun = "receive-overrun",
    /// The port is down or no longer exists.
    PortDown = "port-down",
    /// A receiver's header (virtio) contradicts the frame behind it.
    BadOffload = "bad-offload",
    /// The source address is a group address or zero.
    BadSource = "bad-source",
    /// The source address is one of the router's own.
    SourceIsOurs = "source-is-ours",
    /// A static entry binds the source address to another port.
    SourceIsStatic = "source-is-static",
    /// The port is guarded, and the source address is not its own.
    GuardMac = "guard-mac",
    /// The port is guarded, and the sender's address in ARP or IPv4 is not one of its own.
    GuardAddress = "guard-address",
    // VXLAN.
    /// The datagram is shorter than a VXLAN header, or does not say that its VNI is valid.
    BadVxlan = "bad-vxlan",
    /// Reserved bits of the VXLAN header are set, and the tunnel is strict about them.
    VxlanReservedBits = "vxlan-reserved-bits",
    /// No tunnel has this VNI.
    UnknownVni = "unknown-vni",
    /// The tunnel of this VNI does not have the sender among its remotes.
    UnknownVtep = "unknown-vtep",
    /// The frame inside is tagged, and the tunnel is no trunk.
    TaggedInTunnel = "tagged-in-tunnel",
    /// The way was congested, and the inner sender would not understand (RFC 6040).
    CongestedNotEcn = "congested-not-ecn",
    // VLAN.
    /// A VLAN tag is cut off by the frame's end.
    PartialTag = "partial-tag",
    /// The tag names the reserved VLAN 4095.
    BadVlan = "bad-vlan",
    /// A tagged frame came in on an access port.
    TaggedOnAccess = "tagged-on-access",
    /// The port is not a member of the frame's VLAN.
    NotInVlan = "not-in-vlan",
    // Bridge.
    /// The destination is reserved (01:80:C2:00:00:0X) and not set to be forwarded.
    Reserved = "reserved",
    /// The destination was learned on the port the frame came from.
    Reflected = "reflected",
    /// It came through a tunnel and would leave through one.
    SplitHorizon = "split-horizon",
    /// No other port may take the frame.
    NoEgress = "no-egress",
    /// Both ports are isolated.
    Isolated = "isolated",
    /// The frame is longer than the outgoing port's MTU.
    ExceedsPortMtu = "exceeds-port-mtu",
    /// The frame is longer than the tunnel's MTU.
    ExceedsTunnelMtu = "exceeds-tunnel-mtu",
    /// The outgoing device refused the frame.
    TransmitFailed = "transmit-failed",
    /// So much was flooded that a copy for this port found no room to wait in.
    FloodLimit = "flood-limit",
    /// The frame on a routed port is for another station.
    NotForUs = "not-for-us",
    /// The router speaks neither this frame's protocol nor a protocol like it.
    UnknownProtocol = "unknown-protocol",
    // ARP.
    /// The ARP packet is cut off, or not about Ethernet and IPv4.
    BadArp = "bad-arp",
    /// The ARP sender address contradicts the frame's source, or is no station's.
    ArpSpoofed = "arp-spoofed",
    /// A station uses an address of the router's own.
    ArpConflict = "arp-conflict",
    /// Nobody answered for the next hop.
    NoNeighbor = "no-neighbor",
    /// The queue of frames that wait for a neighbour is full.
    NeighborQueueFull = "neighbor-queue-full",
    /// The neighbour table is full, and the neighbour gave way to one that was asked for later.
    NeighborTableFull = "neighbor-table-full",
    // IPv4 header.
    /// The IPv4 header is cut off by the frame's end.
    TruncatedIpv4 = "truncated-ipv4",
    /// The version field is not 4.
    BadVersion = "bad-version",
    /// The header length is under 20 bytes or beyond the packet.
    BadHeaderLength = "bad-header-length",
    /// The total length is under the header's or beyond the frame.
    BadTotalLength = "bad-total-length",
    /// The IPv4 header checksum is wrong.
    BadHeaderChecksum = "bad-header-checksum",
    /// The transport header is cut off or contradicts itself.
    BadTransport = "bad-transport",
    /// The checksum of a packet for the router itself is wrong behind the IPv4 header.
    BadChecksum = "bad-checksum",
    /// A source-route option (RFC 7126).
    SourceRoute = "source-route",
    /// The source address cannot be a host's.
    MartianSource = "martian-source",
    /// No route leads back to the source, or none by where the packet came in (RFC 3704).
    ReversePath = "reverse-path",
    /// The destination address cannot be routed.
    MartianDestination = "martian-destination",
    /// An IPv4 packet to one station's address inside a broadcast frame.
    BroadcastFrame = "broadcast-frame",
    /// A broadcast to a subnet behind the router.
    DirectedBroadcast = "directed-broadcast",
    /// A multicast packet, which this router does not forward.
    Multicast = "multicast",
    // Router.
    /// The TTL ran out here.
    TtlExpired = "ttl-expired",
    /// No route leads to the destination.
    NoRoute = "no-route",
    /// The packet is larger than the next hop's MTU and must not be fragmented.
    FragmentationNeeded = "fragmentation-needed",
    /// No service of the router's own listens there.
    PortUnreachable = "port-unreachable",
    /// Nobody asked for it: the router itself has no use for it, or it comes from outside for an address inside.
    Unsolicited = "unsolicited",
    /// Forwarding between these interfaces is forbidden.
    Prohibited = "prohibited",
    // Fragments.
    /// Fragments overlap, exceed 65,535 bytes, or have an impossible length.
    BadFragment = "bad-fragment",
    /// The remaining fragments did not come in time.
    FragmentTimeout = "fragment-timeout",
    /// Too many packets are waiting for their fragments.
    FragmentLimit = "fragment-limit",
    /// So many of its sender's fragments came since that the rest would be another packet's (RFC 4963).
    FragmentStale = "fragment-stale",
    // NAT.
    /// No flow knows this packet and it cannot begin one.
    NatNoFlow = "nat-no-flow",
    /// A mapping exists, but its filter does not let this sender in.
    NatFiltered = "nat-filtered",
    /// No external port is left for a new flow.
    NatNoPort = "nat-no-port",
    /// The table of flows is full.
    NatTableFull = "nat-table-full",
    /// This host has as many flows as one host may.
    NatHostLimit = "nat-host-limit",
    /// The out interface has no address to translate to.
    NatNoAddress = "nat-no-address",
    /// An ICMP error quotes a packet that no flow sent, quotes it brokenly, or is a redirect.
    NatBadError = "nat-bad-error",
    /// It would leave where others are translated, no rule covers its source, and nobody inside bears that.
    NatForeignSource = "nat-foreign-source",
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_name_of_its_own_and_a_sentence() {
        let names: BTreeSet<String> = DropReason::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), DropReason::COUNT);
        for (number, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, number);
            assert_eq!(reason.to_string(), reason.name());
            let is_plain = |sign: char| matches!(sign, 'a'..='z' | '0'..='9' | '-');
            assert!(reason.name().chars().all(is_plain), "{reason}");
            assert!(reason.describe().ends_with('.'), "{reason}");
        }
        assert_eq!(DropReason::Runt.name(), "runt");
    }
}
