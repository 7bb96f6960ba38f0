//! The routes once more, laid out for finding: at most three loads a look-up (16, 8 and 8 bits of
//! the address).
//!
//! # Theory of operation
//! A cell is empty, names a target, or names a block of 256 cells for the next 8 bits. Prefixes are
//! laid in from short to long, each over what is there, so that the longest that holds an address
//! is what its cell says. Made anew with every change of the routes; never changed in place. The
//! first level takes 256 KiB, every block 1 KiB, and there are at most two blocks for each prefix.

use core::fmt;
use core::net::Ipv4Addr;

use packet::InterfaceId;
use serde::{Deserialize, Serialize};

/// What the table says of a destination.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// It is the router's own.
    Local(InterfaceId),
    /// It is a subnet's broadcast (or all-zeros) address.
    Broadcast(InterfaceId),
    /// It is a neighbour on this segment.
    Connected(InterfaceId),
    /// It is behind this router.
    Via {
        /// The segment on which the router is.
        interface: InterfaceId,
        /// The router's address.
        gateway: Ipv4Addr,
    },
    /// It is nowhere.
    Reject(Reject),
}

/// How a packet is refused that a route leads nowhere.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Reject {
    /// ICMP network unreachable to the sender (RFC 792: type 3, code 0).
    Unreachable,
    /// ICMP administratively prohibited to the sender (RFC 1812 section 5.2.7.1: type 3, code 13).
    Prohibit,
    /// Nothing to the sender.
    Blackhole,
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
            Self::Blackhole => "blackhole",
        })
    }
}

impl Target {
    /// The interface that bears the address.
    #[inline]
    pub(crate) const fn owner(self) -> Option<InterfaceId> {
        match self {
            Self::Local(owner) => Some(owner),
            _ => None,
        }
    }
}

/// A cell with this bit names a block; otherwise it is 0, or a target's position and one.
const BLOCK: u32 = 1 << 31;
const ROOT: usize = 1 << 16;

#[derive(Clone, Debug)]
pub(crate) struct Fib {
    root: Box<[u32]>,
    blocks: Vec<[u32; 256]>,
    targets: Vec<Target>,
}

impl Fib {
    /// Lays in these prefixes: first address, length and target, shortest first.
    pub(crate) fn new(routes: impl Iterator<Item = (Ipv4Addr, u8, Target)>) -> Self {
        let root = vec![0; ROOT].into_boxed_slice();
        let mut fib = Self { root, blocks: Vec::new(), targets: Vec::new() };
        for (first, len, target) in routes {
            fib.targets.push(target);
            fib.lay(first.to_bits(), u32::from(len), fib.targets.len() as u32);
        }
        fib
    }

    #[inline]
    pub(crate) fn find(&self, address: Ipv4Addr) -> Option<Target> {
        let bits = address.to_bits();
        let mut cell = self.root.get((bits >> 16) as usize).copied().unwrap_or(0);
        if cell & BLOCK != 0 {
            cell = self.cell(cell, (bits >> 8) as u8);
            if cell & BLOCK != 0 {
                cell = self.cell(cell, bits as u8);
            }
        }
        self.targets.get((cell as usize).wrapping_sub(1)).copied()
    }

    #[inline]
    fn cell(&self, block: u32, at: u8) -> u32 {
        self.blocks.get((block & !BLOCK) as usize).map_or(0, |cells| cells[usize::from(at)])
    }

    fn lay(&mut self, bits: u32, len: u32, target: u32) {
        let first = (bits >> 16) as usize;
        if len <= 16 {
            let count = 1 << (16 - len);
            if let Some(cells) = self.root.get_mut(first..first + count) {
                cells.fill(target);
            }
            return;
        }
        let second = self.descend(None, first);
        let at = usize::from((bits >> 8) as u8);
        if len <= 24 {
            return self.fill(second, at, 1 << (24 - len), target);
        }
        let third = self.descend(Some(second), at);
        self.fill(third, usize::from(bits as u8), 1 << (32 - len), target);
    }

    fn fill(&mut self, block: usize, at: usize, count: usize, target: u32) {
        if let Some(cells) = self.blocks.get_mut(block).and_then(|b| b.get_mut(at..at + count)) {
            cells.fill(target);
        }
    }

    /// The block below a cell, made of the cell's own content where there is none.
    fn descend(&mut self, above: Option<usize>, at: usize) -> usize {
        let made = self.blocks.len();
        let cell = match above {
            None => self.root.get_mut(at),
            Some(block) => self.blocks.get_mut(block).and_then(|cells| cells.get_mut(at)),
        };
        let Some(cell) = cell else { return made };
        if *cell & BLOCK != 0 {
            return (*cell & !BLOCK) as usize;
        }
        let content = core::mem::replace(cell, BLOCK | made as u32);
        self.blocks.push([content; 256]);
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use packet::{InterfaceId, Ipv4Net};
    use prefix_trie::PrefixMap;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_finds_what_the_trie_finds(
            nets in prop::collection::vec((any::<u32>(), 0u8..=32, 0u8..4), 0..60),
            probes in prop::collection::vec(any::<u32>(), 40),
        ) {
            let mut trie = PrefixMap::new();
            for (number, (bits, len, shared)) in nets.iter().enumerate() {
                // Some prefixes share their first bytes, so that they nest.
                let bits = if *shared > 0 { 0x0a00_0000 | bits & 0x0003_03ff } else { *bits };
                let net = Ipv4Net::new(Ipv4Addr::from_bits(bits), *len).unwrap().trunc();
                trie.insert(net, Target::Connected(InterfaceId::new(number as u16)));
            }
            let mut routes: Vec<_> = trie.iter().map(|(net, target)| (net, *target)).collect();
            routes.sort_by_key(|(net, _)| net.prefix_len());
            let laid = routes.iter().map(|(net, to)| (net.network(), net.prefix_len(), *to));
            let fib = Fib::new(laid);
            let near = routes.iter().flat_map(|(net, _)| {
                let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
                [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
            });
            for bits in probes.iter().copied().chain(near) {
                let address = Ipv4Addr::from_bits(bits);
                let expected = trie.get_lpm(&Ipv4Net::from(address)).map(|(_, target)| *target);
                prop_assert_eq!(fib.find(address), expected, "{}", address);
            }
        }
    }
}
