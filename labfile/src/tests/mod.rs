//! Whole files: what they mean, and what they are refused with.

mod examples;
mod meaning;
mod recency;
mod renumber;
mod robust;
mod sentences;
mod threads;
mod tunnels;

use super::{ConfigError, Lab, parse};

/// The lab that a text means.
fn lab(text: &str) -> Lab {
    match parse(text.as_bytes(), "lab.toml") {
        Ok(lab) => lab,
        Err(error) => panic!("{error}\n\n{text}"),
    }
}

/// Why a text is refused.
fn refusal(text: &str) -> ConfigError {
    parse(text.as_bytes(), "lab.toml").expect_err(text)
}

/// A bridge with a router, a port on it, and a routed port, for tests to add to.
const BASE: &str = r#"
[bridge.br0]
router = "192.168.0.1/24"
[port.red]
bridge = "br0"
netns = "red"
address = "192.168.0.2/24"
[port.wan]
router = "203.0.113.1/24"
netns = "net"
address = "203.0.113.254/24"
"#;
