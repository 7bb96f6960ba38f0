//! Bytes from outside: whatever they are, the answer is a lab or a sentence.

use std::ops::Range;

use proptest::prelude::*;

use super::examples::EXAMPLES;
use crate::config::{Lab, LabSpec, parse};

/// A file that uses every key, so that a mutation can hit any of them.
const EVERY_KEY: &str = r#"
[switch]
workers = 2
flows = 1000
flows_per_host = 100
neighbors = 100
icmp_errors = 10
[switch.timeouts]
udp = 60
tcp_established = 600
tcp_transitory = 60
icmp = 30
neighbor_reachable = 10
neighbor_stale = 100
[bridge.br0]
router = ["10.0.0.1/24", "10.0.0.9/24"]
mac = "02:00:00:00:00:01"
mtu = 9000
ageing = 15
fdb_size = 10
forward = ["stp", "lldp"]
hub = false
[bridge.br0.vlan.10]
router = "10.0.10.1/24"
[[bridge.br0.static]]
mac = "02:00:00:00:00:99"
port = "a"
vlan = 10
[port.a]
bridge = "br0"
pid = 1557
device = "net0"
mac = "02:00:00:00:00:02"
mtu = 1500
native = 10
trunks = [10, 20]
vlan_mode = "native-untagged"
priority_tags = "always"
isolated = true
offload = false
[port.b]
router = "203.0.113.1/24"
router_mac = "02:00:00:00:00:03"
netns = "/run/netns/b"
address = ["203.0.113.2/24", "203.0.113.3/24"]
gateway = "203.0.113.1"
[port.c]
bridge = "br0"
host = true
master = "docker0"
vlan = 10
[port.d]
bridge = "br0"
interface = "veth_sw0"
mtu = 1400
[port.e]
bridge = "br0"
netns = "e"
link = "veth"
[tunnel.vx0]
bridge = "br0"
vni = 42
remotes = ["192.0.2.1", "192.0.2.2"]
local = "192.0.2.9"
port = 4790
vlan = 10
trunk = false
mtu = 1400
ttl = "inherit"
dscp = 46
df = false
checksum = "zero"
strict_reserved = true
arp_suppression = true
mss_clamp = true
learning = false
isolated = true
[[bridge.br0.static]]
mac = "02:00:00:00:00:98"
port = "vx0"
remote = "192.0.2.2"
[[route]]
to = "198.51.100.0/24"
via = "203.0.113.2"
out = "b"
[[route]]
to = "10.0.0.0/8"
reject = "prohibit"
[[masquerade]]
source = "10.0.0.0/24"
out = "b"
except = "10.0.0.0/8"
mapping = "address-and-port-dependent"
filtering = "endpoint-independent"
ports = "1024-2047"
parity = false
[[publish]]
listen = "b:53/udp"
to = "10.0.0.2"
"#;

#[test]
fn the_file_with_every_key_is_a_lab() {
    let lab = super::lab(EVERY_KEY);
    assert_eq!(lab.interfaces().len(), 3);
}

proptest! {
    #[test]
    fn random_bytes_are_refused_in_words(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        judge(&bytes);
    }

    #[test]
    fn random_words_of_a_lab_file_are_judged(text in "([\\[\\]=\"., 0-9/a\n-]|port|tunnel|vni|remotes|bridge|br0|netns|router|route|to|via|true|10\\.0\\.0\\.1/24){0,60}") {
        judge(text.as_bytes());
    }

    #[test]
    fn a_mutated_file_is_judged(
        which in 0..EXAMPLES.len() + 1,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, replacement()), 1..5),
    ) {
        let text = EXAMPLES.get(which).map_or(EVERY_KEY, |(_, text)| text);
        let mut bytes = text.as_bytes().to_vec();
        for (at, length, new) in cuts {
            let start = at.index(bytes.len() + 1);
            let end = (start + length).min(bytes.len());
            bytes.splice(Range { start, end }, new);
        }
        judge(&bytes);
    }

    #[test]
    fn a_file_with_lines_missing_or_moved_is_judged(
        which in 0..EXAMPLES.len() + 1,
        moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()), 1..6),
    ) {
        let text = EXAMPLES.get(which).map_or(EVERY_KEY, |(_, text)| text);
        let mut lines: Vec<&str> = text.lines().collect();
        for (from, to, keep) in moves {
            let line = lines.remove(from.index(lines.len()));
            if keep {
                lines.insert(to.index(lines.len() + 1), line);
            }
            lines.push("");
        }
        judge(lines.join("\n").as_bytes());
    }

    #[test]
    fn a_random_request_is_judged(text in "\\{(\"(port|bridge|tunnel|route|switch)\":(\\{\"a\":\\{\\}\\}|\\[\\{\\}\\]|\\{\\}|7),?)*\\}") {
        if let Ok(spec) = serde_json::from_str::<LabSpec>(&text)
            && let Err(error) = Lab::try_from(&spec)
        {
            assert!(!error.to_string().starts_with("lab.toml"));
        }
    }
}

fn replacement() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ]
}

/// Every problem has a position inside the file, a subject without control characters, and a remedy.
fn judge(bytes: &[u8]) {
    let Err(error) = parse(bytes, "lab.toml") else {
        return;
    };
    assert!(!error.problems().is_empty());
    let lines = bytes.split(|byte| *byte == b'\n').count();
    for problem in error.problems() {
        let position = problem.position.expect("a file has positions");
        assert!((1..=lines).contains(&position.line), "{error}");
        assert!(position.column >= 1);
        assert!(!problem.wrong.is_empty() && !problem.remedy.is_empty());
        assert!(!problem.to_string().contains(char::is_control), "{problem:?}");
    }
}

const WORDS: &[&str] =
    &["", "\"", "[", "]]", "0", "4095", "-1", "99999999999999999999", "/0", "/33", "\n", "=", "é"];
