//! Ports joined to what they read and write: devices, sockets and tunnels.

use std::io;
use std::sync::Arc;
#[cfg(debug_assertions)]
use std::sync::atomic::Ordering;

use os::underlay::Listener;
use packet::PortId;
use switch::Event;

use super::Dataplane;
use super::counters::Counters;
use super::table::{Cable, PortIo, Queue};
use super::tunnel::{Exit, Tunnel, Underlay};

impl Dataplane {
    /// Joins the queues of devices to their ports and takes them all up with one new table. The
    /// ports must be known to the switch. Says which ports stay down, for a system call's
    /// error; their devices are closed again.
    pub fn attach(&self, devices: Vec<(PortId, Vec<Queue>)>) -> Vec<(PortId, io::Error)> {
        let cables = devices.into_iter().map(|(port, queues)| {
            let counters = self.counters(port);
            PortIo::Cable(Arc::new(Cable { port, queues, counters }))
        });
        self.open(&cables.collect::<Vec<_>>())
    }

    /// Joins sockets, one a worker, to a port that datagrams come in on. The port must be known to
    /// the switch.
    ///
    /// # Errors
    /// A system call's; the port then stays down, and the sockets are closed again.
    pub fn attach_underlay(&self, port: PortId, listeners: Vec<Listener>) -> io::Result<()> {
        let counters = self.counters(port);
        self.open_one(PortIo::Underlay(Arc::new(Underlay { port, listeners, counters })))
    }

    /// Lets a tunnel's frames leave, or leave otherwise than before. The port must be known to the
    /// switch.
    ///
    /// # Errors
    /// None that is known.
    pub fn attach_tunnel(&self, port: PortId, exit: Exit) -> io::Result<()> {
        let counters = self.counters(port);
        self.open_one(PortIo::Tunnel(Arc::new(Tunnel { port, exit, counters })))
    }

    fn counters(&self, port: PortId) -> Arc<Counters> {
        self.shared.counters.entry(port).or_default().clone()
    }

    fn open_one(&self, entry: PortIo) -> io::Result<()> {
        match self.open(&[entry]).into_iter().next() {
            None => Ok(()),
            Some((_, error)) => Err(error),
        }
    }

    fn open(&self, entries: &[PortIo]) -> Vec<(PortId, io::Error)> {
        self.shared.publish(|table| table.with(entries));
        self.events(entries.iter().map(|entry| Event::PortUp(entry.port())));
        let watched = entries.iter().map(|entry| (entry.port(), self.watch(entry)));
        let failed: Vec<_> =
            watched.filter_map(|(port, watched)| Some((port, watched.err()?))).collect();
        // One that only some workers read is no port.
        self.detach(&failed.iter().map(|(port, _)| *port).collect::<Vec<_>>());
        failed
    }

    fn watch(&self, entry: &PortIo) -> io::Result<()> {
        for (number, end) in self.shared.ends.iter().enumerate() {
            if let Some(source) = entry.read_by(number, self.queues()) {
                end.poller.add(&source, u64::from(entry.port().number()))?;
                #[cfg(debug_assertions)]
                if self.shared.unwatchable.swap(false, Ordering::AcqRel) {
                    return Err(io::ErrorKind::StorageFull.into());
                }
            }
        }
        Ok(())
    }

    /// Has the next port be watched by one worker, and then fail: how tests see that nothing of it
    /// is left. Not in a release.
    #[cfg(debug_assertions)]
    pub fn refuse_next_watch(&self) {
        self.shared.unwatchable.store(true, Ordering::Release);
    }
}
