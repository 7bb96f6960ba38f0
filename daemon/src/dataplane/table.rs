//! The ports that workers read and write, as an immutable table by port number.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use os::packet_socket::PacketSocket;
use os::tap::{self, Received};
use packet::{Frame, PortId};

use super::counters::Counters;
use super::tunnel::{Tunnel, Underlay};

/// One queue of a port's device.
#[derive(Debug)]
pub enum Queue {
    /// Of a TAP that was made for the port.
    Tap(tap::Queue),
    /// A packet socket on a device that was there.
    Packet(PacketSocket),
}

impl Queue {
    /// Takes the next frame out; see [`tap::Queue::read`].
    pub(crate) fn read(&self, frame: &mut Frame) -> io::Result<Received> {
        match self {
            Self::Tap(queue) => queue.read(frame),
            Self::Packet(socket) => socket.read(frame),
        }
    }

    /// Hands a frame to the far end; see [`tap::Queue::write`].
    pub(crate) fn write(&self, frame: &mut Frame) -> io::Result<()> {
        match self {
            Self::Tap(queue) => queue.write(frame),
            Self::Packet(socket) => socket.write(frame),
        }
    }

    /// Whether frames keep their offload across it.
    pub(crate) const fn offloads(&self) -> bool {
        match self {
            Self::Tap(queue) => queue.offloads(),
            Self::Packet(_) => true,
        }
    }

    /// Whether super-frames of datagrams may be made for it. Not for a packet socket: its device
    /// may be of any kind.
    pub(crate) const fn takes_datagrams(&self) -> bool {
        match self {
            Self::Tap(queue) => queue.takes_datagrams(),
            Self::Packet(_) => false,
        }
    }

    /// Whether an error says that the device is gone for good.
    pub(crate) fn is_gone(&self, error: &io::Error) -> bool {
        match self {
            Self::Tap(_) => tap::is_gone(error),
            Self::Packet(socket) => socket.is_gone(error),
        }
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tap(queue) => queue.as_fd(),
            Self::Packet(socket) => socket.as_fd(),
        }
    }
}

/// One port's device, open.
#[derive(Debug)]
pub(crate) struct Cable {
    pub(crate) port: PortId,
    pub(crate) queues: Vec<Queue>,
    pub(crate) counters: Arc<Counters>,
}

impl Cable {
    /// Whether its device was made for it.
    pub(crate) fn is_tap(&self) -> bool {
        matches!(self.queues.first(), Some(Queue::Tap(_)))
    }

    /// The queue that worker `number` writes. Queues are safe to share: a frame is one system call.
    pub(crate) fn written_by(&self, number: usize) -> Option<&Queue> {
        self.queues.get(number % self.queues.len().max(1))
    }
}

/// What a port's number stands for.
#[derive(Debug, Clone)]
pub(crate) enum PortIo {
    /// A device.
    Cable(Arc<Cable>),
    /// A UDP port that datagrams come in on.
    Underlay(Arc<Underlay>),
    /// A tunnel that datagrams go out through.
    Tunnel(Arc<Tunnel>),
}

impl PortIo {
    /// Whether it is the same device, and not another of its number.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Cable(one), Self::Cable(other)) => Arc::ptr_eq(one, other),
            (Self::Underlay(one), Self::Underlay(other)) => Arc::ptr_eq(one, other),
            (Self::Tunnel(one), Self::Tunnel(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    pub(crate) fn counters(&self) -> &Counters {
        match self {
            Self::Cable(cable) => &cable.counters,
            Self::Underlay(underlay) => &underlay.counters,
            Self::Tunnel(tunnel) => &tunnel.counters,
        }
    }

    pub(crate) fn port(&self) -> PortId {
        match self {
            Self::Cable(cable) => cable.port,
            Self::Underlay(underlay) => underlay.port,
            Self::Tunnel(tunnel) => tunnel.port,
        }
    }

    /// Frames that the kernel dropped at sockets since this was last asked, because nobody read
    /// them in time. What is dropped ahead of a TAP is its device's to count, in its namespace.
    /// One may ask at a time.
    pub(crate) fn take_overruns(&self) -> u64 {
        let of = |taken: io::Result<u32>| u64::from(taken.unwrap_or_default());
        match self {
            Self::Cable(cable) => {
                let sockets = cable.queues.iter().filter_map(|queue| match queue {
                    Queue::Packet(socket) => Some(socket),
                    Queue::Tap(_) => None,
                });
                sockets.map(|socket| of(socket.take_overruns())).sum()
            }
            Self::Underlay(underlay) => {
                underlay.listeners.iter().map(|listener| of(listener.take_lost())).sum()
            }
            Self::Tunnel(_) => 0,
        }
    }

    /// What worker `number` of `workers` reads. A device with fewer queues is read by as many
    /// workers, and ports are spread over them by number.
    pub(crate) fn read_by(&self, number: usize, workers: usize) -> Option<Readable<'_>> {
        let (count, port) = match self {
            Self::Cable(cable) => (cable.queues.len(), cable.port),
            Self::Underlay(underlay) => (underlay.listeners.len(), underlay.port),
            Self::Tunnel(_) => return None,
        };
        let shift = if count < workers { port.index() } else { 0 };
        let at = (number + shift) % workers.max(1);
        match self {
            Self::Cable(cable) => cable.queues.get(at).map(Readable::Queue),
            Self::Underlay(underlay) => underlay.listeners.get(at).map(Readable::Listener),
            Self::Tunnel(_) => None,
        }
    }
}

/// What a worker reads frames from.
pub(crate) enum Readable<'a> {
    /// A device's queue.
    Queue(&'a Queue),
    /// A socket.
    Listener(&'a os::underlay::Listener),
}

impl AsFd for Readable<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Queue(queue) => queue.as_fd(),
            Self::Listener(listener) => listener.as_fd(),
        }
    }
}

/// All ports that are open, by number. Cloned and replaced whole when some come or go.
#[derive(Debug, Default, Clone)]
pub(crate) struct Table(Vec<Option<PortIo>>);

impl Table {
    pub(crate) fn get(&self, port: PortId) -> Option<&PortIo> {
        self.0.get(port.index())?.as_ref()
    }

    /// All of them, by number.
    pub(crate) fn entries(&self) -> Vec<PortIo> {
        self.0.iter().flatten().cloned().collect()
    }

    /// The table with `entries` in it too. Costs a copy of the whole, however many they are.
    pub(crate) fn with(&self, entries: &[PortIo]) -> Self {
        let mut table = self.clone();
        for entry in entries {
            let at = entry.port().index();
            if table.0.len() <= at {
                table.0.resize(at + 1, None);
            }
            if let Some(slot) = table.0.get_mut(at) {
                *slot = Some(entry.clone());
            }
        }
        table
    }

    /// The table without `ports`.
    pub(crate) fn without(&self, ports: &[PortId]) -> Self {
        let mut table = self.clone();
        for port in ports {
            if let Some(slot) = table.0.get_mut(port.index()) {
                *slot = None;
            }
        }
        table
    }
}
