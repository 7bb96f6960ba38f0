//! Which of two parts of a lab was there first: whoever typed the other one is told that it is
//! wrong.
//!
//! In a file, what stands further down is the later; in a request, what differs from the lab that
//! runs.

use std::collections::BTreeMap;

use super::place::{Place, Tree};
use super::spec::LabSpec;

/// Ranks of parts: of two that cannot both be, the one with the higher rank is refused.
#[derive(Debug, Default)]
pub(super) struct Recency {
    bridges: BTreeMap<String, usize>,
    ports: BTreeMap<String, usize>,
    tunnels: BTreeMap<String, usize>,
    /// By index; a list's own order counts where nothing is here.
    publish: Vec<usize>,
}

impl Recency {
    /// Of a file.
    pub(super) fn in_file(spec: &LabSpec, tree: &Tree<'_>) -> Self {
        let ranks = |kind: &str, names: Vec<&String>| {
            let place = |name: &String| Place::root().key(kind).key(name);
            names.into_iter().map(|name| (name.clone(), tree.offset(&place(name)))).collect()
        };
        Self {
            bridges: ranks("bridge", spec.bridge.keys().collect()),
            ports: ranks("port", spec.port.keys().collect()),
            tunnels: ranks("tunnel", spec.tunnel.keys().collect()),
            publish: Vec::new(),
        }
    }

    /// Of what is wanted while `running` runs.
    pub(super) fn since(running: &LabSpec, wanted: &LabSpec) -> Self {
        Self {
            bridges: changed(&running.bridge, &wanted.bridge),
            ports: changed(&running.port, &wanted.port),
            tunnels: changed(&running.tunnel, &wanted.tunnel),
            publish: wanted
                .publish
                .iter()
                .map(|rule| usize::from(!running.publish.contains(rule)))
                .collect(),
        }
    }

    pub(super) fn bridge(&self, name: &str) -> usize {
        self.bridges.get(name).copied().unwrap_or_default()
    }

    pub(super) fn port(&self, name: &str) -> usize {
        self.ports.get(name).copied().unwrap_or_default()
    }

    pub(super) fn tunnel(&self, name: &str) -> usize {
        self.tunnels.get(name).copied().unwrap_or_default()
    }

    pub(super) fn publish(&self, index: usize) -> usize {
        self.publish.get(index).copied().unwrap_or_default()
    }
}

fn changed<T: PartialEq>(
    running: &BTreeMap<String, T>,
    wanted: &BTreeMap<String, T>,
) -> BTreeMap<String, usize> {
    let rank =
        |(name, part): (&String, &T)| (name.clone(), usize::from(running.get(name) != Some(part)));
    wanted.iter().map(rank).collect()
}
