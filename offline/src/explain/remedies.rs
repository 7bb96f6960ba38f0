//! What to change so that a frame passes, for every reason to drop one: a table, and nothing else.
//! The match is whole, so that a new reason cannot be forgotten.
//!
//! Words in braces stand for what the frame met, and are filled in by `advice`: `{port}` where it
//! came in, `{bridge}` and `{vlan}` it was in, `{out}` the port that it would have left by, `{tag}`
//! the VLAN of its tag, `{away}` the router's interface that it would have left by, `{smac}` and
//! `{dmac}`, `{src}` and `{dst}` its addresses as sent, `{hop}` the next hop, `{own}` the router's
//! MAC address beside the port, `{rule}` the masquerade rule's number, `{tunnel}` its tunnel,
//! `{remote}` its VTEP.

use packet::DropReason;

/// What to do about a drop.
pub(super) const fn remedy(reason: DropReason) -> &'static str {
    match reason {
        // Port and frame.
        DropReason::Runt => {
            "Send at least an Ethernet header of 14 bytes; a capture whose snap length cut it is no frame: capture with \
             `tcpdump -s 0`."
        }
        DropReason::PortDown => {
            "Bring the port up: `tapswitch port list` says what became of its device, and applying the lab again makes a \
             lost one anew."
        }
        DropReason::BadOffload => {
            "Let the sender finish its frames itself: `ip netns exec NAMESPACE ethtool -K DEVICE tx off tso off gso \
             off`, or `offload = false` for [port.{port}]."
        }
        DropReason::BadSource => {
            "Send from a station's own address, neither a group's nor zero: set `mac` of [port.{port}], or the address of \
             the sender's device."
        }
        DropReason::SourceIsOurs => {
            "Give the sender another MAC address than {smac}, which is the router's: `tapswitch port set {port} --mac MAC`; \
             or the router another, with `mac` of [bridge.{bridge}] (`router_mac` of a routed port)."
        }
        DropReason::SourceIsStatic => {
            "Bind the station to where it is, `tapswitch fdb add {smac} --port {port}`, or let it go where it likes, \
             `tapswitch fdb del {smac} --bridge {bridge} --vlan {vlan}` (its line is in [[bridge.{bridge}.static]])."
        }
        DropReason::GuardMac => {
            "Speak from the port's own MAC address, or let everybody speak on it: `tapswitch port set {port} --guard=false` \
             (`guard` of [port.{port}], or of its bridge)."
        }
        DropReason::GuardAddress => {
            "Give the port every address that it speaks from, `tapswitch port set {port} --address ADDRESS/LENGTH` (the list is \
             replaced), or let everybody speak on it, `tapswitch port set {port} --guard=false`."
        }
        // VXLAN.
        DropReason::BadVxlan => {
            "Only VXLAN may come to a tunnel's UDP port (RFC 7348 section 5): see that the peer speaks it, and not Geneve or \
             VXLAN-GPE, or move the tunnel to another `port`."
        }
        DropReason::VxlanReservedBits => {
            "Let reserved bits pass: `tapswitch tunnel set {tunnel} --strict-reserved=false`, or `strict_reserved = false` \
             of [tunnel.{tunnel}]."
        }
        DropReason::UnknownVni => {
            "Give a tunnel the sender's number: `vni` of a [tunnel.NAME]; `tapswitch tunnel unknown` tells which VNI \
             comes from whom."
        }
        DropReason::UnknownVtep => {
            "Name the sender among the tunnel's `remotes`: `tapswitch tunnel set {tunnel} --remote {remote}` (with all \
             others, since the list is replaced)."
        }
        DropReason::TaggedInTunnel => {
            "Carry tags in the tunnel, at both ends: `tapswitch tunnel set {tunnel} --trunk --unset vlan`; or let the peer \
             send untagged."
        }
        DropReason::CongestedNotEcn => {
            "The path is congested and the sender does not understand ECN: let it send less, or give it ECN \
             (`sysctl net.ipv4.tcp_ecn=1` in its namespace)."
        }
        // VLAN.
        DropReason::PartialTag => {
            "The frame ends within its VLAN tag: send it whole, at least 18 bytes."
        }
        DropReason::BadVlan => "Tag the frame with a VLAN from 1 to 4094: 4095 is reserved.",
        DropReason::TaggedOnAccess => {
            "Send untagged, or make the port a trunk: `tapswitch port set {port} --trunks {tag} --unset vlan` (`trunks` in \
             place of `vlan` of [port.{port}])."
        }
        DropReason::NotInVlan => {
            "Let port {out} carry the VLAN: add {tag} to `trunks` of [port.{out}], or `tapswitch port set {out} --trunks \
             {tag}` with its others; a routed port carries untagged frames alone, and a bridge is routed by VLAN with \
             `vlan.N.router`."
        }
        // Bridge.
        DropReason::Reserved => {
            "Let the protocol pass: `tapswitch bridge set {bridge} --forward {dmac}` (`forward` of [bridge.{bridge}], which \
             also knows \"stp\", \"lacp\", \"lldp\" and others by name)."
        }
        DropReason::Reflected => {
            "Nothing is to be done where sender and receiver are behind the same port: they hear each other without the \
             switch. If the receiver has moved, let it speak once, or `tapswitch fdb flush --bridge {bridge} --port {port}`."
        }
        DropReason::SplitHorizon => {
            "Let the two VTEPs reach each other themselves: each is to have the other among its remotes, since what \
             comes out of a tunnel goes into none."
        }
        DropReason::NoEgress => {
            "Plug somebody in who may take it: no other port of bridge {bridge} is up and carries this VLAN (`bridge`, \
             `vlan` and `trunks` of [port.NAME]; `tapswitch port list`)."
        }
        DropReason::Isolated => {
            "Let one of the two out of isolation: `tapswitch port set {port} --isolated=false` (`isolated = false` of \
             [port.{port}] or of [port.{out}])."
        }
        DropReason::ExceedsPortMtu => {
            "Raise the MTU of port {out}, `tapswitch port set {out} --mtu 9000`, or lower the sender's: `mtu` of \
             [port.{port}]."
        }
        DropReason::ExceedsTunnelMtu => {
            "Lower the sender's MTU to the tunnel's (`mtu` of [port.{port}]; ports without one follow it), or raise the \
             underlay's; for TCP alone, `tapswitch tunnel set {out} --mss-clamp` helps."
        }
        DropReason::ReceiveOverrun => {
            "Give the packet threads more time: more of them (`run --workers`), processors of their own (`--cpus`), or \
             less to do; or have the sender behind {port} send less at once."
        }
        DropReason::TransmitFailed => {
            "The device behind {out} refused the frame: see that it is up in its namespace (`tapswitch port list`)."
        }
        DropReason::FloodLimit => {
            "More was flooded than a worker writes beside other frames: find who floods (`tapswitch stats`), or make the \
             bridge of {out} smaller, by VLANs or a router."
        }
        DropReason::NotForUs => {
            "Send to the router's own address {own}: the sender's ARP entry for its gateway is another's \
             (`ip neigh flush all` in its namespace)."
        }
        DropReason::UnknownProtocol => {
            "The router speaks IPv4 and ARP: for other protocols put both ends on one bridge, with `bridge` in place of \
             `router` of [port.{port}]."
        }
        // ARP.
        DropReason::BadArp => {
            "Send ARP for Ethernet and IPv4 (RFC 826): 28 bytes, hardware type 1, protocol 0x0800, a request or a reply."
        }
        DropReason::ArpSpoofed => {
            "Let the ARP sender address be the frame's own source: {smac} speaks for another station."
        }
        DropReason::ArpConflict => {
            "Give the station another IPv4 address: it uses one of the router's (`address` of [port.{port}], or `router` of \
             [bridge.{bridge}])."
        }
        DropReason::NoNeighbor => {
            "Let somebody answer for {hop} on {away}: is the host up, and has it that address (`address` of its [port.NAME])? \
             One that answers no ARP is bound by `tapswitch neigh add {hop} --mac MAC`."
        }
        DropReason::NeighborQueueFull => {
            "Wait for {hop} to answer ARP, or bind it, `tapswitch neigh add {hop} --mac MAC`: as many packets wait as may."
        }
        DropReason::NeighborTableFull => {
            "Send to fewer neighbours at once, or make room for them: `neighbors` of [switch] (8192), or `tapswitch neigh \
             flush`."
        }
        // IPv4 header.
        DropReason::TruncatedIpv4 => {
            "Send the whole IPv4 header, 20 bytes at least; a capture that cut it is no frame: `tcpdump -s 0`."
        }
        DropReason::BadVersion => "Send IPv4 under type 0x0800: the version field says otherwise.",
        DropReason::BadHeaderLength => {
            "Make the header length at least 5 words of 4 bytes, and not longer than the packet (RFC 791 section 3.1)."
        }
        DropReason::BadTotalLength => {
            "Make the total length that of the packet: not under the header's, and not beyond the frame's end."
        }
        DropReason::BadHeaderChecksum => {
            "Make the header checksum right (RFC 791 section 3.1); frames captured at their sender may not have theirs yet: \
             `ip netns exec NAMESPACE ethtool -K DEVICE tx off`."
        }
        DropReason::BadTransport => {
            "Send a whole TCP, UDP or ICMP header: this one is cut off, or its length contradicts the packet's."
        }
        DropReason::SourceRoute => {
            "Send without a source-route option: no router should follow it (RFC 7126 section 4.3)."
        }
        DropReason::MartianSource => {
            "Send from an address that a host can have: {src} is the router's own, or loopback, a group or unassigned \
             (`address` of [port.{port}])."
        }
        DropReason::ReversePath => {
            "Send from where the routes lead back to {src} (`tapswitch route list`), write a route that leads there, or take \
             packets from everywhere: `rp_filter = \"off\"` of the bridge or of the routed port, where it is \"strict\" \
             perhaps \"loose\"."
        }
        DropReason::MartianDestination => {
            "Send to an address that can be routed: {dst} is loopback, zero or unassigned."
        }
        DropReason::BroadcastFrame => {
            "Send to the router's own MAC address, {own}: a packet to one host inside a broadcast frame, or to \
             255.255.255.255, is not routed."
        }
        DropReason::DirectedBroadcast => {
            "Send to a host of the subnet: {dst} is its broadcast address, which is not forwarded (RFC 2644)."
        }
        DropReason::Multicast => {
            "Put both ends on one bridge, which floods groups: multicast is not routed."
        }
        // Router.
        DropReason::TtlExpired => {
            "Send with a larger TTL: it was used up here. From traceroute, this is as it should be."
        }
        DropReason::NoRoute => {
            "Write a route: `tapswitch route add {dst} --via ADDRESS` (`[[route]]` with `to` and `via`), or `to = \
             \"default\"` for everything."
        }
        DropReason::FragmentationNeeded => {
            "Send smaller packets, or allow them to be cut (without DF), or raise the MTU of {away}: `mtu` of its bridge, or of \
             [port.{away}]."
        }
        DropReason::PortUnreachable => {
            "Publish a service here, `tapswitch publish add {listen} --to ADDRESS:PORT`: the router itself listens on no port."
        }
        DropReason::BadChecksum => {
            "Send a right TCP, UDP or ICMP checksum: the router answers nothing that was changed on its way. A capture taken \
             at the sender has none where its device was to finish it: `ip netns exec NAMESPACE ethtool -K DEVICE tx off` ahead of capturing."
        }
        DropReason::Unsolicited => {
            "Send it to a host and not to the router, or publish the port, `tapswitch publish add {listen} --to ADDRESS:PORT`: \
             nobody here asked for it. Hosts behind a masquerade rule are reached from outside at their own addresses where \
             the rule says `inside_reachable = true` (`tapswitch masquerade set {rule} --inside-reachable`)."
        }
        DropReason::Prohibited => {
            "Take the written refusal away: `tapswitch route del {net}` (`reject = \"prohibit\"` or \"blackhole\" in \
             `[[route]]`)."
        }
        // Fragments.
        DropReason::BadFragment => {
            "Send fragments that do not overlap, in multiples of 8 bytes, of at most 65,535 bytes in all (RFC 791 section 3.2)."
        }
        DropReason::FragmentTimeout => {
            "Send all fragments of a packet, and within the time of its first."
        }
        DropReason::FragmentLimit => {
            "Send fewer packets in fragments at once, or smaller ones: set the sender's `mtu` to that of the way."
        }
        DropReason::FragmentStale => {
            "Send the fragments of a packet one behind the other: what came after 64 others bears the identification of an \
             older packet that lost some."
        }
        // NAT.
        DropReason::NatNoFlow => {
            "Begin the connection anew: no flow knows this packet, and it cannot begin one (TCP begins with SYN, a ping with a \
             request). Flows are lost when the daemon ends or `tapswitch conntrack flush` is used."
        }
        DropReason::NatFiltered => {
            "Open the filter of the masquerade rule, `tapswitch masquerade set {rule} --filtering endpoint-independent`, let \
             the inside speak first, or publish the port: `tapswitch publish add {listen} --to ADDRESS:PORT`."
        }
        DropReason::NatNoPort => {
            "Lend more ports: `tapswitch masquerade set {rule} --ports 1024-65535`, or `mapping = \
             \"address-and-port-dependent\"`, by which hosts share them."
        }
        DropReason::NatTableFull => {
            "Make room for flows: `flows` of [switch] (262144); `tapswitch conntrack list` shows who has them."
        }
        DropReason::NatHostLimit => {
            "Let one host have more flows: `flows_per_host` of [switch] (16384)."
        }
        DropReason::NatNoAddress => {
            "Give the switch an address to translate to on {away}: `router` of its bridge or of [port.{away}]."
        }
        DropReason::NatBadError => {
            "Send ICMP errors whole, with a right checksum, and about a packet that was sent: this one quotes none that is \
             known here."
        }
        DropReason::NatForeignSource => {
            "Send from an address of a subnet inside: no masquerade rule covers {src}, and no route leads to it by an interface \
             inside. Let a rule cover it (`source` of a `[[masquerade]]`), or write its route."
        }
    }
}
