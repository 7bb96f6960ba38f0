//! The checklist, by hand: what is asked, and whether it is so.

/// Whether a requirement holds.
#[derive(Copy, Clone, Debug)]
pub enum Verdict {
    /// As it stands; tests show it.
    Holds,
    /// Otherwise, and why; tests show how it is.
    Differs(&'static str),
    /// What it is about does not exist here, and why.
    Without(&'static str),
    /// It will; why not now.
    NotYet(&'static str),
}

/// One requirement.
#[derive(Copy, Clone, Debug)]
pub struct Row {
    /// As tests name it.
    pub id: &'static str,
    /// In one sentence.
    pub requirement: &'static str,
    /// Whether it holds.
    pub verdict: Verdict,
}

/// Requirements of one kind.
#[derive(Copy, Clone, Debug)]
pub struct Section {
    /// With its sources.
    pub title: &'static str,
    /// In order.
    pub rows: &'static [Row],
}

const fn holds(id: &'static str, requirement: &'static str) -> Row {
    Row { id, requirement, verdict: Verdict::Holds }
}

const fn differs(id: &'static str, requirement: &'static str, why: &'static str) -> Row {
    Row { id, requirement, verdict: Verdict::Differs(why) }
}

const fn without(id: &'static str, requirement: &'static str, why: &'static str) -> Row {
    Row { id, requirement, verdict: Verdict::Without(why) }
}

const fn not_yet(id: &'static str, requirement: &'static str, why: &'static str) -> Row {
    Row { id, requirement, verdict: Verdict::NotYet(why) }
}

/// All of it.
pub const SECTIONS: &[Section] = &[
    Section {
        title: "NAT for UDP (RFC 4787, RFC 7857)",
        rows: &[
            holds("NU1", "The mapping of an inside endpoint is the same for every remote"),
            holds("NU2", "All flows of a host use one external address"),
            holds(
                "NU3",
                "An external port is never given to two endpoints at once; when none is left and nothing makes room, the new flow is refused",
            ),
            holds("NU4", "Ports below 1024 stay below, others stay above"),
            holds("NU5", "Even ports stay even and odd ports odd, unless switched off"),
            holds("NU6", "An idle mapping lives 300 s by default, and as long as is set"),
            holds(
                "NU7",
                "Outbound packets refresh a mapping; ICMP errors and resets that answer do not",
            ),
            holds("NU8", "Inside and outside subnets that overlap are refused"),
            holds(
                "NU9",
                "Filtering is endpoint-independent, address-dependent or address-and-port-dependent, as a rule says",
            ),
            holds(
                "NU10",
                "Two inside hosts reach each other by external addresses, and see each other's",
            ),
            holds("NU11", "No application-level gateway touches payloads"),
            holds("NU12", "ICMP neither removes a mapping nor is filtered by its source"),
            holds("NU13", "Too large: 3/4 to the inside host with DF, fragments in order without"),
            holds(
                "NU14",
                "Fragments in any order are translated, in bounded memory, and never in the way of others",
            ),
            holds(
                "NU15",
                "A UDP checksum of 0 stays 0, and one that comes out as 0 is sent as 0xFFFF",
            ),
        ],
    },
    Section {
        title: "NAT for TCP (RFC 5382, RFC 7857)",
        rows: &[
            holds("NT1", "Mappings are endpoint-independent for TCP too"),
            holds("NT2", "Every valid sequence of segments passes, simultaneous open too"),
            holds("NT3", "An unsolicited SYN from outside is met with silence"),
            holds(
                "NT4",
                "Established connections may idle 7440 s, others 240 s; each timer is set singly",
            ),
            holds("NT5", "A reset is translated, and its state lives on for 4 minutes"),
            holds("NT6", "No port is shared; hairpin works; errors are translated and end nothing"),
            holds(
                "NT7",
                "A segment that fits no state is translated or refused, never sent untranslated",
            ),
            differs(
                "NT8",
                "FTP's commands that carry addresses are helped along",
                "payloads are never edited (NU11); passive FTP works without help",
            ),
        ],
    },
    Section {
        title: "NAT for ICMP (RFC 5508, RFC 7857)",
        rows: &[
            holds(
                "NI1",
                "Queries from inside pass, and their identifier's mapping does not depend on the remote",
            ),
            holds("NI2", "An idle query lives 60 s by default, and as long as is set"),
            holds(
                "NI3",
                "An error with a wrong checksum, or whose quote has one, ends; options in the quote are walked; the quoted transport checksum is not judged",
            ),
            holds(
                "NI4",
                "An error from outside reaches the host whose packet it quotes, in that host's terms",
            ),
            holds("NI5", "An error from inside leaves from an external address"),
            holds("NI6", "An error about a query neither refreshes nor ends it"),
            holds("NI7", "Queries and errors take the hairpin too"),
            holds("NI8", "A packet refused for want of ports, flows or permission is told 3/13"),
            holds("NI9", "Unreachable, time exceeded and echo are translated"),
            holds("NI10", "Quoted and outer checksums are right after translation"),
        ],
    },
    Section {
        title: "NAT's manners (RFC 6888)",
        rows: &[
            holds("NC1", "Destinations can be exempted from translation"),
            differs(
                "NC2",
                "A host has its limit of flows",
                "a limit of flows a host; not of ports or of flows a second, which a lab's own load test would hit first",
            ),
            holds("NC3", "A port is not given to another host for 120 s, while there are others"),
            holds(
                "NC4",
                "At a limit what has ended, is unanswered or idle makes room, else the new is refused and the sender told; nothing established or going on is evicted",
            ),
            differs(
                "NC5",
                "Mappings are logged as they come and go",
                "they are listed (`tapswitch conntrack list`) and counted; a log line for each flow is a cost that a flood would choose",
            ),
            differs(
                "NC6",
                "Identifications of translated packets are unique",
                "they pass unchanged, as through Linux: rewriting them costs a counter for each pair of hosts, and fragments are put together here",
            ),
            holds(
                "NC7",
                "Who is outside reaches what is published, and no host at its inside address, unless the rule says so",
            ),
            holds(
                "NC8",
                "What leaves where others are masqueraded has a source that a rule covers or a subnet inside holds",
            ),
            holds("NC7", "What the owner of a published port says first leaves from that port"),
            holds(
                "NC8",
                "A client reaches two listeners of one service from one port, under another port where it must be",
            ),
            holds(
                "NC9",
                "A connection opened anew once it has ended is another flow, and judged by the rules of today",
            ),
            holds(
                "NC10",
                "A flow whose route moves to another uplink ends; nothing leaves an uplink under another's address",
            ),
            holds(
                "NC11",
                "A flow ends where a change of rules would translate it otherwise; established connections and the flows of a rule with `keep` go on",
            ),
            holds(
                "NC12",
                "Ended, then unanswered, then idle flows make room at the limits of a host, of the table and of ports",
            ),
            holds(
                "NC13",
                "What outsiders begin is charged to them, and keeps neither the server nor other clients out",
            ),
            holds(
                "NC14",
                "A guest that sends under its neighbour's or made-up addresses takes nothing from the neighbour",
            ),
        ],
    },
    Section {
        title: "VXLAN (RFC 7348)",
        rows: &[
            holds("VX1", "The I flag is sent; a header without it is refused"),
            holds(
                "VX2",
                "Reserved bits are sent as zero and ignored; a strict tunnel refuses them, as Open vSwitch does",
            ),
            holds("VX3", "UDP port 4789 by default, any other when set, several at once"),
            holds(
                "VX4",
                "The outer source port depends on the inner flow, is stable for it, and in 49152-65535",
            ),
            differs(
                "VX5",
                "A UDP checksum of zero is accepted; others are verified by the kernel",
                "sent checksums are on by default, because the kernel cuts trains only then (`checksum = \"zero\"` is honoured)",
            ),
            holds("VX6", "A tunnel end never fragments; a sender with DF is told what fits"),
            holds(
                "VX7",
                "Inner tags are stripped, and refused on receipt, unless the tunnel is a trunk",
            ),
            holds("VX8", "A frame inside needs 14 bytes; a shorter one is a runt"),
            holds(
                "VX9",
                "Stations are learned behind the remote VTEP that they spoke from; group addresses never",
            ),
            holds("VX10", "Broadcast, unknown and multicast frames go to every remote VTEP once"),
            holds("VX11", "What came from a remote VTEP never leaves for one"),
            holds("VX12", "Unknown VNIs and unknown VTEPs are refused early, and counted by both"),
            holds("VX13", "TTL and DSCP fixed or inherited, ECN as RFC 6040, DF set by default"),
            holds(
                "VX14",
                "`local` pins the source; two tunnels cannot have the same remote, VNI and port",
            ),
        ],
    },
    Section {
        title: "Router (RFC 1812, 791, 792, 1191)",
        rows: &[
            holds(
                "RT1",
                "Bad version, header length, total length and checksum are counted apart; padding is ignored",
            ),
            holds(
                "RT2",
                "The last hop is told 11/0; a packet for the router itself may arrive with TTL 1",
            ),
            holds(
                "RT3",
                "No route 3/0, no answer 3/1, forbidden 3/13, too large 3/4 with the next hop's MTU",
            ),
            holds(
                "RT4",
                "An error quotes as much as fits in 576 bytes, from the address that the packet came in on",
            ),
            holds(
                "RT5",
                "Never an error about an error, a later fragment, a broadcast, a multicast or an impossible source",
            ),
            holds("RT6", "Errors are limited in rate, and the limiter can be seen"),
            differs(
                "RT7",
                "No redirects unless asked for",
                "none at all: a lab's hosts learn routes from nobody but who wrote the lab",
            ),
            holds(
                "RT8",
                "Fragments as RFC 791 has them; reassembly refuses overlaps, teardrop, ping of death",
            ),
            holds(
                "RT9",
                "Directed broadcasts and martians are refused; the reverse path is checked loosely, or strictly, or not (RFC 3704)",
            ),
            holds("RT10", "Source routes are refused; record route and timestamp pass"),
            differs(
                "RT11",
                "The longest prefix wins; the router answers pings to itself",
                "one next hop a prefix, no equal-cost paths",
            ),
            holds("RT12", "Incremental checksums equal full ones, +0 and -0 included"),
        ],
    },
    Section {
        title: "ARP (RFC 826, 5227, 1122)",
        rows: &[
            holds("AR1", "Merge, then add; other hardware and lengths are ignored"),
            holds("AR2", "Only own addresses are answered for"),
            holds("AR3", "A probe is answered and never remembered"),
            holds("AR4", "An announcement changes an entry and makes none"),
            holds("AR5", "A conflict is told, and an address defended once in 10 s"),
            holds(
                "AR6",
                "One request a second for a target; frames that wait are bounded; nobody answers: 3/1",
            ),
            holds("AR7", "A neighbour is asked directly before it is forgotten"),
            holds("AR8", "Senders that contradict their frame are counted"),
            holds("AR9", "Padded to 60 bytes; replies go to the asker"),
            holds("AR10", "A full table takes from the port that has most of it"),
            holds(
                "AR11",
                "A claim replaces no reachable neighbour that still answers; a move is told",
            ),
            holds("AR12", "Who was behind a port that goes is asked for anew at once"),
        ],
    },
    Section {
        title: "Bridge (IEEE 802.1D, 802.1Q, Open vSwitch)",
        rows: &[
            holds("BR1", "Never back to where it came from"),
            holds("BR2", "Only stations' own addresses are learned"),
            holds("BR3", "Silent stations are forgotten after 300 s, or 15 to 3600"),
            holds(
                "BR4",
                "8192 stations, or 10 to 1,000,000; a full table evicts from the port that has most",
            ),
            holds("BR5", "A move counts at once; static entries never move"),
            without("BR6", "Gratuitous ARP is not believed for 5 s on bonds", "there are no bonds"),
            differs(
                "BR7",
                "Reserved addresses are dropped, and forwardable one by one",
                "the sixteen of 802.1Q; Cisco's and Extreme's are ordinary multicast",
            ),
            holds("BR8", "A port that goes down is forgotten at once"),
            holds("BR9", "Stations are known by VLAN and address together"),
            holds(
                "BR10",
                "Access ports tag on the way in and strip on the way out; tagged frames are refused, priority tags kept",
            ),
            holds(
                "BR11",
                "Trunks, native VLANs tagged and untagged, dot1q-tunnel; QinQ frames pass unharmed",
            ),
            holds("BR12", "VLAN 4095 and cut-off tags are refused; 0x88A8 is no VLAN of ours"),
            holds("BR13", "Floods stay in their VLAN"),
            without("BR14", "Mirrors", "no mirror ports: `tcpdump` reads any TAP in its namespace"),
            not_yet(
                "BR15",
                "STP",
                "BPDUs can be forwarded (`forward = [\"stp\"]`), so that nodes run it among themselves",
            ),
            not_yet("BR16", "RSTP", "as STP"),
            holds("BR17", "Frames under 14 bytes are refused; 802.3 frames pass unchanged"),
            holds(
                "BR18",
                "Tags left in a frame do not count against an MTU, whatever their TPIDs and number",
            ),
            holds(
                "BR19",
                "On a guarded port nobody speaks but its own MAC address and, in ARP and IPv4, its own addresses",
            ),
        ],
    },
    Section {
        title: "Offload (virtio 1.2 section 5.1.6)",
        rows: &[
            holds(
                "OF1",
                "What a sender leaves to do is done for whatever cannot take it so: the bytes are those that the sender's \
                 own device would have sent",
            ),
            holds(
                "OF2",
                "That of a packet in a tunnel of the guest's own (VXLAN, Geneve, GRE, IPIP and others) is done ahead of any \
                 device, through bridge, router, NAT and tunnels",
            ),
            holds(
                "OF3",
                "What no reading of a frame's headers agrees with is refused as bad-offload",
            ),
        ],
    },
    Section {
        title: "Multicast snooping (RFC 4541)",
        rows: &[not_yet(
            "MS1",
            "Off by default",
            "multicast is flooded within its VLAN; there is nothing to switch on",
        )],
    },
];
