//! Captures made in memory, for tests: every number in the order and of the value that a test asks
//! for. And a second, naive reader of what [`PcapNgWriter`](super::PcapNgWriter) writes.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::bytes::Order;

impl Order {
    fn put16(self, number: u16) -> [u8; 2] {
        // Swapping is its own inverse.
        self.u16(number.to_ne_bytes()).to_ne_bytes()
    }

    fn put32(self, number: u32) -> [u8; 4] {
        self.u32(number.to_ne_bytes()).to_ne_bytes()
    }

    fn put32s(self, numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| self.put32(*number)).collect()
    }
}

/// A pcap file's header.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Pcap {
    pub(crate) order: Order,
    pub(crate) magic: u32,
    pub(crate) version: (u16, u16),
    pub(crate) network: u32,
}

pub(crate) const MICROS: Pcap =
    Pcap { order: Order::Little, magic: 0xa1b2_c3d4, version: (2, 4), network: 1 };
pub(crate) const NANOS: Pcap = Pcap { magic: 0xa1b2_3c4d, ..MICROS };

impl Pcap {
    pub(crate) fn header(self) -> Vec<u8> {
        let mut bytes = self.order.put32(self.magic).to_vec();
        bytes.extend(self.order.put16(self.version.0));
        bytes.extend(self.order.put16(self.version.1));
        bytes.extend(self.order.put32s(&[0, 0, 65_535, self.network]));
        bytes
    }

    /// A packet with its two lengths as they stand in the file, behind `more` bytes of header.
    pub(crate) fn packet(
        self,
        (seconds, fraction): (u32, u32),
        lengths: [u32; 2],
        more: &[u8],
        bytes: &[u8],
    ) -> Vec<u8> {
        let head = self.order.put32s(&[seconds, fraction, lengths[0], lengths[1]]);
        [&head, more, bytes].concat()
    }

    /// A file of whole packets, each with its time in nanoseconds.
    pub(crate) fn file(self, packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let mut file = self.header();
        for (at, bytes) in packets {
            let unit = if self.magic == NANOS.magic { 1 } else { 1000 };
            let time = ((at / 1_000_000_000) as u32, (at % 1_000_000_000 / unit) as u32);
            file.extend(self.packet(time, [bytes.len() as u32; 2], &[], bytes));
        }
        file
    }
}

/// The blocks of a pcapng section in one byte order.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Section(pub(crate) Order);

pub(crate) const SECTION: Section = Section(Order::Little);
pub(crate) const END: [u8; 4] = [0; 4];

impl Section {
    pub(crate) fn block(self, kind: u32, mut body: Vec<u8>) -> Vec<u8> {
        body.resize(body.len().next_multiple_of(4), 0);
        let length = self.0.put32(body.len() as u32 + 12);
        [&self.0.put32(kind)[..], &length, &body, &length].concat()
    }

    pub(crate) fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let head = [self.0.put16(code), self.0.put16(value.len() as u16)].concat();
        let padding = value.len().next_multiple_of(4) - value.len();
        [&head, value, &vec![0; padding]].concat()
    }

    pub(crate) fn begin(self, version: (u16, u16), options: &[u8]) -> Vec<u8> {
        let version = [self.0.put16(version.0), self.0.put16(version.1)].concat();
        let magic = self.0.put32(0x1a2b_3c4d);
        self.block(0x0a0d_0d0a, [&magic, &version[..], &[0xff; 8], options].concat())
    }

    pub(crate) fn interface(self, link_type: u16, snap_length: u32, options: &[u8]) -> Vec<u8> {
        let link_type = self.0.put16(link_type);
        self.block(1, [&link_type, &[0; 2][..], &self.0.put32(snap_length), options].concat())
    }

    pub(crate) fn enhanced(self, number: u32, time: u64, bytes: &[u8], options: &[u8]) -> Vec<u8> {
        let (high, low, length) = ((time >> 32) as u32, time as u32, bytes.len() as u32);
        let fields = self.0.put32s(&[number, high, low, length, length]);
        let padding = vec![0; bytes.len().next_multiple_of(4) - bytes.len()];
        self.block(6, [&fields, bytes, &padding, options].concat())
    }

    pub(crate) fn obsolete(self, number: u16, time: u64, bytes: &[u8]) -> Vec<u8> {
        let (high, low, length) = ((time >> 32) as u32, time as u32, bytes.len() as u32);
        // 65535: it is not known how many were dropped.
        let number = [self.0.put16(number), [0xff; 2]].concat();
        self.block(2, [&number, &self.0.put32s(&[high, low, length, length])[..], bytes].concat())
    }

    pub(crate) fn simple(self, length: u32, bytes: &[u8]) -> Vec<u8> {
        self.block(3, [&self.0.put32(length), bytes].concat())
    }

    /// A file of one interface whose times count `unit` nanoseconds, as `resolution` says.
    pub(crate) fn file(self, resolution: u8, unit: u64, packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let options = [self.option(9, &[resolution]), END.to_vec()].concat();
        let mut file = [self.begin((1, 0), &[]), self.interface(1, 0, &options)].concat();
        packets.iter().for_each(|(at, bytes)| file.extend(self.enhanced(0, at / unit, bytes, &[])));
        file
    }
}

/// Small files of every kind, whole and broken: where a fuzzer begins.
pub(crate) fn seeds() -> Vec<(String, Vec<u8>)> {
    let frame: Vec<u8> = (0..20).collect();
    let two = [(1_500_000_000, frame.clone()), (2_000_001_000, frame.clone())];
    let big = Section(Order::Big);
    let options = [
        big.option(2, b"eth0"),
        big.option(9, &[0x80 | 20]),
        big.option(14, &7u64.to_be_bytes()),
        big.option(13, &[4]),
    ]
    .concat();
    let flags = [SECTION.option(2, &(4u32 << 5).to_le_bytes()), END.to_vec()].concat();
    let modified = Pcap { order: Order::Big, magic: 0xa1b2_cd34, ..MICROS };
    let body = modified.packet((1, 2), [20, 24], &[0; 8], &frame);
    let old = Pcap { version: (2, 2), ..MICROS };
    let swapped = old.packet((1, 2), [60, 20], &[], &frame);
    let every = [
        SECTION.begin((1, 0), &SECTION.option(4, b"dumpcap")),
        SECTION.interface(1, 16, &[]),
        SECTION.simple(20, &frame[..16]),
        SECTION.obsolete(0, 3_000_000, &frame),
        SECTION.block(0xbad, b"custom".to_vec()),
        SECTION.enhanced(0, 4_000_000, &frame, &flags),
        big.begin((1, 2), &[]),
        big.interface(1, 0, &options),
        big.enhanced(0, 5 << 20, &frame, &[]),
    ]
    .concat();
    let mut damaged = every.clone();
    damaged[100] ^= 4;
    let cut = every[..every.len() - 9].to_vec();
    let seeds = [
        ("micros", MICROS.file(&two)),
        ("nanos", NANOS.file(&two)),
        ("fcs", Pcap { network: 0x2400_0001, ..MICROS }.file(&two)),
        ("modified", [modified.header(), body].concat()),
        ("swapped", [old.header(), swapped].concat()),
        ("version", Pcap { version: (543, 0), ..MICROS }.header()),
        ("cooked", Pcap { network: 113, ..MICROS }.header()),
        ("pcapng", SECTION.file(9, 1, &two)),
        ("every-block", every.clone()),
        ("damaged", damaged),
        ("cut", cut),
        ("gzip", gzip(&every)),
        ("members", [gzip(&every[..50]), gzip(&every[50..])].concat()),
    ];
    seeds.map(|(name, bytes)| (name.to_owned(), bytes)).into()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The link type, and the times and packets, of a file of ours: little endian, nanoseconds,
/// enhanced packet blocks alone.
pub(crate) fn written(mut file: &[u8]) -> (u16, Vec<(u64, Vec<u8>)>) {
    let word = |at: &[u8]| u32::from_le_bytes(at[..4].try_into().unwrap());
    let (mut link_type, mut packets) = (None, Vec::new());
    while !file.is_empty() {
        let length = word(&file[4..]) as usize;
        let (block, rest) = file.split_at(length);
        assert_eq!(word(&block[length - 4..]) as usize, length);
        match word(block) {
            0x0a0d_0d0a => assert_eq!(block[8..], SECTION.begin((1, 0), &[])[8..]),
            1 => {
                link_type = Some(u16::from_le_bytes([block[8], block[9]]));
                // The last but one of the options, ahead of their end.
                assert_eq!(block[length - 16..length - 8], [9, 0, 1, 0, 9, 0, 0, 0]);
            }
            6 => {
                let time = u64::from(word(&block[12..])) << 32 | u64::from(word(&block[16..]));
                let captured = word(&block[20..]) as usize;
                assert_eq!(word(&block[24..]) as usize, captured);
                packets.push((time, block[28..28 + captured].to_vec()));
            }
            other => panic!("a block of type {other}"),
        }
        file = rest;
    }
    (link_type.unwrap(), packets)
}
