//! Ports taken away: down, out of the table, and closed when no worker holds them any more.

use os::blocking;
use packet::PortId;
use switch::Event;

use super::{Dataplane, PortIo, Table, close, lock};

impl Dataplane {
    /// Takes ports down and closes their queues; their devices are gone when this returns. Waits
    /// until every worker has finished a batch, and while the kernel deletes the devices:
    /// milliseconds each, several at once.
    pub fn detach(&self, ports: &[PortId]) {
        if !ports.is_empty() {
            blocking(|| self.take_away(ports));
        }
    }

    fn take_away(&self, ports: &[PortId]) {
        self.events(ports.iter().map(|port| Event::PortDown(*port)));
        let table = self.shared.table();
        let entries: Vec<PortIo> =
            ports.iter().filter_map(|port| table.get(*port).cloned()).collect();
        drop(table);
        for entry in &entries {
            self.unwatch(entry);
        }
        let generation = self.shared.publish(|table| table.without(ports));
        for port in ports {
            self.shared.counters.remove(port);
            lock(&self.shared.overruns).remove(port);
        }
        self.shared.seen.wait(generation);
        close(entries);
    }

    /// Closes whatever is still open, without a word to the switch: nothing that panicked stands in
    /// the way.
    pub fn close_all(&self) {
        let entries = self.shared.table().entries();
        if entries.is_empty() {
            return;
        }
        for entry in &entries {
            self.unwatch(entry);
        }
        let generation = self.shared.publish(|_| Table::default());
        blocking(|| self.shared.seen.wait(generation));
        close(entries);
    }

    fn unwatch(&self, entry: &PortIo) {
        for (number, end) in self.shared.ends.iter().enumerate() {
            if let Some(source) = entry.read_by(number, self.queues()) {
                // Fails only when a worker saw the device go and has removed it already.
                let _ = end.poller.remove(&source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use tokio::runtime::Builder;

    use super::*;
    use crate::dataplane::Threads;

    #[test]
    fn a_runtime_goes_on_while_ports_are_taken_away() {
        let (reports, _) = tokio::sync::mpsc::unbounded_channel();
        let plane = Arc::new(Dataplane::start(&Threads::default(), 7, reports).unwrap());
        // Somebody has the switch, and gives it back when the second task asks for that.
        let ((hold, is_held), (ask, is_asked)) = (mpsc::channel(), mpsc::channel());
        let holder = Arc::clone(&plane);
        let holder = thread::spawn(move || {
            holder.look(|_, _| {
                hold.send(()).unwrap();
                is_asked.recv_timeout(Duration::from_secs(10)).is_ok()
            })
        });
        is_held.recv().unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let detached = runtime.spawn(async move { plane.detach(&[PortId::new(0)]) });
        runtime.spawn(async move { ask.send(()) });
        assert!(holder.join().unwrap(), "the second task never ran");
        runtime.block_on(detached).unwrap();
    }
}
