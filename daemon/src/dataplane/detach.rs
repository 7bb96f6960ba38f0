//! Ports taken away: down, out of the table, and closed when no worker holds them any more.

use packet::PortId;
use switch::Event;

use super::{Dataplane, Entry, Table, close, lock};

impl Dataplane {
    /// Takes ports down and closes their queues; their devices are gone when this returns. Blocks until every worker
    /// has finished a batch, and while the kernel deletes the devices: milliseconds each, several at once.
    pub fn detach(&self, ports: &[PortId]) {
        if ports.is_empty() {
            return;
        }
        self.events(ports.iter().map(|port| Event::PortDown(*port)));
        let table = self.shared.table();
        let entries: Vec<Entry> =
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

    /// Closes whatever is still open, without a word to the switch: nothing that panicked stands in the way.
    pub fn close_all(&self) {
        let entries = self.shared.table().entries();
        if entries.is_empty() {
            return;
        }
        for entry in &entries {
            self.unwatch(entry);
        }
        let generation = self.shared.publish(|_| Table::default());
        self.shared.seen.wait(generation);
        close(entries);
    }

    fn unwatch(&self, entry: &Entry) {
        for (number, end) in self.shared.ends.iter().enumerate() {
            if let Some(source) = entry.read_by(number, self.queues()) {
                // Fails only when a worker saw the device go and has removed it already.
                let _ = end.poller.remove(&source);
            }
        }
    }
}
