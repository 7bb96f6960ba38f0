//! A lowered MSS is what the sender would have announced, and nothing else is touched.

use packet::rewrite::clamp_mss;
use packet::segment::complete_checksum;
use packet::{Frame, Offload, Span};
use proptest::prelude::*;

use crate::naive;
use crate::sample::{DESTINATION, SOURCE, mend_header};

/// A TCP header with these flags and options behind IPv4 or IPv6, checksum right.
fn segment(ipv6: bool, flags: u8, options: &[u8]) -> Vec<u8> {
    let mut options = options.to_vec();
    options.resize(options.len().next_multiple_of(4), 0);
    let len = 20 + options.len();
    let mut bytes = [DESTINATION, SOURCE].concat();
    if ipv6 {
        bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, len as u8, 6, 64]);
        bytes.extend([0xfd; 32]);
    } else {
        bytes.extend([8, 0, 0x45, 0, 0, 20 + len as u8, 0, 7, 0x40, 0, 64, 6, 0, 0]);
        bytes.extend([10, 0, 0, 1, 10, 0, 0, 2]);
        mend_header(&mut bytes);
    }
    bytes.extend([0x9c, 0x40, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, (len as u8 / 4) << 4, flags]);
    bytes.extend([0xff, 0xff, 0, 0, 0, 0]);
    bytes.extend(&options);
    let start = bytes.len() - len;
    let sum = !naive::sum(&[&pseudo(&bytes, ipv6, len), &bytes[start..]].concat());
    bytes[start + 16..start + 18].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn pseudo(bytes: &[u8], ipv6: bool, len: usize) -> Vec<u8> {
    naive::pseudo(if ipv6 { &bytes[22..54] } else { &bytes[26..34] }, 6, len)
}

fn with_mss(ahead: usize, mss: u16) -> Vec<u8> {
    let [high, low] = mss.to_be_bytes();
    [&vec![1; ahead][..], &[2, 4, high, low], &[3, 3, 7]].concat()
}

proptest! {
    #[test]
    fn a_lowered_mss_is_as_its_sender_would_have_written_it(
        ipv6: bool, ahead in 0..8usize, mss: u16, most: u16, acknowledges: bool, partial: bool
    ) {
        let flags = if acknowledges { 0x12 } else { 0x02 };
        let before = segment(ipv6, flags, &with_mss(ahead, mss));
        let mut frame = Frame::copied_from(&before);
        if partial {
            let start = if ipv6 { 54 } else { 34 };
            let sum = naive::sum(&pseudo(&before, ipv6, before.len() - start)).to_be_bytes();
            frame.bytes_mut()[start + 16..start + 18].copy_from_slice(&sum);
            frame.set_offload(Offload::Checksum(Span { start: start as u16, offset: 16 }));
        }
        prop_assert_eq!(clamp_mss(&mut frame, most), mss > most);
        prop_assert_eq!(frame.offload() == Offload::Complete, !partial);
        complete_checksum(&mut frame);
        prop_assert!(naive::is_intact(frame.bytes()));
        let expected = segment(ipv6, flags, &with_mss(ahead, mss.min(most)));
        prop_assert_eq!(frame.bytes(), expected);
    }

    #[test]
    fn no_options_and_no_bytes_make_it_panic(
        options in prop::collection::vec(0..6u8, 0..40), bytes in prop::collection::vec(any::<u8>(), 0..100)
    ) {
        let before = segment(false, 2, &options);
        let mut frame = Frame::copied_from(&before);
        clamp_mss(&mut frame, 1);
        prop_assert!(naive::is_intact(frame.bytes()));
        clamp_mss(&mut Frame::copied_from(&bytes), 1);
    }
}

#[test]
fn what_announces_no_mss_is_left_alone() {
    let mss = [2, 4, 0xff, 0xff];
    let mut fragment = segment(false, 2, &mss);
    fragment[21] = 1;
    let mut cut_off = segment(true, 2, &mss);
    cut_off[19] -= 4;
    let mut other = segment(false, 2, &mss);
    other[23] = 17;
    let left_alone = [
        ("no SYN", segment(false, 0x10, &mss)),
        ("no options", segment(true, 2, &[])),
        ("behind the end", segment(false, 2, &[&[0][..], &mss].concat())),
        ("impossible length", segment(false, 2, &[&[8, 0][..], &mss].concat())),
        ("beyond the header", segment(false, 2, &[&[8, 99][..], &mss].concat())),
        ("wrong length", segment(false, 2, &[2, 3, 0xff, 0xff])),
        ("later fragment", fragment),
        ("beyond the packet", cut_off),
        ("not TCP", other),
    ];
    for (what, bytes) in left_alone {
        let mut frame = Frame::copied_from(&bytes);
        assert!(!clamp_mss(&mut frame, 536), "{what}");
        assert_eq!(frame.bytes(), bytes, "{what}");
    }
}
