//! Nothing that this machine's firewall or its settings do can break a lab.

use crate::daemon::Daemon;
use crate::traffic::{every_way, lab};
use crate::world::{World, skip, world};

/// Every packet that the kernel would forward, route or bridge itself is dropped.
const RULES: &str = "
table inet filter {
    chain forward { type filter hook forward priority 0; policy drop; }
}
table ip nat {
    chain postrouting { type nat hook postrouting priority 100; policy drop; }
    chain prerouting { type nat hook prerouting priority -100; policy drop; }
}
";

#[test]
fn a_firewall_that_forwards_nothing_changes_nothing() {
    let Some(world) = world() else { return };
    set(&world, "net/ipv4/ip_forward", "0");
    if !set(&world, "net/bridge/bridge-nf-call-iptables", "1") {
        skip("this kernel has no net.bridge.bridge-nf-call-iptables");
    }
    let rules = world.file(RULES);
    match world.program("nft", &["-f", rules.to_str().unwrap()]) {
        Some(finished) => {
            finished.ok();
        }
        None => skip("there is no `nft` to load a ruleset with"),
    }
    let _daemon = Daemon::with(&world, &lab(true, 1500));
    every_way(&world, 1500, crate::transfer::WHOLE);
    let value = |path: &str| world.run(|| std::fs::read_to_string(format!("/proc/sys/{path}")));
    assert_eq!(value("net/ipv4/ip_forward").unwrap().trim(), "0", "nobody switched it on");
    if let Some(listed) = world.program("nft", &["list", "ruleset"]) {
        let listed = listed.ok();
        assert_eq!(listed.matches("chain").count(), 3, "nobody added a rule:\n{listed}");
    }
}

/// Sets a value in the daemon's own namespace; `false` when there is no such setting.
fn set(world: &World, path: &str, value: &str) -> bool {
    match os::sysctl::set_in(world.here().netns(), path, value) {
        Ok(()) => true,
        Err(os::sysctl::SysctlError::Missing { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}
