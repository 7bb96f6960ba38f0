//! The ports that workers read and write, as an immutable table by port number.

use std::sync::Arc;

use os::tap::Queue;
use packet::PortId;

use super::counters::Counters;

/// One port's device, open.
#[derive(Debug)]
pub(crate) struct Cable {
    pub(crate) port: PortId,
    pub(crate) queues: Vec<Queue>,
    pub(crate) counters: Arc<Counters>,
}

impl Cable {
    /// The queue that worker `number` of `workers` reads. A device with fewer queues is read by as many workers, and
    /// ports are spread over them by number.
    pub(crate) fn read_by(&self, number: usize, workers: usize) -> Option<&Queue> {
        let shift = if self.queues.len() < workers { self.port.index() } else { 0 };
        self.queues.get((number + shift) % workers.max(1))
    }

    /// The queue that worker `number` writes. Queues are safe to share: a frame is one system call.
    pub(crate) fn written_by(&self, number: usize) -> Option<&Queue> {
        self.queues.get(number % self.queues.len().max(1))
    }
}

/// All ports that are open, by number. Cloned and replaced whole when one comes or goes.
#[derive(Debug, Default, Clone)]
pub(crate) struct Table(Vec<Option<Arc<Cable>>>);

impl Table {
    pub(crate) fn get(&self, port: PortId) -> Option<&Arc<Cable>> {
        self.0.get(port.index())?.as_ref()
    }

    pub(crate) fn with(&self, cable: Arc<Cable>) -> Self {
        let mut table = self.clone();
        let at = cable.port.index();
        if table.0.len() <= at {
            table.0.resize(at + 1, None);
        }
        if let Some(slot) = table.0.get_mut(at) {
            *slot = Some(cable);
        }
        table
    }

    pub(crate) fn without(&self, port: PortId) -> Self {
        let mut table = self.clone();
        if let Some(slot) = table.0.get_mut(port.index()) {
            *slot = None;
        }
        table
    }
}
