//! Why the kernel did not do what a netlink request asked.

use std::io;

use rtnetlink::packet_core::ErrorMessage;

use crate::netns::Whereabouts;

/// A request that failed: what was asked, of which device, where, and the kernel's words. Nothing
/// has changed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} in {netns}: {words}")]
pub struct LinkError {
    operation: String,
    netns: String,
    words: String,
    errno: Option<i32>,
}

impl LinkError {
    pub(super) fn new(operation: String, netns: &str, failure: Failure) -> Self {
        let errno = failure.errno();
        Self { operation, netns: netns.into(), words: failure.words(), errno }
    }

    /// `name` cannot be given to a device of `netns`, since one there bears it.
    pub(super) fn name_taken(operation: String, name: &str, netns: &Whereabouts) -> Self {
        let remedy = netns.about_taken(name);
        let words = format!("a device `{name}` is there already: {remedy}");
        Self { operation, netns: netns.shown.clone(), words, errno: Some(libc::EEXIST) }
    }

    /// `name` would make the kernel choose a name of its own.
    pub(super) fn bad_name(operation: String, name: &str, netns: &str) -> Self {
        let words = format!(
            "`{name}` cannot name a device: use printable ASCII without spaces, `/`, `:` and `%`"
        );
        Self { operation, netns: netns.into(), words, errno: None }
    }

    /// The kernel did what was asked, and somebody else undid it.
    pub(super) fn vanished(operation: String, netns: &str) -> Self {
        let words = "it was deleted or renamed as soon as it was made".into();
        Self { operation, netns: netns.into(), words, errno: None }
    }

    /// The kernel's error number, when it was the kernel that refused.
    pub const fn errno(&self) -> Option<i32> {
        self.errno
    }

    /// Whether there is no such device (any more).
    pub fn is_missing_device(&self) -> bool {
        self.errno == Some(libc::ENODEV)
    }

    /// Whether a device bears a name already that was to be given to another.
    pub fn is_name_taken(&self) -> bool {
        self.errno == Some(libc::EEXIST)
    }
}

/// How a request ended without an answer to use.
#[derive(Debug)]
pub(super) enum Failure {
    /// An error came back, or an answer that makes no sense.
    Refused(rtnetlink::Error),
    /// Nothing came back.
    Silence,
    /// The netlink socket could not be made.
    NoSocket(io::Error),
}

impl Failure {
    /// As a positive number.
    pub(super) fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused(rtnetlink::Error::NetlinkError(message)) => {
                Some(message.raw_code().saturating_abs())
            }
            Self::NoSocket(error) => error.raw_os_error(),
            Self::Refused(_) | Self::Silence => None,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Silence => "the kernel did not answer in time".into(),
            Self::Refused(rtnetlink::Error::NetlinkError(message)) => kernel_words(message),
            Self::Refused(error) => error.to_string(),
            Self::NoSocket(error) => error.to_string(),
        }
    }
}

/// The text that the kernel sent along, ahead of what the number means.
fn kernel_words(message: &ErrorMessage) -> String {
    let meaning = io::Error::from_raw_os_error(message.raw_code().saturating_abs());
    match extended_text(&message.header) {
        Some(text) => format!("{} ({meaning})", text.trim_end_matches('.')),
        None => meaning.to_string(),
    }
}

/// Finds `NLMSGERR_ATTR_MSG` in the body of an `NLMSG_ERROR`, past its number: the refused request
/// in full, whose first four bytes are its length, then attributes of a length, a type and a value,
/// padded to four bytes (linux/netlink.h).
fn extended_text(body: &[u8]) -> Option<String> {
    let request = u32::from_ne_bytes(*body.first_chunk()?);
    let mut rest = body.get(padded(usize::try_from(request).ok()?)..)?;
    loop {
        let (length, tail) = rest.split_first_chunk()?;
        let (kind, _) = tail.split_first_chunk()?;
        let length = usize::from(u16::from_ne_bytes(*length));
        if u16::from_ne_bytes(*kind) & TYPE_MASK == MESSAGE {
            let text = rest.get(4..length)?.split(|&byte| byte == 0).next()?;
            return Some(String::from_utf8_lossy(text).into_owned());
        }
        // A length that does not move forward would never end.
        rest = rest.get(padded(length).max(4)..)?;
    }
}

/// `NLMSGERR_ATTR_MSG`.
const MESSAGE: u16 = 1;
/// `NLA_TYPE_MASK`: the two highest bits are flags.
const TYPE_MASK: u16 = 0x3fff;

const fn padded(length: usize) -> usize {
    length.saturating_add(3) & !3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend((4 + value.len() as u16).to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(padded(bytes.len()), 0);
        bytes
    }

    fn body(attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = 18u32.to_ne_bytes().to_vec();
        bytes.resize(20, 0);
        bytes.extend(attributes.concat());
        bytes
    }

    #[test]
    fn the_text_is_found_behind_the_request_and_other_attributes() {
        let text = attribute(1, b"Nexthop has invalid gateway.\0");
        let found = extended_text(&body(&[attribute(2, &[1, 2, 3, 4]), attribute(3, b"x"), text]));
        assert_eq!(found.as_deref(), Some("Nexthop has invalid gateway."));
    }

    #[test]
    fn a_body_cut_off_anywhere_gives_no_text_and_no_panic() {
        let whole = body(&[attribute(2, &[1]), attribute(1, b"text\0")]);
        let length = whole.iter().rposition(|&byte| byte != 0).unwrap_or(0) + 1;
        for end in 0..length {
            assert_eq!(extended_text(&whole[..end]), None, "{end}");
        }
        assert_eq!(extended_text(&body(&[vec![0; 8]])), None);
        assert_eq!(extended_text(&[0xff; 64]), None);
    }
}
