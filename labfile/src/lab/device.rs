//! Names of network devices, by the kernel's rules.

use std::fmt;
use std::str::FromStr;

/// 1 to 15 printable ASCII characters without `/`, `:` and `%`; not "." or "..", and not "lo".
///
/// The kernel's own rule (`dev_valid_name`) allows more bytes; `%` is refused because the kernel
/// would number the device itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device(String);

impl Device {
    /// "ts-" and at most twelve more bytes that the name of a bridge or port may have, all of which
    /// a device's may too.
    pub(super) fn near_end(rest: &str) -> Self {
        let mut name = format!("ts-{rest}");
        name.truncate(LONGEST);
        Self(name)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for Device {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Why a text cannot name a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotADevice {
    /// No character at all.
    #[error("is empty")]
    Empty,
    /// More than 15 bytes, IFNAMSIZ less its terminator.
    #[error("is longer than 15 bytes")]
    TooLong,
    /// A character that the kernel refuses or interprets.
    #[error("has a character that a device name cannot have")]
    Character,
    /// "." and ".." are directories in sysfs; "lo" exists in every namespace.
    #[error("is taken by the kernel")]
    Reserved,
}

impl FromStr for Device {
    type Err = NotADevice;

    fn from_str(text: &str) -> Result<Self, NotADevice> {
        let legal = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':' | b'%');
        match text {
            "" => Err(NotADevice::Empty),
            "." | ".." | "lo" => Err(NotADevice::Reserved),
            _ if text.len() > LONGEST => Err(NotADevice::TooLong),
            _ if !text.bytes().all(legal) => Err(NotADevice::Character),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

/// IFNAMSIZ is 16 bytes with the terminating zero.
const LONGEST: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_limits_hold() {
        assert!("eth0".parse::<Device>().is_ok());
        assert!("a23456789012345".parse::<Device>().is_ok());
        assert_eq!("a234567890123456".parse::<Device>(), Err(NotADevice::TooLong));
        assert_eq!("".parse::<Device>(), Err(NotADevice::Empty));
        assert_eq!("..".parse::<Device>(), Err(NotADevice::Reserved));
        assert_eq!("lo".parse::<Device>(), Err(NotADevice::Reserved));
        for text in ["a/b", "a b", "a:b", "tap%d", "é"] {
            assert_eq!(text.parse::<Device>(), Err(NotADevice::Character), "{text}");
        }
    }
}
