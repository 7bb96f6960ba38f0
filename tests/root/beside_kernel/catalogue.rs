//! The differences from the kernel that are intended: each with what either side does, the reason,
//! and the cases in which it shows.
//!
//! An entry is recognised by what both sides did at one place of a case. A case that an entry names
//! and in which it does not show is a fault like a difference that no entry explains.

use super::play::{Difference, Place};
use super::recognise::By::{Kernel, Ours};

/// One intended difference.
pub(crate) struct Intended {
    /// Short and stable.
    pub(crate) name: &'static str,
    pub(crate) ours: &'static str,
    pub(crate) kernel: &'static str,
    /// Why ours does it, with its source.
    pub(crate) why: &'static str,
    /// Where it shows.
    pub(crate) cases: &'static [&'static str],
    pub(crate) recognise: fn(&Difference) -> bool,
}

/// All of them: routing, then what is for the router itself, then translation, then the table of
/// flows.
pub(crate) const CATALOGUE: &[Intended] = &[
    Intended {
        name: "martians",
        ours: "packets from or to 0/8, 169.254/16 and 240/4, and from a subnet's own address, are dropped without a word",
        kernel: "all are addresses like any other, except 0.0.0.0 and 255.255.255.255",
        why: "no host may bear them (RFC 1122 section 3.2.1.3, RFC 1812 section 5.3.7), and no router forwards what is of \
              one link (RFC 3927 section 2.7)",
        cases: &["from the subnet's own address", "to 0.1.2.3", "to 169.254.1.1", "to 240.0.0.1"],
        recognise: |d| d.is_silent(Ours) && !d.is_silent(Kernel),
    },
    Intended {
        name: "options-pass",
        ours: "record route and timestamp pass as they are, and are not in later fragments",
        kernel: "it writes its address and the time into them; later fragments carry no-operations",
        why: "a switch of labs tells no outsider how it is built (RFC 7126 has operators drop both); they are \
              not copied on fragmentation (RFC 791 section 3.1)",
        cases: &[
            "record route",
            "timestamp",
            "timestamp with addresses",
            "masqueraded, record route",
            "what is cut has options",
        ],
        recognise: |d| d.is_only_in(&["options"]),
    },
    Intended {
        name: "options-unjudged",
        ours: "what other options say is their receiver's business, right or wrong",
        kernel: "an option that contradicts itself, or a security option that it does not know, is told 12/0",
        why: "only source routes concern this router; a length that lies harms nobody who does not act on it",
        cases: &[
            "an option too long",
            "an option without length",
            "an option of length 1",
            "record route with a bad pointer",
            "commercial security",
        ],
        recognise: |d| {
            let told = d.is_silent(Ours) && d.says(Kernel, (12, 0));
            told || !d.is_silent(Ours) && d.is_silent(Kernel)
        },
    },
    Intended {
        name: "errors-without-options",
        ours: "an error has no options, and quotes those of its cause as they came",
        kernel: "the cause's options are sent back, and quoted with its own address in them and a header \
                 checksum that no longer fits",
        why: "the quote is the packet as its sender knows it (RFC 792)",
        cases: &["ttl 1, options"],
        recognise: |d| d.is_only_in(&["options", "quote options", "quote header"]),
    },
    Intended {
        name: "unreachable-net",
        ours: "a route that rejects as unreachable says 3/0",
        kernel: "it says 3/1",
        why: "what is unreachable is the network that somebody wrote (RFC 1812 section 5.2.7.1)",
        cases: &["an unreachable route"],
        recognise: |d| d.is_only_in(&["icmp"]),
    },
    Intended {
        name: "error-source",
        ours: "an error comes from the address that its cause came in on",
        kernel: "an error comes from the address of the way back, or from the address that its cause was sent \
                 to, or from an external one if its cause was translated",
        why: "it is the hop that the sender's packets take, which traceroute means to show; where routes are \
              symmetric both are the same. RFC 1812 section 4.3.2.4 asks for that of the way back, and the \
              kernel has a setting for ours (icmp_errors_use_inbound_ifaddr)",
        cases: &[
            "ttl 1, from where the sender is not",
            "udp to the router's other address",
            "the next hops are silent, masqueraded and not",
            "hairpin, ttl 1",
            "translating, udp from inside to a closed port outside",
        ],
        recognise: Difference::is_only_in_error_source,
    },
    Intended {
        name: "echo-as-it-came",
        ours: "the reply to a ping is the request turned around, with its DF and its options as they came",
        kernel: "a reply is made anew, without DF, and with the route recorded",
        why: "a reply of the same length and flags shows that the way back takes such packets; RFC 1122 section \
              3.2.2.6 would like the route recorded",
        cases: &["ping to the router, df", "ping to the router, record route"],
        recognise: |d| d.is_only_in(&["fragment", "options"]),
    },
    Intended {
        name: "no-timestamps",
        ours: "ICMP timestamp requests to the router are not answered",
        kernel: "they are answered",
        why: "RFC 1812 section 4.3.3.8 lets a router choose; the clock is nobody's business",
        cases: &["a timestamp request"],
        recognise: |d| d.is_silent(Ours) && d.says(Kernel, (14, 0)),
    },
    Intended {
        name: "silent-outside",
        ours: "packets to an outside address that nobody asked for, and that are TCP or for a port in use by \
               others, meet silence",
        kernel: "they are its own: a reset, or 3/3",
        why: "the inside may be opening that connection just now (RFC 5382 REQ-4), and whoever scans learns \
              nothing of who talks to whom",
        cases: &[
            "another remote to a mapped port",
            "a syn that nobody asked for",
            "an ack that nobody asked for",
            "a syn to a mapped port",
            "hairpin to a mapped port",
        ],
        recognise: |d| d.is_silent(Ours) && (d.says(Kernel, (3, 3)) || d.resets(Kernel)),
    },
    Intended {
        name: "never-untranslated",
        ours: "what a masquerade rule covers leaves translated or not at all",
        kernel: "what its connection tracking calls invalid leaves with its inside source",
        why: "an inside address outside is never right (RFC 5382, RFC 7857); the kernel needs a rule that drops \
              invalid packets for that",
        cases: &[
            "a wrong udp checksum from inside",
            "a wrong icmp checksum from inside",
            "a wrong tcp checksum from inside",
            "a reply that nobody asked for, from inside",
            "an unknown icmp type from inside",
            "an error from inside about no flow",
            "a fin of no connection",
            "a rst of no connection",
            "a syn-ack of no connection",
            "a segment without flags",
            "syn and fin",
            "syn and rst",
            "every flag at once",
            "data out of the window from inside",
            "a data offset beyond the segment",
            "a data offset under 5",
        ],
        recognise: Difference::is_leak,
    },
    Intended {
        name: "inside-is-out-of-reach",
        ours: "what comes from outside for a host that a masquerade rule covers, or for the router's address there, is \
               dropped, unless the rule says inside_reachable",
        kernel: "it is forwarded or answered, and the answers leave with the inside source",
        why: "who is masqueraded is reached at published ports, and the outside never sees an inside address; home \
              routers and Docker have rules for that beside their masquerade",
        cases: &[
            "from outside to an inside address",
            "translating, ping from outside to the inside address",
            "translating, udp from outside to the inside address",
            "straight to the server's own address",
        ],
        recognise: |d| d.is_silent(Ours) && !d.is_silent(Kernel) || d.only_has_flows(Kernel),
    },
    Intended {
        name: "checksums-unjudged",
        ours: "a wrong checksum behind the IPv4 header passes through, as wrong as it came",
        kernel: "such a packet is invalid: no part of its connection",
        why: "checksums are mended, not computed anew (RFC 1624), so the receiver finds the fault that the \
              sender's end has made",
        cases: &[
            "a wrong udp checksum from inside",
            "a wrong icmp checksum from inside",
            "a wrong tcp checksum from inside",
            "a wrong udp checksum from outside",
        ],
        recognise: |d| {
            let passes = !d.is_silent(Ours) && d.is_silent(Kernel);
            passes || d.only_has_flows(Ours) || d.is_only_in_words(&["[UNREPLIED]"])
        },
    },
    Intended {
        name: "sequence-unjudged",
        ours: "segments of a connection pass whatever their sequence numbers",
        kernel: "segments out of the window are invalid: they are not translated, and those from outside are \
                 answered with a reset",
        why: "a translator that misjudges a window breaks a connection that both ends think well of; a reset \
              that is forged ends nothing here that goes on (RFC 7857 section 2.2)",
        cases: &[
            "data out of the window from outside",
            "an acknowledgement of what was not sent",
            "a rst out of the window",
        ],
        recognise: |d| match d.place {
            Place::Flows => !d.is_only_in_times() && d.is_only_in_words(&["CLOSE", "ESTABLISHED"]),
            Place::Wire(..) => d.is_silent(Kernel) || d.is_silent(Ours) && d.resets(Kernel),
        },
    },
    Intended {
        name: "quotes-are-judged",
        ours: "an error whose quoted header has a wrong checksum is dropped",
        kernel: "it is translated, as wrong as it came",
        why: "RFC 5508 REQ-3b",
        cases: &["an error whose quote has a wrong checksum"],
        recognise: |d| d.is_silent(Ours) && d.says(Kernel, (3, 3)),
    },
    Intended {
        name: "rejoined",
        ours: "what came in fragments leaves whole where it fits",
        kernel: "it leaves in fragments like those that came",
        why: "both have put it together to translate it; the fewer fragments, the less is lost",
        cases: &[
            "pieces in order",
            "pieces in reverse",
            "pieces one by one",
            "a piece twice",
            "an answer in pieces",
            "pieces with df",
            "a ping in pieces",
            "to a published port in pieces",
            "pieces with options",
            "hairpin in pieces",
            "pieces of unlike ttl",
            "pieces of unlike traffic class",
        ],
        recognise: Difference::is_rejoined,
    },
    Intended {
        name: "told-why",
        ours: "who cannot have a flow because another host has the only one there can be is told 3/13",
        kernel: "the packet is dropped without a word",
        why: "RFC 5508 REQ-8",
        cases: &["another protocol of two hosts"],
        recognise: |d| d.says(Ours, (3, 13)) && d.is_silent(Kernel),
    },
    Intended {
        name: "no-port-0",
        ours: "source port 0 becomes another port",
        kernel: "it stays 0",
        why: "nobody can answer it (RFC 768: 0 says that there is no port)",
        cases: &["source port 0"],
        recognise: |d| d.is_only_in_port(0),
    },
    Intended {
        name: "published-ports-are-kept",
        ours: "a flow never gets a port that is published",
        kernel: "a flow may have it, towards its one remote",
        why: "that remote could not use the published service meanwhile (RFC 4787 REQ-3)",
        cases: &["the port of a published service"],
        recognise: |d| d.is_only_in_port(5353),
    },
    Intended {
        name: "published-endpoints-are-mappings",
        ours: "what the owner of a published port says first leaves from that port",
        kernel: "it leaves from its own where that is free",
        why: "a peer sees one name, whoever spoke first (RFC 4787 REQ-1)",
        cases: &["the server itself begins"],
        recognise: |d| d.is_only_in_port(80),
    },
    Intended {
        name: "udp-streams",
        ours: "a flow of UDP is a stream once both sides have spoken twice",
        kernel: "and two seconds have gone by",
        why: "a lab's time is short; what is lost is a minute and a half of one entry",
        cases: &["udp out and back"],
        recognise: |d| d.is_only_in_words(&["[ASSURED]"]),
    },
    Intended {
        name: "tcp-timers",
        ours: "one time for connections that open, one for those that close, one for all others",
        kernel: "SYN_RECV 60 s, CLOSE_WAIT 60 s, LAST_ACK 30 s, and 300 s while an acknowledgement is missing \
                 or the window is shut",
        why: "without sequence numbers nobody knows what is missing; RFC 5382 REQ-5 knows two times",
        cases: &[
            "a syn is answered",
            "a side closes and is acknowledged",
            "both close",
            "data behind a fin",
            "one tcp port of two hosts to one remote",
            "urgent data and every bit of the window",
            "published tcp with another port",
            "published tcp with the same port",
            "published, from the other outside",
            "published, from an excepted host",
            "published, an ack of no connection",
            "published, too large an answer with df",
            "hairpin from the server itself",
            "a hop more for the router than for its answer",
        ],
        recognise: Difference::is_only_in_times,
    },
    Intended {
        name: "midstream",
        ours: "a connection that is picked up in midstream is like others once the far side answers",
        kernel: "it is not assured, and lives 300 s",
        why: "a router that was restarted should not end connections that idle",
        cases: &["picked up in midstream"],
        recognise: |d| d.is_only_in_words(&["[ASSURED]"]),
    },
    Intended {
        name: "refused-connections",
        ours: "a connection that is refused is remembered for 10 s as closed",
        kernel: "it is forgotten at once",
        why: "a reset ends no mapping at once (RFC 7857 section 2.2)",
        cases: &["a syn is refused", "published, refused by the server"],
        recognise: |d| d.only_has_flows(Ours),
    },
    Intended {
        name: "reopened",
        ours: "a connection that begins again has to prove itself again",
        kernel: "it stays assured",
        why: "it is another connection",
        cases: &["a new syn on a closed connection"],
        recognise: |d| d.is_only_in_words(&["[ASSURED]"]),
    },
    Intended {
        name: "what-is-refused-is-no-answer",
        ours: "an answer that the router itself refuses does not count",
        kernel: "it counts as it comes in",
        why: "a flow changes only once its packet has survived",
        cases: &["an answer with ttl 1", "an answer too large with df"],
        recognise: |d| d.is_only_in_words(&["[UNREPLIED]"]),
    },
];
