//! Traffic of a demo's own: pings, datagrams and connections, between sockets inside the
//! namespaces.
//!
//! A socket belongs to the namespace it was made in, whichever thread uses it afterwards, so each
//! is made on a throw-away thread and used here. Every wait has a deadline. Pings use a raw socket:
//! the unprivileged kind is closed to everybody in a new namespace (`ping_group_range`).

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use os::netns::{Netns, NetnsError, Place};
use packet::icmp::{self, IcmpHeader};
use packet::ip::V4;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Somebody who takes part: a namespace by the name that the story has for it.
#[derive(Clone, Debug)]
pub(super) struct Party {
    pub(super) name: &'static str,
    pub(super) netns: Netns,
}

impl Party {
    /// Finds the namespace, which the lab has just made.
    pub(super) fn enter(name: &'static str, netns: &str) -> Result<Self, NetnsError> {
        Ok(Self { name, netns: Netns::open(&Place::Name(netns.to_owned()))? })
    }
}

/// Why a step is no proof.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    /// A system call refused.
    #[error("{what}: {error}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// The kernel's answer.
        error: io::Error,
    },
    /// Nothing came back.
    #[error("no answer from {0} within {DEADLINE:?}")]
    Silent(Ipv4Addr),
    /// Something else came back.
    #[error("{0}")]
    Unexpected(String),
}

/// Pings `target`, one echo after the other; a line for each answer, as ping prints it. An answer
/// must have the TTL `ttl`: Linux sends it with 64, and each router on the way takes one.
pub(super) fn ping(from: &Party, target: Ipv4Addr, ttl: u8) -> Result<Vec<String>, ProbeError> {
    let deadline = Instant::now() + DEADLINE;
    let made = from.netns.run(|| {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        // Only what the target sends is wanted.
        socket.connect(&SocketAddr::from((target, 0)).into())?;
        Ok(socket)
    });
    let socket = made.and_then(|made| made).map_err(refused("a raw socket cannot be made"))?;
    let identifier = std::process::id() as u16;
    let mut lines = Vec::new();
    for sequence in 1..=PINGS {
        let request = echo_request(identifier, sequence);
        let sent = Instant::now();
        (&socket).write_all(&request).map_err(refused("an echo request cannot be sent"))?;
        let reply = await_reply(&socket, target, identifier, sequence, deadline)?;
        let milliseconds = sent.elapsed().as_secs_f64() * 1e3;
        if reply.ttl != ttl {
            let wrong = format!("{target} answers with ttl={} and not {ttl}", reply.ttl);
            return Err(ProbeError::Unexpected(wrong));
        }
        lines.push(format!(
            "{} bytes from {target}: icmp_seq={sequence} ttl={} time={milliseconds:.3} ms",
            reply.length, reply.ttl
        ));
    }
    Ok(lines)
}

/// An answer to a ping.
#[derive(Debug, PartialEq, Eq)]
struct Reply {
    ttl: u8,
    /// Of the ICMP message, its header included.
    length: usize,
}

fn await_reply(
    socket: &Socket,
    target: Ipv4Addr,
    identifier: u16,
    sequence: u16,
    deadline: Instant,
) -> Result<Reply, ProbeError> {
    let mut buffer = [0; 2048];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ProbeError::Silent(target));
        }
        socket.set_read_timeout(Some(left)).map_err(refused("a deadline cannot be set"))?;
        let mut reader = socket;
        match reader.read(&mut buffer) {
            Ok(length) => {
                let packet = buffer.get(..length).unwrap_or_default();
                if let Some(reply) = echo_reply(packet, identifier, sequence) {
                    return Ok(reply);
                }
            }
            Err(error) if is_late(&error) => return Err(ProbeError::Silent(target)),
            Err(error) => return Err(refused("an echo reply cannot be read")(error)),
        }
    }
}

/// An ICMP echo request (RFC 792) of the size that ping sends.
fn echo_request(identifier: u16, sequence: u16) -> Vec<u8> {
    let mut message = vec![8, 0, 0, 0];
    message.extend(identifier.to_be_bytes());
    message.extend(sequence.to_be_bytes());
    message.extend((0..PAYLOAD).map(|at| at as u8));
    icmp::recompute(&mut message);
    message
}

/// Reads an IPv4 packet as a raw socket gives it; `None` unless it is the reply to this very
/// request.
fn echo_reply(packet: &[u8], identifier: u16, sequence: u16) -> Option<Reply> {
    let ip = V4::of(packet)?;
    let icmp = IcmpHeader::of(ip.payload())?;
    let is_reply = (icmp.kind(), icmp.code()) == (0, 0);
    let ours = is_reply && (icmp.identifier(), icmp.sequence()) == (identifier, sequence);
    ours.then_some(Reply { ttl: ip.ttl(), length: ip.payload().len() })
}

/// Sends a datagram to a socket of somebody else's, who answers with whom it saw: that must be
/// `expected`.
pub(super) fn seen_as(
    from: &Party,
    to: &Party,
    echo: SocketAddrV4,
    expected: Ipv4Addr,
) -> Result<Vec<String>, ProbeError> {
    let server = datagrams(to, echo)?;
    let client = datagrams(from, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))?;
    // Connected, it knows its own address, and takes answers from nobody else.
    client.connect(echo).map_err(refused("the datagram socket cannot be connected"))?;
    let own = client.local_addr().map_err(refused("the socket has no address"))?;
    client.send(b"who am I?").map_err(refused("the datagram cannot be sent"))?;
    let mut buffer = [0; 64];
    let got = server.recv_from(&mut buffer);
    let (_, seen) = got.map_err(|error| late("the datagram", *echo.ip(), error))?;
    let answer = format!("you are {seen}");
    server.send_to(answer.as_bytes(), seen).map_err(refused("the answer cannot be sent"))?;
    let got = client.recv(&mut buffer);
    let length = got.map_err(|error| late("the answer", *echo.ip(), error))?;
    let name = from.name;
    if buffer.get(..length) != Some(answer.as_bytes()) {
        return Err(ProbeError::Unexpected(format!("{name} got another answer than was sent")));
    }
    if seen.ip() != expected {
        return Err(ProbeError::Unexpected(format!("{} saw {seen} and not {expected}", echo.ip())));
    }
    Ok(vec![
        format!("{name} ({own}) asks {} who it is,", echo.ip()),
        format!("{} answers: you are {seen}", to.name),
    ])
}

fn datagrams(party: &Party, own: SocketAddrV4) -> Result<UdpSocket, ProbeError> {
    let made = party.netns.run(|| {
        let socket = UdpSocket::bind(own)?;
        socket.set_read_timeout(Some(DEADLINE))?;
        Ok(socket)
    });
    made.and_then(|made| made).map_err(refused("a datagram socket cannot be made"))
}

/// A connection that is to be made.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) from: &'a Party,
    pub(super) to: &'a Party,
    /// Where the listener is.
    pub(super) service: SocketAddrV4,
    /// What is called: the service, or an address that leads there.
    pub(super) at: SocketAddrV4,
    /// Whom the listener must see.
    pub(super) caller: Ipv4Addr,
}

/// Connects, and has a message echoed by the listener.
pub(super) fn call(call: &Call<'_>) -> Result<Vec<String>, ProbeError> {
    let Call { from, to, service, at, caller } = *call;
    let made = to.netns.run(|| {
        let listener = TcpListener::bind(service)?;
        // A limit on reading is one on accepting, too.
        SockRef::from(&listener).set_read_timeout(Some(DEADLINE))?;
        Ok(listener)
    });
    let listener = made.and_then(|made| made).map_err(refused("a listener cannot be made"))?;
    let made = from.netns.run(|| {
        let stream = TcpStream::connect_timeout(&at.into(), DEADLINE)?;
        limited(stream)
    });
    let client = made.and_then(|made| made).map_err(|error| late("connecting", *at.ip(), error))?;
    let accepted = listener.accept();
    let (server, seen) = accepted.map_err(|error| late("accepting", *at.ip(), error))?;
    let server = limited(server).map_err(refused("a deadline cannot be set"))?;
    let message = format!("hello from {}", from.name).into_bytes();
    let mut heard = vec![0; message.len()];
    (&client).write_all(&message).map_err(refused("the message cannot be sent"))?;
    (&server).read_exact(&mut heard).map_err(|error| late("the message", *service.ip(), error))?;
    (&server).write_all(&heard).map_err(refused("the echo cannot be sent"))?;
    heard.fill(0);
    (&client).read_exact(&mut heard).map_err(|error| late("the echo", *at.ip(), error))?;
    if heard != message {
        return Err(ProbeError::Unexpected("the echo is not what was sent".into()));
    }
    if seen.ip() != caller {
        let wrong = format!("{} saw {seen} and not {caller}", to.name);
        return Err(ProbeError::Unexpected(wrong));
    }
    let text = String::from_utf8_lossy(&heard);
    Ok(vec![
        format!("{seen} calls {at},"),
        format!("{} answers at {service} and echoes: {text}", to.name),
    ])
}

fn limited(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    Ok(stream)
}

pub(super) fn refused(what: &'static str) -> impl Fn(io::Error) -> ProbeError {
    move |error| ProbeError::Refused { what, error }
}

pub(super) fn late(what: &'static str, whom: Ipv4Addr, error: io::Error) -> ProbeError {
    if is_late(&error) { ProbeError::Silent(whom) } else { ProbeError::Refused { what, error } }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// How long a step may wait for an answer; a first one takes an ARP exchange, some milliseconds.
pub(super) const DEADLINE: Duration = Duration::from_secs(3);
/// How often a ping asks.
const PINGS: u16 = 3;
/// Bytes behind the header of an echo request, so that a message has 64.
const PAYLOAD: usize = 56;

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(message: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; 20];
        packet[0] = 0x45;
        packet[8] = 63;
        packet.extend(message);
        packet
    }

    #[test]
    fn only_the_reply_to_this_request_counts() {
        let mut message = echo_request(7, 2);
        assert_eq!(echo_reply(&packet(&message), 7, 2), None, "a request is no reply");
        icmp::answer_echo(&mut message);
        assert_eq!(echo_reply(&packet(&message), 7, 2), Some(Reply { ttl: 63, length: 64 }));
        assert_eq!(echo_reply(&packet(&message), 7, 3), None);
        assert_eq!(echo_reply(&packet(&message), 8, 2), None);
    }

    #[test]
    fn a_packet_cut_off_anywhere_is_no_reply() {
        let mut message = echo_request(7, 2);
        icmp::answer_echo(&mut message);
        let packet = packet(&message);
        for end in 0..28 {
            assert_eq!(echo_reply(&packet[..end], 7, 2), None, "{end}");
        }
    }
}
