//! How the router says no.

use packet::Dropped;
use packet::icmp::IcmpError;

/// The end of a packet that the router took in.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Without a word.
    Silent(Dropped),
    /// With an ICMP error about the packet.
    Tell(Dropped, IcmpError),
}

impl Refusal {
    /// With a word about it, if there is one to say.
    pub(crate) fn of(dropped: Dropped, error: Option<IcmpError>) -> Self {
        match error {
            Some(error) => Self::Tell(dropped, error),
            None => Self::Silent(dropped),
        }
    }
}

impl From<Dropped> for Refusal {
    fn from(dropped: Dropped) -> Self {
        Self::Silent(dropped)
    }
}
