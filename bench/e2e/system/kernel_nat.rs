//! The kernel's own NAT: a router in a namespace of its own that masquerades a bridge out of a
//! veth, by nftables.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::iproute::{self, ip};
use super::{FAR, NEAR, Running, Surroundings, kernel};
use crate::room::Room;

/// Whether what it is made with is there.
pub(super) fn missing(surroundings: &Surroundings) -> Option<String> {
    let words = "`nft` is missing: install the Debian package nftables";
    let nft = || Command::new("nft").arg("--version").output().is_err();
    iproute::missing(surroundings).or_else(|| nft().then(|| words.into()))
}

/// Three namespaces: inside, outside, and the router with its bridge between them.
pub(super) fn build() -> Result<Running> {
    let near = Room::new("a")?;
    let far = Room::new("b")?;
    let router = Room::new("router")?;
    ip(&["-n", router.name(), "link", "add", "br0", "up", "type", "bridge"])?;
    kernel::enslave(&near, &router, "port0", &[])?;
    kernel::wire(&far, &router, "out0", &[])?;
    router.configure("br0", packet::Ipv4Net::new(INSIDE.into(), 24)?)?;
    router.configure("out0", packet::Ipv4Net::new(OUTSIDE.into(), 24)?)?;
    near.configure("eth0", packet::Ipv4Net::new(NEAR, 24)?)?;
    far.configure("eth0", packet::Ipv4Net::new(FAR, 24)?)?;
    let gateway = std::net::Ipv4Addr::from(INSIDE).to_string();
    ip(&["-n", near.name(), "route", "add", "default", "via", &gateway])?;
    os::sysctl::set_in(router.netns(), "net/ipv4/ip_forward", "1")?;
    masquerade(&router)?;
    Ok(Running { processes: Vec::new(), near, far, others: Vec::new(), _rest: Box::new(router) })
}

fn masquerade(router: &Room) -> Result<()> {
    let directory = tempfile::Builder::new().prefix("tapswitch-e2e-").tempdir()?;
    let rules = directory.path().join("rules.nft");
    fs::write(&rules, RULES).with_context(|| format!("cannot write {}", rules.display()))?;
    let mut nft = Command::new("nft");
    nft.arg("-f").arg(&rules);
    let output = router.run(|| nft.output())?.context("cannot run nft")?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`nft` failed: {}", words.trim());
    Ok(())
}

const INSIDE: [u8; 4] = [192, 168, 76, 1];
const OUTSIDE: [u8; 4] = [192, 168, 77, 1];
const RULES: &str = r#"
table ip lab {
    chain out {
        type nat hook postrouting priority 100
        policy accept
        ip saddr 192.168.76.0/24 oifname "out0" masquerade
    }
}
"#;
