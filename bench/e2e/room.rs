//! A room: one network namespace with a name nobody else uses, gone when the value is dropped.
//!
//! The name holds this process's number, so that what a killed run left behind is recognised and
//! swept by the next.

use std::fs;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use os::links::Links;
use os::netns::{self, Netns};
use packet::Ipv4Net;
use tokio::runtime;

/// A namespace of our own.
#[derive(Debug)]
pub(crate) struct Room {
    name: String,
    netns: Netns,
}

impl Room {
    /// An empty one. `role` ends its name, for people who look on.
    pub(crate) fn new(role: &str) -> Result<Self> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{serial}-{role}", process::id());
        let netns = Netns::create(&name)?;
        Ok(Self { name, netns })
    }

    /// The name, as `ip netns` shows it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The namespace itself.
    pub(crate) fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Runs `task` inside: sockets that it makes stay there, whichever thread uses them.
    pub(crate) fn run<T: Send>(&self, task: impl FnOnce() -> T + Send) -> Result<T> {
        let entered = self.netns.run(task);
        entered.with_context(|| format!("cannot enter namespace `{}`", self.name))
    }

    /// Keeps its devices from announcing themselves by IPv6: hundreds that do so at a time load a
    /// switch for seconds.
    pub(crate) fn silence(&self) -> Result<()> {
        let written = self.run(|| {
            ["all", "default"].into_iter().try_for_each(|which| {
                fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1")
            })
        })?;
        written.with_context(|| format!("cannot switch off IPv6 in `{}`", self.name))
    }

    /// Gives a device an address and switches it on.
    pub(crate) fn configure(&self, device: &str, address: Ipv4Net) -> Result<()> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let links = Links::open(&self.netns).await?;
            let found = links.find(device).await?;
            let index = found.with_context(|| format!("{} has no {device}", self.name))?.index;
            links.add_address(index, address).await?;
            links.set_up(index).await?;
            Ok(())
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Err(error) = netns::remove(&self.name) {
            eprintln!("e2e: {error}");
        }
    }
}

/// Removes the rooms of earlier runs that were killed before they could.
pub(crate) fn sweep() -> Result<()> {
    for name in netns::list()? {
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let Some(owner) = owner.and_then(|owner| owner.parse::<u32>().ok()) else {
            continue;
        };
        if !Path::new("/proc").join(owner.to_string()).exists() {
            netns::remove(&name)?;
        }
    }
    Ok(())
}

const PREFIX: &str = "tapswitch-e2e-";
