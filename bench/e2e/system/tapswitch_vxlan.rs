//! This switch twice, a daemon on each of two hosts, with a tunnel between them.

use anyhow::Result;

use super::hosts::{Host, Hosts, VNI};
use super::{Running, Surroundings, WIDE, iproute, tapswitch};

/// Whether the binary has been built, and what the hosts are made with is there.
pub(super) fn missing(surroundings: &Surroundings) -> Option<String> {
    tapswitch::missing(surroundings).or_else(|| iproute::missing(surroundings))
}

/// Both hosts, each with its daemon inside.
pub(super) fn build(surroundings: &Surroundings) -> Result<Running> {
    let hosts = Hosts::new()?;
    let mut processes = Vec::new();
    let mut directories = Vec::new();
    for host in hosts.both() {
        let lab = lab(host);
        // A child is born where the thread is that makes it.
        let (process, directory) = host.room.run(|| tapswitch::start(surroundings, &lab))??;
        processes.push(process);
        directories.push(directory);
    }
    Ok(hosts.running(processes, directories))
}

fn lab(host: &Host) -> String {
    format!(
        r#"
[bridge.br0]

[port.inner]
bridge = "br0"
netns = "{}"
address = "{}/{WIDE}"

[tunnel.vx0]
bridge = "br0"
vni = {VNI}
remotes = ["{}"]
"#,
        host.inner.name(),
        host.inner_address,
        host.remote
    )
}
