//! Errors the router speaks are what etherparse and RFC 1812 expect.

use core::net::Ipv4Addr;

use etherparse::icmpv4::DestUnreachableHeader as Unreachable;
use etherparse::{Icmpv4Type, NetSlice, SlicedPacket, TransportSlice, icmpv4::TimeExceededCode};
use packet::icmp::{self, IcmpError};
use packet::ip::V4;
use packet::transport::ports;
use packet::{Frame, IcmpHeader, Pool};
use proptest::prelude::*;

use crate::naive;
use crate::sample::{Carried, ipv4, samples};

fn errors() -> impl Strategy<Value = (IcmpError, Icmpv4Type)> {
    let unreachable = Icmpv4Type::DestinationUnreachable;
    prop_oneof![
        Just((IcmpError::NetUnreachable, unreachable(Unreachable::Network))),
        Just((IcmpError::HostUnreachable, unreachable(Unreachable::Host))),
        Just((IcmpError::ProtocolUnreachable, unreachable(Unreachable::Protocol))),
        Just((IcmpError::PortUnreachable, unreachable(Unreachable::Port))),
        Just((IcmpError::Prohibited, unreachable(Unreachable::FilterProhibited))),
        any::<u16>().prop_map(move |mtu| (
            IcmpError::FragmentationNeeded { mtu },
            unreachable(Unreachable::FragmentationNeeded { next_hop_mtu: mtu }),
        )),
        Just((
            IcmpError::TtlExceeded,
            Icmpv4Type::TimeExceeded(TimeExceededCode::TtlExceededInTransit)
        )),
        Just((
            IcmpError::ReassemblyTimeExceeded,
            Icmpv4Type::TimeExceeded(TimeExceededCode::FragmentReassemblyTimeExceeded)
        )),
    ]
}

proptest! {
    #[test]
    fn an_error_says_what_etherparse_reads_and_quotes_its_cause(
        (error, expected) in errors(), source: [u8; 4],
        sample in samples(&[Carried::Tcp, Carried::Udp, Carried::Echo], false, 900),
    ) {
        let cause = ipv4(Frame::copied_from(&sample.bytes()));
        let mut frame = Pool::new(1).take();
        prop_assert!(error.emit(&mut frame, Ipv4Addr::from(source), cause.bytes()));
        prop_assert!(naive::is_intact(frame.bytes()));
        prop_assert!(frame.len() <= 14 + icmp::MAX_ERROR);
        let sliced = SlicedPacket::from_ethernet(frame.bytes()).unwrap();
        let Some(NetSlice::Ipv4(header)) = sliced.net else { panic!("not IPv4") };
        prop_assert_eq!(header.header().source(), source);
        prop_assert_eq!(header.header().destination(), sample.addresses[0]);
        let Some(TransportSlice::Icmpv4(message)) = sliced.transport else { panic!("not ICMP") };
        prop_assert_eq!(message.icmp_type(), expected);
        let quoted = cause.bytes().len().min(icmp::MAX_ERROR - 28);
        prop_assert_eq!(message.payload(), &cause.bytes()[..quoted]);

        let quote = icmp::quote(message.slice()).unwrap();
        prop_assert!(quote.checksum_holds());
        prop_assert_eq!(quote.source(), cause.source());
        prop_assert_eq!(quote.destination(), cause.destination());
        prop_assert_eq!(quote.protocol(), cause.protocol());
        match sample.carried {
            Carried::Tcp | Carried::Udp => {
                prop_assert_eq!(ports(quote.payload()), Some(sample.ports.into()));
            }
            Carried::Echo => {
                let query = IcmpHeader::of(quote.payload()).unwrap();
                prop_assert_eq!((query.kind(), query.identifier()), (8, sample.ports[0]));
            }
        }
    }

    #[test]
    fn a_cause_of_any_bytes_is_quoted_or_refused_without_panic(
        (error, _) in errors(), cause in prop::collection::vec(any::<u8>(), 0..700)
    ) {
        let mut frame = Pool::new(1).take();
        let emitted = error.emit(&mut frame, Ipv4Addr::LOCALHOST, &cause);
        prop_assert_eq!(emitted, V4::of(&cause).is_some());
        prop_assert!(icmp::quote(&cause).is_none_or(|quote| quote.payload().len() >= 8));
    }

    #[test]
    fn an_echo_is_answered_with_a_right_checksum(sample in samples(&[Carried::Echo], false, 100)) {
        let mut packet = ipv4(Frame::copied_from(&sample.bytes()));
        icmp::answer_echo(packet.payload_mut());
        prop_assert!(naive::is_intact(packet.frame().bytes()));
        prop_assert_eq!(packet.payload()[0], 0);
        prop_assert_eq!(&packet.payload()[4..], &sample.bytes()[38..]);
    }
}
