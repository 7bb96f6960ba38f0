//! A simulated host: smoltcp's ARP, ICMP, UDP and TCP behind a MAC address, an IPv4 address and a
//! gateway.

use core::net::{Ipv4Addr, SocketAddrV4};
use std::collections::BTreeMap;

use packet::{Frame, Instant, Ipv4Net, Mac};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::{icmp, tcp, udp};
use smoltcp::time::Instant as Micros;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};

use crate::device::Device;

/// The identifier of the host's own pings.
const PING: u16 = 0x4242;
const PACKETS: usize = 64;
/// TCP's buffer each way: more than one super-frame.
const TCP_BUFFER: usize = 256 << 10;

/// A host. What it says is taken by the lab after every [`Host::poll`].
pub(crate) struct Host {
    pub(crate) mac: Mac,
    pub(crate) address: Ipv4Addr,
    pub(crate) device: Device,
    /// When it wants to be polled next.
    pub(crate) wake: Option<Instant>,
    interface: Interface,
    sockets: SocketSet<'static>,
    pings: SocketHandle,
    ports: BTreeMap<u16, SocketHandle>,
    next_port: u16,
}

impl Host {
    pub(crate) fn new(
        now: Instant,
        mac: Mac,
        net: Ipv4Net,
        gateway: Option<Ipv4Addr>,
        mut device: Device,
    ) -> Self {
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(mac.0)));
        config.random_seed = mac.to_u64();
        let mut interface = Interface::new(config, &mut device, micros(now));
        interface.update_ip_addrs(|addresses| {
            let cidr = IpCidr::new(net.addr().into(), net.prefix_len());
            addresses.push(cidr).expect("one address fits");
        });
        if let Some(gateway) = gateway {
            interface.routes_mut().add_default_ipv4_route(gateway).expect("one route fits");
        }
        let mut sockets = SocketSet::new(Vec::new());
        let mut pings = icmp::Socket::new(icmp_buffer(), icmp_buffer());
        pings.bind(icmp::Endpoint::Ident(PING)).expect("an identifier is free");
        let pings = sockets.add(pings);
        let ports = BTreeMap::new();
        let address = net.addr();
        Self {
            mac,
            address,
            device,
            wake: None,
            interface,
            sockets,
            pings,
            ports,
            next_port: 49_152,
        }
    }

    /// Lets the host work; [`Host::next`] then has what it says.
    pub(crate) fn poll(&mut self, now: Instant) {
        let time = micros(now);
        self.interface.poll(time, &mut self.device, &mut self.sockets);
        let wake = self.interface.poll_at(time, &self.sockets);
        let soonest = Instant::from_nanos(now.as_nanos() + 1_000_000);
        self.wake = wake.map(|at| {
            let at = Instant::from_nanos(at.total_micros().max(0) as u64 * 1000);
            if at > now { at } else { soonest }
        });
    }

    pub(crate) fn next(&mut self) -> Option<Frame> {
        self.device.next()
    }

    /// Sends an echo request of `len` data bytes.
    pub(crate) fn ping(&mut self, to: Ipv4Addr, sequence: u16, len: usize) {
        let packet = crate::wire::Packet::ping("0.0.0.0", to, PING, sequence);
        let mut message = packet.payload;
        message.resize(8 + len, 0x5a);
        // smoltcp computes the checksum itself.
        let socket = self.sockets.get_mut::<icmp::Socket<'_>>(self.pings);
        socket.send_slice(&message, to.into()).expect("the queue of pings has room");
    }

    /// The sequence number and sender of the next echo reply.
    pub(crate) fn pong(&mut self) -> Option<(u16, Ipv4Addr)> {
        let socket = self.sockets.get_mut::<icmp::Socket<'_>>(self.pings);
        let (message, from) = socket.recv().ok()?;
        let IpAddress::Ipv4(from) = from else { return None };
        (message[0] == 0).then(|| (u16::from_be_bytes([message[6], message[7]]), from))
    }

    /// The UDP socket bound to `port`, made when there is none.
    pub(crate) fn udp(&mut self, port: u16) -> &mut udp::Socket<'static> {
        let sockets = &mut self.sockets;
        let handle = *self.ports.entry(port).or_insert_with(|| {
            let mut socket = udp::Socket::new(udp_buffer(), udp_buffer());
            socket.bind(port).expect("ports are not zero");
            sockets.add(socket)
        });
        self.sockets.get_mut(handle)
    }

    /// A TCP socket that waits for a connection.
    pub(crate) fn listen(&mut self, port: u16) -> SocketHandle {
        let mut socket = tcp_socket();
        socket.listen(port).expect("ports are not zero");
        self.sockets.add(socket)
    }

    /// A TCP socket that opens a connection from the next free port.
    pub(crate) fn connect(&mut self, to: SocketAddrV4) -> SocketHandle {
        let handle = self.sockets.add(tcp_socket());
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(handle);
        let remote = (*to.ip(), to.port());
        socket.connect(self.interface.context(), remote, self.next_port).expect("a new socket");
        self.next_port += 1;
        handle
    }

    pub(crate) fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }
}

fn micros(now: Instant) -> Micros {
    Micros::from_micros((now.as_nanos() / 1000) as i64)
}

fn tcp_socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; TCP_BUFFER]);
    tcp::Socket::new(buffer(), buffer())
}

fn udp_buffer() -> udp::PacketBuffer<'static> {
    udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; PACKETS], vec![0; PACKETS * 2048])
}

fn icmp_buffer() -> icmp::PacketBuffer<'static> {
    icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; PACKETS], vec![0; PACKETS * 2048])
}

impl core::fmt::Debug for Host {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Host({}, {})", self.mac, self.address)
    }
}
