//! Changes that have ended flows which are still in the table.

use core::net::Ipv4Addr;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::rules::{Listeners, Rules};

/// A change that ends flows, and how far it has been followed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sweep {
    pub(crate) cause: Cause,
    /// The place to look at next, and the one to end before.
    pub(crate) next: u32,
    pub(crate) end: u32,
    /// How many flows had been born: later ones are not meant.
    pub(crate) births: u32,
}

/// What has changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Cause {
    /// These rules were replaced: by those of the next such sweep, or else by those in force.
    Rules(Rules, #[serde(skip)] Listeners),
    /// These addresses are not the router's any more.
    Addresses(BTreeSet<Ipv4Addr>),
}
