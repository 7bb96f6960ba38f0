//! A host of the lab as its programs see it: sockets in a namespace.

use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use etherparse::{IcmpEchoHeader, Icmpv4Header, Icmpv4Type};
use os::links::{Link, Links};
use os::netns::Netns;
use os::sysctl::{SysctlError, set_in};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::process::{Process, locate};
use crate::wait::{self, PATIENCE};

/// A namespace by the name that messages show.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    name: String,
    netns: Netns,
}

/// What an echo request met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The reply, and who sent it.
    Reply(Ipv4Addr),
    /// An ICMP error: who sent it, its type and its code.
    Error(Ipv4Addr, u8, u8),
    /// Nothing in time.
    Silence,
}

impl Host {
    pub(crate) fn new(name: &str, netns: Netns) -> Self {
        Self { name: name.into(), netns }
    }

    /// In a new namespace without a name.
    pub(crate) fn anonymous(name: &str) -> Self {
        Self::new(name, Netns::anonymous().unwrap())
    }

    pub(crate) const fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Runs `task` on a thread inside.
    pub(crate) fn run<T: Send>(&self, task: impl FnOnce() -> T + Send) -> T {
        self.netns.run(task).unwrap()
    }

    /// One echo request, which must be answered by whom it was sent to.
    #[track_caller]
    pub(crate) fn ping(&self, to: &str) {
        let to = to.parse().unwrap();
        let answer = self.probe(to, 64, 56);
        assert_eq!(answer, Answer::Reply(to), "{} pings {to}", self.name);
    }

    /// Echo requests until one is answered, for peers that forget the first packets while they look
    /// for a way.
    #[track_caller]
    pub(crate) fn ping_at_last(&self, to: &str) {
        let to = to.parse().unwrap();
        let answered = wait::within(PATIENCE, || {
            let answer = self.probe_within(Duration::from_millis(300), to, 64, 56);
            (answer == Answer::Reply(to)).then_some(())
        });
        assert!(answered.is_some(), "{} pings {to} in vain", self.name);
    }

    /// One echo request with a TTL and a payload of so many bytes.
    pub(crate) fn probe(&self, to: Ipv4Addr, ttl: u32, length: usize) -> Answer {
        self.probe_within(PATIENCE, to, ttl, length)
    }

    fn probe_within(&self, time: Duration, to: Ipv4Addr, ttl: u32, length: usize) -> Answer {
        let probe = Probe::new(length);
        let made = self.run(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)));
        let mut socket = made.unwrap();
        socket.set_ttl_v4(ttl).unwrap();
        socket.send_to(&probe.request, &SocketAddrV4::new(to, 0).into()).unwrap();
        let deadline = Instant::now() + time;
        let mut packet = vec![0; 65_535];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            socket.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
            match socket.read(&mut packet) {
                Ok(count) => {
                    if let Some(answer) = probe.answer(&packet[..count]) {
                        return answer;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Answer::Silence,
                Err(error) => panic!("{}: {error}", self.name),
            }
        }
    }

    /// A listener on every address of this host.
    #[track_caller]
    pub(crate) fn listen(&self, port: u16) -> TcpListener {
        let listener = self.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)));
        let listener = listener.unwrap_or_else(|error| panic!("{}:{port}: {error}", self.name));
        // On Linux the time to read is also the time to accept.
        SockRef::from(&listener).set_read_timeout(Some(PATIENCE)).unwrap();
        listener
    }

    /// A connection to somewhere.
    pub(crate) fn try_connect(&self, to: SocketAddrV4) -> std::io::Result<TcpStream> {
        let stream = self.run(|| TcpStream::connect_timeout(&SocketAddr::V4(to), PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// A connection to a listener, with both of its ends: ours, and the listener's.
    #[track_caller]
    pub(crate) fn connect(&self, to: SocketAddrV4, at: &TcpListener) -> (TcpStream, TcpStream) {
        let ours = self.try_connect(to);
        let ours = ours.unwrap_or_else(|error| panic!("{} connects to {to}: {error}", self.name));
        let (theirs, _) = at.accept().unwrap();
        theirs.set_read_timeout(Some(PATIENCE)).unwrap();
        theirs.set_write_timeout(Some(PATIENCE)).unwrap();
        (ours, theirs)
    }

    /// A datagram socket on every address of this host; port 0 for any. An earlier one of the same
    /// port may live for a moment in a program that another test is starting.
    pub(crate) fn udp(&self, port: u16) -> UdpSocket {
        let bind = || self.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))).ok();
        let socket = wait::until(&format!("{}:{port}", self.name), bind);
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// Whether an address is one of this host's own.
    pub(crate) fn has_address(&self, address: &str) -> bool {
        let address: Ipv4Addr = address.parse().unwrap();
        self.run(|| UdpSocket::bind((address, 0))).is_ok()
    }

    /// Its devices.
    pub(crate) fn links(&self) -> Vec<Link> {
        play(async { Links::open(&self.netns).await.unwrap().list().await.unwrap() })
    }

    /// One of its devices.
    #[track_caller]
    pub(crate) fn link(&self, name: &str) -> Link {
        let link = self.links().into_iter().find(|link| link.name == name);
        link.unwrap_or_else(|| panic!("{} has no {name}", self.name))
    }

    /// Switches one of its devices on or off.
    pub(crate) fn switch(&self, name: &str, up: bool) {
        let index = self.link(name).index;
        play(async {
            let links = Links::open(&self.netns).await.unwrap();
            let done = if up { links.set_up(index).await } else { links.set_down(index).await };
            done.unwrap();
        });
    }

    /// Sets the MTU of one of its devices.
    pub(crate) fn set_mtu(&self, name: &str, mtu: u32) {
        let index = self.link(name).index;
        play(async {
            Links::open(&self.netns).await.unwrap().set_mtu(index, mtu).await.unwrap();
        });
    }

    /// Sets a value; one that this kernel does not have needs no setting.
    pub(crate) fn set(&self, path: &str, value: &str) {
        match set_in(&self.netns, path, value) {
            Ok(()) | Err(SysctlError::Missing { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Keeps the kernel from announcing itself in IPv6, seconds long, on devices that come.
    pub(crate) fn speak_ipv4_only(&self) {
        self.set("net/ipv6/conf/default/disable_ipv6", "1");
    }

    /// What `ip` with these words prints here. The machine must have it: see
    /// [`crate::underlay::has_ip`].
    #[track_caller]
    pub(crate) fn ip(&self, words: &str) -> String {
        let mut ip = Command::new(locate("ip").expect("asked for ahead of the test"));
        self.run(|| Process::start(ip.args(words.split(' ')))).finish(PATIENCE).ok()
    }

    /// The packets that its kernel has refused for a wrong checksum, of whatever protocol.
    pub(crate) fn wrong_checksums(&self) -> u64 {
        let text = self.run(|| fs::read_to_string("/proc/thread-self/net/snmp")).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let counts = lines.chunks_exact(2).flat_map(|pair| {
            let values = pair[1].split_whitespace().skip(1);
            pair[0].split_whitespace().skip(1).zip(values)
        });
        let wrong = counts.filter(|(name, _)| ["InCsumErrors", "InHdrErrors"].contains(name));
        wrong.map(|(_, count)| count.parse::<u64>().unwrap()).sum()
    }

    /// Deletes one of its devices.
    pub(crate) fn delete(&self, name: &str) {
        let index = self.link(name).index;
        play(async { Links::open(&self.netns).await.unwrap().delete(index).await.unwrap() });
    }

    /// Whether it has a default route.
    pub(crate) fn has_default_route(&self) -> bool {
        play(async {
            let links = Links::open(&self.netns).await.unwrap();
            links.default_route().await.unwrap().is_some()
        })
    }

    /// All that others may not change: its devices and its IPv4 routes, as text.
    pub(crate) fn state(&self) -> String {
        let routes = self.run(|| fs::read_to_string("/proc/thread-self/net/route")).unwrap();
        // The heading is there only once a namespace has had a route.
        let routes: Vec<&str> = routes.lines().skip(1).map(str::trim_end).collect();
        format!("{:#?}\n{routes:#?}", self.links())
    }
}

/// Runs something asynchronous to its end.
pub(crate) fn play<T>(task: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(task)
}

/// An echo request that no other test sends at the same time.
struct Probe {
    echo: IcmpEchoHeader,
    request: Vec<u8>,
    payload: usize,
}

impl Probe {
    fn new(length: usize) -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(1);
        let echo = IcmpEchoHeader { id: NEXT.fetch_add(1, Ordering::Relaxed), seq: 1 };
        let payload: Vec<u8> = (0..length).map(|at| at.to_le_bytes()[0]).collect();
        let header = Icmpv4Header::with_checksum(Icmpv4Type::EchoRequest(echo), &payload);
        let request = [&header.to_bytes()[..], &payload].concat();
        Self { echo, request, payload: length }
    }

    /// What a packet answers to this request, if anything.
    fn answer(&self, packet: &[u8]) -> Option<Answer> {
        let ip = etherparse::Ipv4HeaderSlice::from_slice(packet).ok()?;
        let from = ip.source_addr();
        let icmp = packet.get(usize::from(ip.ihl()) * 4..)?;
        let (kind, code) = (*icmp.first()?, *icmp.get(1)?);
        match kind {
            0 if self.is_mine(icmp) => {
                let payload = icmp.get(8..)?;
                assert!(payload == &self.request[8..] && payload.len() == self.payload);
                Some(Answer::Reply(from))
            }
            3 | 11 => {
                let quoted = icmp.get(8..)?;
                let header = usize::from(*quoted.first()? & 15) * 4;
                self.is_mine(quoted.get(header..)?).then_some(Answer::Error(from, kind, code))
            }
            _ => None,
        }
    }

    fn is_mine(&self, icmp: &[u8]) -> bool {
        icmp.get(4..8) == Some(&self.request[4..8]) && self.echo.seq == 1
    }
}
