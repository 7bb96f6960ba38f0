//! What simulated hosts say to each other: pings, datagrams, and transfers whose content is
//! compared.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use packet::PortId;
use sha2::{Digest, Sha256};
use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp;
use smoltcp::wire::IpAddress;

use crate::host::Host;
use crate::lab::{End, Lab};
use crate::rng::Rng;
use crate::wire::{Address, Socket};

/// How long a transfer may take before it counts as stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3600);
/// How long both ends of a transfer may take to close.
const CLOSING: Duration = Duration::from_secs(30);
/// How long a ping may take: the router asks for a neighbour three times, a second apart.
pub(crate) const PING_PATIENCE: Duration = Duration::from_secs(5);
const CHUNK: usize = 16 << 10;

/// One end of a TCP connection on a host.
#[derive(Copy, Clone, Debug)]
pub struct Connection {
    host: PortId,
    socket: SocketHandle,
}

/// What a transfer shows when it is over.
#[derive(Copy, Clone, Debug)]
pub struct Transfer {
    /// The client as the server saw it.
    pub client: SocketAddrV4,
    /// Time from the first SYN to the last byte.
    pub took: Duration,
}

impl Lab {
    fn at(&mut self, host: PortId) -> &mut Host {
        match &mut self.cable(host).end {
            End::Host(host) => host,
            End::Station { .. } => panic!("a station has no sockets"),
        }
    }

    /// Pings from a host; says who answered.
    pub fn ping(&mut self, host: &str, to: impl Address) -> Option<Ipv4Addr> {
        self.ping_with(host, to, 56)
    }

    /// Pings from a host with `len` bytes of data; says who answered.
    pub fn ping_with(&mut self, host: &str, to: impl Address, len: usize) -> Option<Ipv4Addr> {
        let sequence = self.begin_ping(host, to.address(), len);
        let mut answer = None;
        self.run_until(PING_PATIENCE, |lab| {
            answer = lab.pong(host, sequence);
            answer.is_some()
        });
        answer
    }

    /// Sends a ping; says its sequence number.
    pub(crate) fn begin_ping(&mut self, host: &str, to: Ipv4Addr, len: usize) -> u16 {
        let host = self.names.port(host);
        let sequence = self.rng().below(0x1_0000) as u16;
        self.at(host).ping(to, sequence, len);
        self.poll(host);
        sequence
    }

    /// Who answered the ping with this sequence number, if that is the next answer.
    pub(crate) fn pong(&mut self, host: &str, sequence: u16) -> Option<Ipv4Addr> {
        let host = self.names.port(host);
        self.at(host).pong().filter(|pong| pong.0 == sequence).map(|pong| pong.1)
    }

    /// Binds a UDP port of a host, if it is not yet bound, so that datagrams to it are kept.
    pub fn bind(&mut self, host: &str, port: u16) {
        let host = self.names.port(host);
        self.at(host).udp(port);
    }

    /// Sends a datagram from a UDP port of a host, and lets `100 ms` pass.
    pub fn datagram(&mut self, host: &str, port: u16, to: impl Socket, data: &[u8]) {
        let (host, to) = (self.names.port(host), to.socket());
        let socket = self.at(host).udp(port);
        socket.send_slice(data, (*to.ip(), to.port())).expect("the queue of datagrams has room");
        self.poll(host);
        self.run_for(Duration::from_millis(100));
    }

    /// The next datagram that came to a UDP port of a host, and who sent it.
    pub fn receive(&mut self, host: &str, port: u16) -> Option<(Vec<u8>, SocketAddrV4)> {
        let host = self.names.port(host);
        let (data, from) = self.at(host).udp(port).recv().ok()?;
        let IpAddress::Ipv4(address) = from.endpoint.addr else { return None };
        Some((data.to_vec(), SocketAddrV4::new(address, from.endpoint.port)))
    }

    /// Waits for a TCP connection on a host.
    pub fn listen(&mut self, host: &str, port: u16) -> Connection {
        let host = self.names.port(host);
        let socket = self.at(host).listen(port);
        Connection { host, socket }
    }

    /// Begins to open a TCP connection.
    pub fn connect(&mut self, host: &str, to: impl Socket) -> Connection {
        let host = self.names.port(host);
        let socket = self.at(host).connect(to.socket());
        self.poll(host);
        Connection { host, socket }
    }

    /// A connection's socket, to look at or change. Call [`Lab::wake`] after a change.
    pub fn socket(&mut self, connection: Connection) -> &mut tcp::Socket<'static> {
        self.at(connection.host).tcp(connection.socket)
    }

    /// Lets a connection's host work on what was changed.
    pub fn wake(&mut self, connection: Connection) {
        self.poll(connection.host);
    }

    /// Whether a connection is established.
    pub fn is_open(&mut self, connection: Connection) -> bool {
        self.socket(connection).state() == tcp::State::Established
    }

    /// Whom a connection is with, as its host sees it.
    pub fn remote(&mut self, connection: Connection) -> Option<SocketAddrV4> {
        let remote = self.socket(connection).remote_endpoint()?;
        let IpAddress::Ipv4(address) = remote.addr else { return None };
        Some(SocketAddrV4::new(address, remote.port))
    }

    /// Sends `len` random bytes over a new TCP connection from the host `from` to `to`, where the
    /// host and port `server` is expected to be, then a fifth of it back, compares what came
    /// with what was sent, and closes.
    ///
    /// # Panics
    /// It takes more than an hour, or the content differs.
    pub fn transfer(
        &mut self,
        from: &str,
        to: impl Socket,
        server: (&str, u16),
        len: usize,
    ) -> Transfer {
        let began = self.now;
        let server = self.listen(server.0, server.1);
        let client = self.connect(from, to);
        let mut up = Stream::new(self.rng().next(), len);
        let mut down = Stream::new(self.rng().next(), len / 5);
        let mut seen = None;
        let done = self.run_until(PATIENCE, |lab| {
            let moved = [lab.pump(client, server, &mut up), lab.pump(server, client, &mut down)];
            if moved.contains(&true) {
                lab.wake(client);
                lab.wake(server);
            }
            if seen.is_none() {
                seen = lab.remote(server);
            }
            up.is_done() && down.is_done()
        });
        let drops = self.drops();
        assert!(done, "stuck after {} and {} bytes; drops {drops:?}", up.came, down.came);
        up.assert_equal();
        down.assert_equal();
        let took = self.since(began);
        for connection in [client, server] {
            self.socket(connection).close();
            self.wake(connection);
        }
        // smoltcp 0.14.0 does not repeat a lost FIN in every state: the end is cut short where it
        // does not come.
        self.run_until(CLOSING, |lab| {
            [client, server].iter().all(|end| !lab.socket(*end).may_recv())
        });
        for connection in [client, server] {
            self.socket(connection).abort();
            self.wake(connection);
        }
        Transfer { client: seen.expect("a server knows its client"), took }
    }

    /// Moves bytes of a stream into its sender's socket and out of its receiver's; says whether any
    /// moved.
    fn pump(&mut self, from: Connection, to: Connection, stream: &mut Stream) -> bool {
        let moved = [self.feed(from, stream), self.drink(to, stream)];
        moved.contains(&true)
    }

    /// Moves bytes of a stream into its sender's socket; says whether any moved.
    pub(crate) fn feed(&mut self, from: Connection, stream: &mut Stream) -> bool {
        let mut moved = false;
        let socket = self.socket(from);
        while stream.left() > 0 && socket.can_send() {
            let chunk = stream.peek();
            let sent = socket.send_slice(&chunk).unwrap_or(0);
            stream.sent(&chunk[..sent]);
            moved |= sent > 0;
        }
        moved
    }

    /// Takes bytes of a stream out of its receiver's socket; says whether any came.
    pub(crate) fn drink(&mut self, to: Connection, stream: &mut Stream) -> bool {
        let mut moved = false;
        let socket = self.socket(to);
        while socket.can_recv() {
            let read = socket.recv(|bytes| {
                stream.received(bytes);
                (bytes.len(), bytes.len())
            });
            moved |= read.is_ok_and(|count| count > 0);
        }
        moved
    }
}

/// Random bytes on their way, hashed at both ends.
pub(crate) struct Stream {
    rng: Rng,
    ready: Vec<u8>,
    to_make: usize,
    came: usize,
    len: usize,
    hashes: [Sha256; 2],
}

impl Stream {
    pub(crate) fn new(seed: u64, len: usize) -> Self {
        let hashes = [Sha256::new(), Sha256::new()];
        Self { rng: Rng::new(seed), ready: Vec::new(), to_make: len, came: 0, len, hashes }
    }

    fn left(&self) -> usize {
        self.to_make + self.ready.len()
    }

    fn peek(&mut self) -> Vec<u8> {
        if self.ready.is_empty() {
            self.ready = self.rng.bytes(CHUNK.min(self.to_make));
            self.to_make -= self.ready.len();
        }
        self.ready.clone()
    }

    fn sent(&mut self, bytes: &[u8]) {
        self.hashes[0].update(bytes);
        self.ready.drain(..bytes.len());
    }

    fn received(&mut self, bytes: &[u8]) {
        self.hashes[1].update(bytes);
        self.came += bytes.len();
    }

    pub(crate) const fn is_done(&self) -> bool {
        self.came >= self.len
    }

    pub(crate) fn assert_equal(&self) {
        let [sent, came] = self.hashes.clone().map(Sha256::finalize);
        assert!(self.came == self.len && sent == came, "the content changed on its way");
    }
}
