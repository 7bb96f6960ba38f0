//! Ethernet addresses (IEEE 802 EUI-48).

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// A 48-bit Ethernet address, in wire order.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// All ones: every station.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// All zeros: nobody; never a legal source.
    pub const ZERO: Self = Self([0; 6]);

    /// Whether this names a group of stations (the I/G bit), which includes broadcast.
    #[inline]
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether this is the all-ones address.
    #[inline]
    pub fn is_broadcast(self) -> bool {
        self == Self::BROADCAST
    }

    /// Whether a station may bear it: neither a group nor zero.
    #[inline]
    pub fn is_station(self) -> bool {
        !self.is_group() && self != Self::ZERO
    }

    /// The last nibble of an address in 01:80:C2:00:00:00-0F, which IEEE 802.1Q-2018 table 8-1
    /// keeps from being forwarded by bridges; `None` for every other address.
    #[inline]
    pub const fn reserved(self) -> Option<u8> {
        match self.0 {
            [0x01, 0x80, 0xc2, 0x00, 0x00, low @ 0..=0x0f] => Some(low),
            _ => None,
        }
    }

    /// The address as a number of 48 bits, most significant byte first.
    #[inline]
    pub const fn to_u64(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// The address whose 48 bits are the low bits of `bits`.
    pub const fn from_u64(bits: u64) -> Self {
        let [_, _, a, b, c, d, e, f] = bits.to_be_bytes();
        Self([a, b, c, d, e, f])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not six hexadecimal bytes between colons or hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAMac;

impl fmt::Display for NotAMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an Ethernet address: write six hexadecimal bytes, as in 02:00:00:00:00:01")
    }
}

impl core::error::Error for NotAMac {}

impl FromStr for Mac {
    type Err = NotAMac;

    fn from_str(text: &str) -> Result<Self, NotAMac> {
        let mut bytes = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().ok_or(NotAMac)?;
            if part.is_empty() || part.len() > 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(NotAMac);
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| NotAMac)?;
        }
        if parts.next().is_some() { Err(NotAMac) } else { Ok(Self(bytes)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_address_are_inverse() {
        let mac = Mac([0x02, 0, 0xab, 0xcd, 0xef, 0x09]);
        assert_eq!("02:00:ab:cd:ef:09".parse(), Ok(mac));
        assert_eq!("2-0-AB-cd-ef-9".parse(), Ok(mac));
        assert_eq!(mac.to_string(), "02:00:ab:cd:ef:09");
        assert_eq!(Mac::from_u64(mac.to_u64()), mac);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "02:00:00:00:00", "02:00:00:00:00:00:00", "02:00:00:00:00:0g", "+2:0:0:0:0:0"]
        {
            assert_eq!(text.parse::<Mac>(), Err(NotAMac), "{text}");
        }
    }

    #[test]
    fn reserved_group_addresses_are_the_sixteen() {
        assert_eq!("01:80:c2:00:00:0e".parse::<Mac>().map(Mac::reserved), Ok(Some(14)));
        assert_eq!("01:80:c2:00:00:10".parse::<Mac>().map(Mac::reserved), Ok(None));
    }
}
