//! Ethernet addresses made from names, so that a lab has the same ones on every run and every machine.

use packet::Mac;

/// What an address is for; the same name in two roles has two addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The switch's own on a bridge.
    Bridge,
    /// The switch's own on a routed port.
    Router,
    /// The far end's device.
    Port,
}

/// A locally administered address, 02 and five bytes of a hash of role and name.
///
/// Among 1,000 names two meet about once in two million labs; the check then asks for one to be written.
pub(crate) fn mac(role: Role, name: &str) -> Mac {
    let salt = match role {
        Role::Bridge => b'b',
        Role::Router => b'r',
        Role::Port => b'p',
    };
    let mut hash = OFFSET;
    for byte in std::iter::once(salt).chain(name.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    }
    // FNV leaves its high bits poorly mixed for short names: fold and multiply once more (MurmurHash3's finalizer).
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let [a, b, c, d, e, ..] = (hash ^ (hash >> 33)).to_be_bytes();
    Mac([0x02, a, b, c, d, e])
}

/// 64-bit FNV-1a (draft-eastlake-fnv, section 2): fixed for all time, unlike the standard library's hasher.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn addresses_never_change_between_releases() {
        assert_eq!(mac(Role::Bridge, "br0").to_string(), "02:e7:82:c8:d5:74");
    }

    #[test]
    fn names_and_roles_have_distinct_addresses() {
        let mut seen = BTreeSet::new();
        for number in 0..10_000 {
            let name = format!("c{number}");
            for role in [Role::Bridge, Role::Router, Role::Port] {
                let mac = mac(role, &name);
                assert!(mac.is_station());
                assert!(seen.insert(mac), "{name}");
            }
        }
    }
}
