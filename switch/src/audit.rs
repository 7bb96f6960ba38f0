//! Whether the tables agree with each other: for tests and fuzzers, which ask after every step. Looks at everything.

use crate::switch::Switch;

impl Switch {
    /// Compares tables that must agree, and their sizes with their limits.
    ///
    /// # Errors
    /// Says what contradicts what.
    #[doc(hidden)]
    pub fn audit(&self) -> Result<(), &'static str> {
        for (_, bridge) in self.bridges.iter() {
            if bridge.fdb.len() > bridge.settings.capacity {
                return Err("a bridge has learned more stations than it may");
            }
        }
        let waiting = self.router.pending.keys();
        if !waiting.into_iter().all(|key| self.router.neighbors.is_asked_for(key)) {
            return Err("packets wait for a neighbour that nobody asks for");
        }
        if !self.router.pending.is_within_limits() {
            return Err("more packets wait than may, or their count is wrong");
        }
        self.reassembly.audit()?;
        self.nat.audit()
    }
}
