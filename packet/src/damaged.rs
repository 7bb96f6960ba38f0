//! That a state which is read cannot be, and why.

use core::fmt;

/// What was read contradicts itself; the words say where.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Damaged(pub &'static str);

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the state contradicts itself: {}", self.0)
    }
}

impl core::error::Error for Damaged {}

/// `Ok` when `is_sound`, else what is wrong.
///
/// # Errors
/// [`Damaged`] with `what`.
pub const fn ensure(is_sound: bool, what: &'static str) -> Result<(), Damaged> {
    if is_sound { Ok(()) } else { Err(Damaged(what)) }
}
