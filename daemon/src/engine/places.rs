//! The namespaces that a lab's ports stand in: which were made here, and how the others were found.
//!
//! # Theory of operation
//! A namespace is entered by the first of its ports and left by the last. On entering, before anything is changed, it
//! is noted whether it was made here and, if not, whether `lo` was down and where its default route led. On leaving, a
//! namespace that was made here goes, and one that was found gets back what was noted; one whose name shows another
//! namespace by now is let alone. A port that has lost its device has not left: whoever lives in the namespace finds
//! the port there again after the next apply.
//!
//! Nothing is taken from anybody: a namespace that was made here stays when a process lives in it, when it holds a
//! device that is neither ours nor the kernel's own, or when another daemon has marked it as used; a default route that
//! somebody has set meanwhile is let alone. What stays is found by the next daemon, as it would be had this one been
//! killed.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use os::links::Links;
use os::netns::{self, Inhabitants, Netns, NetnsError, Place};

use super::cable::CableError;
use labfile::{self, Attach, Name};

/// A namespace that was made here.
#[derive(Debug)]
struct Made {
    name: String,
    /// The devices that the kernel had put there by itself, `lo` among them.
    devices: BTreeSet<u32>,
}

/// The namespaces in use.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<Entered>);

#[derive(Debug)]
struct Entered {
    netns: Netns,
    ports: BTreeSet<Name>,
    /// It was made for this lab.
    made: Option<Made>,
    loopback_was_down: bool,
    default_route: Option<(Ipv4Addr, u32)>,
}

impl Places {
    /// Finds or makes the namespace of a port, and takes note of it. A port that was in another one leaves that.
    pub(super) async fn enter(
        &mut self,
        port: &Name,
        attach: &Attach,
    ) -> Result<Netns, CableError> {
        let (netns, made) = find(attach)?;
        if let Some(known) = self.0.iter_mut().find(|entered| entered.netns == netns) {
            known.ports.insert(port.clone());
            self.leave_all_but(port, &netns).await;
            return Ok(netns);
        }
        let noted = match note(&netns, attach, made.clone()).await {
            Ok(noted) => noted,
            Err(error) => {
                if let Some(name) = made {
                    remove(&name);
                }
                return Err(error);
            }
        };
        self.0.push(Entered { ports: BTreeSet::from([port.clone()]), ..noted });
        self.leave_all_but(port, &netns).await;
        Ok(netns)
    }

    /// Ports are gone for good; the last one leaves the namespace as it was found.
    pub(super) async fn leave(&mut self, ports: &BTreeSet<Name>) {
        for entered in &mut self.0 {
            entered.ports.retain(|port| !ports.contains(port));
        }
        self.put_back().await;
    }

    /// All ports are gone.
    pub(super) async fn clear(&mut self) {
        self.0.iter_mut().for_each(|entered| entered.ports.clear());
        self.put_back().await;
    }

    async fn leave_all_but(&mut self, port: &Name, netns: &Netns) {
        for entered in self.0.iter_mut().filter(|entered| entered.netns != *netns) {
            entered.ports.remove(port);
        }
        self.put_back().await;
    }

    async fn put_back(&mut self) {
        let (empty, used) = core::mem::take(&mut self.0)
            .into_iter()
            .partition::<Vec<_>, _>(|entered| entered.ports.is_empty());
        self.0 = used;
        if empty.is_empty() {
            return;
        }
        let inhabitants = Inhabitants::now();
        for entered in empty {
            entered.put_back(&inhabitants).await;
        }
    }
}

impl Entered {
    async fn put_back(self, inhabitants: &Inhabitants) {
        // A name may by now belong to another namespace, which somebody else made.
        if !self.netns.still_exists() {
            return;
        }
        if let Some(made) = &self.made {
            return match self.in_the_way(made, inhabitants).await {
                None => remove(&made.name),
                Some(what) => tracing::warn!(
                    "namespace {0} stays, though it was made for this lab: {what}; when nobody needs it any more, \
                     remove it with `ip netns del {0}`",
                    made.name
                ),
            };
        }
        if self.default_route.is_none() && !self.loopback_was_down {
            return;
        }
        let Ok(links) = Links::open(&self.netns).await else { return };
        if let Some((gateway, index)) = self.default_route
            && let Ok(None) = links.default_route().await
            && let Err(error) = links.set_default_route(gateway, index).await
        {
            tracing::warn!(
                "{}: the default route found there cannot be put back: {error}",
                self.netns
            );
        }
        if self.loopback_was_down
            && let Ok(Some(lo)) = links.find("lo").await
            && let Err(error) = links.set_down(lo.index).await
        {
            tracing::warn!("{}: lo cannot be set down again: {error}", self.netns);
        }
    }

    /// What would be taken from somebody with a namespace that was made here.
    async fn in_the_way(&self, made: &Made, inhabitants: &Inhabitants) -> Option<String> {
        if let Some(inhabitant) = inhabitants.of(&self.netns) {
            return Some(format!("{inhabitant} lives in it"));
        }
        let devices = match Links::open(&self.netns).await {
            Ok(links) => links.list().await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let foreign = match devices {
            Ok(devices) => devices.into_iter().find(|link| !made.devices.contains(&link.index)),
            Err(error) => return Some(format!("its devices cannot be listed ({error})")),
        };
        if let Some(link) = foreign {
            return Some(format!("device {} in it is somebody else's", link.name));
        }
        // Asked last: from here on nobody of our kind enters it.
        self.netns.is_used_by_others().then(|| "another daemon has it in its lab".to_owned())
    }
}

/// How a namespace is before anything is changed in it.
async fn note(netns: &Netns, attach: &Attach, made: Option<String>) -> Result<Entered, CableError> {
    let links = open(netns).await?;
    let default_route = links.default_route().await?;
    let lo = links.find("lo").await?;
    // The daemon's own `lo` is never touched.
    let in_netns = attach.netns().is_some();
    let loopback_was_down = in_netns && lo.is_some_and(|lo| !lo.up);
    let made = match made {
        Some(name) => {
            let devices = links.list().await?.into_iter().map(|link| link.index).collect();
            Some(Made { name, devices })
        }
        None => None,
    };
    let (netns, ports) = (netns.clone(), BTreeSet::new());
    Ok(Entered { netns, ports, made, loopback_was_down, default_route })
}

/// Opens or makes a namespace and marks it as used; the name, if it was made.
fn find(attach: &Attach) -> Result<(Netns, Option<String>), NetnsError> {
    let mut found = look(attach)?;
    // Whoever made it may have taken the name away meanwhile; then it is made here.
    for _ in 0..TRIES {
        if found.0.mark_used() {
            break;
        }
        found = look(attach)?;
    }
    Ok(found)
}

fn look(attach: &Attach) -> Result<(Netns, Option<String>), NetnsError> {
    match attach {
        Attach::Host { .. } | Attach::Interface(_) => Ok((Netns::open(&Place::Current)?, None)),
        Attach::Netns(netns) | Attach::Veth(netns) => match netns {
            labfile::Netns::Name(name) => {
                let (netns, made) = Netns::ensure(name)?;
                Ok((netns, made.then(|| name.clone())))
            }
            labfile::Netns::Path(path) => Ok((Netns::open(&Place::Path(path.clone()))?, None)),
            labfile::Netns::Pid(pid) => Ok((Netns::open(&Place::Pid(*pid))?, None)),
        },
    }
}

/// Netlink in a namespace.
pub(super) async fn open(netns: &Netns) -> Result<Links, CableError> {
    let opened = Links::open(netns).await;
    opened.map_err(|error| CableError::Netlink { place: netns.to_string(), error })
}

fn remove(name: &str) {
    if let Err(error) = netns::remove(name) {
        tracing::warn!("namespace {}, made for this lab, stays: {error}", name);
    }
}

/// Times that a name is looked up which somebody takes away at that moment.
const TRIES: usize = 3;
