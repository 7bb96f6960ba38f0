//! A frame as rows of field and value, for comparing and for reading.
//!
//! What routers may choose as they like is named instead of shown: the identification of packets of
//! their own (RFC 6864), and the external ports that they choose. Every checksum is verified and
//! shown as its verdict, since what went into it is compared anyhow.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};

use lab::wire::{Packet, sum};
use packet::{Mac, Offload};

use super::wires::{Arrived, Wire};

/// A field and its value.
pub(crate) type Row = (String, String);

/// The ports that one router chose in one case, in the order in which they showed.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    written: BTreeSet<u16>,
    chosen: Vec<u16>,
}

impl Names {
    /// `written` are the ports of the script.
    pub(crate) const fn new(written: BTreeSet<u16>) -> Self {
        Self { written, chosen: Vec::new() }
    }

    /// A port as it is shown: one of the router's outside that no script has written has the name
    /// of its class.
    pub(crate) fn port(&mut self, address: Ipv4Addr, port: u16) -> String {
        let outside = [Wire::Wan.router(), Wire::Thin.router()];
        if !outside.contains(&address) || self.written.contains(&port) {
            return port.to_string();
        }
        let known = self.chosen.iter().position(|chosen| *chosen == port);
        let number = known.unwrap_or_else(|| {
            self.chosen.push(port);
            self.chosen.len() - 1
        });
        let class = if port < 1024 { "below 1024" } else { "1024 or above" };
        format!("chosen {} ({class})", number + 1)
    }

    /// An ICMP query's identifier, which is that of whichever end is one of the router's outside.
    pub(crate) fn identifier(&mut self, ends: [Ipv4Addr; 2], identifier: u16) -> String {
        let names = ends.map(|end| self.port(end, identifier));
        names.into_iter().max_by_key(String::len).unwrap_or_default()
    }

    fn socket(&mut self, socket: SocketAddrV4) -> String {
        format!("{}:{}", socket.ip(), self.port(*socket.ip(), socket.port()))
    }
}

/// All of a frame.
pub(crate) fn rows(arrived: &Arrived, names: &mut Names) -> Vec<Row> {
    let mac = |at: usize| arrived.bytes[at..].first_chunk().map_or(Mac::ZERO, |mac| Mac(*mac));
    let mut rows = vec![row("ethernet", format!("{} > {}", mac(6), mac(0)))];
    match arrived.packet() {
        Ok(packet) => of_packet(&packet, "", names, &mut rows),
        Err(wrong) => {
            rows.push(row("broken", wrong));
            rows.push(row("bytes", hex(&arrived.bytes[14..])));
        }
    }
    rows
}

fn of_packet(packet: &Packet, prefix: &str, names: &mut Names, rows: &mut Vec<Row>) {
    let mut add = |field: &str, value: String| rows.push((format!("{prefix}{field}"), value));
    let is_first = packet.offset == 0;
    match (is_first, packet.protocol) {
        (true, TCP | UDP) if packet.payload.len() >= 4 => {
            add("from", names.socket(packet.from()));
            add("to", names.socket(packet.to()));
        }
        _ => {
            add("from", packet.source.to_string());
            add("to", packet.destination.to_string());
        }
    }
    add("protocol", packet.protocol.to_string());
    add("ttl", packet.ttl.to_string());
    add("traffic class", format!("{:#04x}", packet.traffic_class));
    add("id", identification(packet));
    add("fragment", fragment(packet));
    add("options", hex(&packet.options));
    if !is_first {
        add("data", data(&packet.payload));
        return;
    }
    match packet.protocol {
        ICMP => icmp(packet, prefix, names, rows),
        TCP => tcp(packet, prefix, rows),
        UDP => udp(packet, prefix, rows),
        _ => rows.push((format!("{prefix}data"), data(&packet.payload))),
    }
}

fn icmp(packet: &Packet, prefix: &str, names: &mut Names, rows: &mut Vec<Row>) {
    let mut add = |field: &str, value: String| rows.push((format!("{prefix}{field}"), value));
    let (kind, code) = packet.kind();
    add("icmp", format!("type {kind} code {code}"));
    add("checksum", verdict(packet));
    if !packet.is_error() || !prefix.is_empty() {
        let identifier = packet.from().port();
        let identifier = names.identifier([packet.source, packet.destination], identifier);
        add("identifier", identifier);
        add("data", data(packet.payload.get(6..).unwrap_or(&[])));
        return;
    }
    add("rest", hex(&packet.payload[4..8]));
    let quote = &packet.payload[8..];
    add("quoted bytes", quote.len().to_string());
    let Ok(quoted) = Packet::parse_quote(quote) else {
        add("quote", hex(quote));
        return;
    };
    let right = sum(&quote[..20 + quoted.options.len()]) == 0xffff;
    add("quote header", if right { "right" } else { "WRONG" }.to_owned());
    of_packet(&quoted, "quote ", names, rows);
}

fn tcp(packet: &Packet, prefix: &str, rows: &mut Vec<Row>) {
    let mut add = |field: &str, value: String| rows.push((format!("{prefix}{field}"), value));
    let part = |from: usize, to: usize| hex(packet.payload.get(from..to).unwrap_or(&[]));
    add("sequence", part(4, 8));
    add("acknowledged", part(8, 12));
    add("length, flags", part(12, 14));
    add("window", part(14, 16));
    add("checksum", verdict(packet));
    add("urgent", part(18, 20));
    add("data", data(packet.payload.get(20..).unwrap_or(&[])));
}

fn udp(packet: &Packet, prefix: &str, rows: &mut Vec<Row>) {
    let mut add = |field: &str, value: String| rows.push((format!("{prefix}{field}"), value));
    add("length", hex(packet.payload.get(4..6).unwrap_or(&[])));
    let sum = match packet.payload.get(6..8) {
        Some([0, 0]) => "none".to_owned(),
        _ => verdict(packet),
    };
    add("checksum", sum);
    add("data", data(packet.payload.get(8..).unwrap_or(&[])));
}

/// Whether the transport checksum is right. That of a fragment, or of a packet that is quoted in
/// part, covers bytes that are not there.
fn verdict(packet: &Packet) -> String {
    let word = |at: usize| {
        packet
            .payload
            .get(at..at + 2)
            .map_or(0, |word| usize::from(word[0]) << 8 | usize::from(word[1]))
    };
    let cut = packet.protocol == UDP && word(4) > packet.payload.len();
    match (packet.is_fragment() || cut, packet.checksum_holds(Offload::Complete)) {
        (true, _) => "not all is here",
        (false, true) => "right",
        (false, false) => "WRONG",
    }
    .to_owned()
}

/// The identification, unless the packet is an ICMP message of the router's own.
fn identification(packet: &Packet) -> String {
    let is_router = Wire::ALL.map(Wire::router).contains(&packet.source);
    let is_own = packet.offset != 0 || packet.kind().0 == 0 || packet.is_error();
    match is_router && packet.protocol == ICMP && is_own {
        true => "the router's".to_owned(),
        false => format!("{:#06x}", packet.identification),
    }
}

fn fragment(packet: &Packet) -> String {
    let mut text = if packet.dont_fragment { "DF " } else { "" }.to_owned();
    if packet.is_fragment() {
        let more = if packet.more_fragments { "more" } else { "last" };
        let _ = write!(text, "{more}, {} bytes at {}", packet.payload.len(), packet.offset);
    }
    text.trim_end().to_owned()
}

/// How many bytes, which first, and a sum of all of them.
fn data(bytes: &[u8]) -> String {
    let shown = hex(&bytes[..bytes.len().min(16)]);
    // FNV-1a.
    let all = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{} bytes {shown} ({:08x})", bytes.len(), all >> 32)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn row(field: &str, value: impl Into<String>) -> Row {
    (field.to_owned(), value.into())
}

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
