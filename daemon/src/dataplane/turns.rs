//! Whose turn it is: ports whose queue may hold frames, each once, in the order in which they said
//! so.
//!
//! A port whose turn is over goes to the end when it has more, so that one that never runs dry
//! delays each of the others by a turn of its own and no more.

use std::collections::VecDeque;

use packet::PortId;

/// The ports that wait for their turn. Room for one number and one flag a port.
#[derive(Debug, Default)]
pub(super) struct Turns {
    order: VecDeque<PortId>,
    waiting: Vec<bool>,
}

impl Turns {
    /// Puts a port at the end, unless it waits already.
    pub(super) fn push(&mut self, port: PortId) {
        let at = port.index();
        if self.waiting.len() <= at {
            self.waiting.resize(at + 1, false);
        }
        if let Some(waiting) = self.waiting.get_mut(at)
            && !core::mem::replace(waiting, true)
        {
            self.order.push_back(port);
        }
    }

    /// Takes the first one out.
    pub(super) fn pop(&mut self) -> Option<PortId> {
        let port = self.order.pop_front()?;
        if let Some(waiting) = self.waiting.get_mut(port.index()) {
            *waiting = false;
        }
        Some(port)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_waits_once_and_comes_last_when_it_comes_again() {
        let mut turns = Turns::default();
        for number in [7, 1, 7, 0, 1] {
            turns.push(PortId::new(number));
        }
        assert_eq!(turns.len(), 3);
        assert_eq!(turns.pop(), Some(PortId::new(7)));
        turns.push(PortId::new(7));
        let rest: Vec<u32> = core::iter::from_fn(|| turns.pop()).map(PortId::number).collect();
        assert_eq!(rest, [1, 0, 7]);
        assert!(turns.is_empty());
    }
}
