//! A switch that goes on as another one with the same state.

use switch::Switch;

/// How one switch takes the place of another that it should be the equal of.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Rebirth {
    /// Made from the other's bytes.
    Bytes,
    /// A clone of it.
    Clone,
}

impl Rebirth {
    /// The other switch; the first is gone.
    pub(crate) fn of(self, switch: Switch) -> Switch {
        match self {
            Self::Clone => switch.clone(),
            Self::Bytes => {
                let bytes = postcard::to_stdvec(&switch).expect("a switch can be written");
                let read: Switch = postcard::from_bytes(&bytes).expect("and read");
                let again = postcard::to_stdvec(&read).expect("and written again");
                assert!(bytes == again, "the same state has other bytes");
                read
            }
        }
    }
}
