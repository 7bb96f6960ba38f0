//! Reading ahead: where a packet's flow probably is, asked before anybody needs it.
//!
//! # Theory of operation
//! With tens of thousands of flows, each packet waits twice for memory: for its slot in the index, then for its flow,
//! whose place only the slot tells. One after the other, that takes longer than all the rest of a packet's life.
//! Asked for a whole batch at a time, first all slots, then all flows, the processor waits for many at once. Nothing is
//! decided here: [`Nat::see`] believes a guess only when the flow there has the packet's tuple.

use core::num::NonZeroU32;

use packet::Transport;
use packet::ip::V4;

use crate::nat::Nat;
use crate::tuple::Tuple;

/// Flows that lie in the processor's nearer caches anyway: their lines and slots take half a megabyte.
const NEAR: usize = 4096;

impl Nat {
    /// Whether the flows are so many that reading ahead pays.
    #[inline]
    pub const fn is_far(&self) -> bool {
        self.table.len() > NEAR
    }

    /// What the look-up of this packet begins with; `None` where no flow can be told from it.
    #[inline]
    pub fn hash_ahead(&self, packet: V4<'_>) -> Option<u64> {
        let transport = Transport::parse(packet.protocol(), packet.payload())?;
        Some(self.hashes.of(Tuple::of(packet, transport)?.words()))
    }

    /// Where the flow under this hash probably is, to be left in [`packet::Frame::set_guess`].
    #[inline]
    pub fn guess(&self, hash: u64) -> Option<NonZeroU32> {
        NonZeroU32::new(self.table.likely(hash)?.wrapping_add(1))
    }

    /// Reads what brings that flow near. The number means nothing.
    #[inline]
    pub fn touch(&self, guess: NonZeroU32) -> u64 {
        self.table.touch(guess.get() - 1)
    }
}
