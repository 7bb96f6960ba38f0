//! The namespaces that a lab's ports stand in: which were made here, and how the others were found.
//!
//! # Theory of operation
//! A namespace is entered by the first of its ports and left by the last. On entering, before
//! anything is changed, it is noted whether it was made here and, if not, whether `lo` was down and
//! where its default route led. On leaving, a namespace that was made here goes, and one that was
//! found gets back what was noted; one whose name shows another namespace by now is let alone. A
//! port that has lost its device has not left: whoever lives in the namespace finds the port there
//! again after the next apply.
//!
//! Nothing is taken from anybody: a namespace that was made here stays when a process lives in it,
//! when it holds a device that is neither ours nor the kernel's own, or when another daemon has
//! marked it as used; a default route that somebody has set meanwhile is let alone. What stays is
//! found by the next daemon, as it would be had this one been killed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use os::links::Links;
use os::netns::{self, Inhabitants, Netns, NetnsError, Place};

use super::cable::CableError;
use super::machine::DeviceTable;
use labfile::{self, Attach, Name, Port};

/// A namespace that was made here.
#[derive(Debug)]
struct Made {
    name: String,
    /// The devices that the kernel had put there by itself, `lo` among them.
    devices: BTreeSet<u32>,
}

/// The namespaces in use, by inode, and what is seen in them.
#[derive(Debug, Default)]
pub(super) struct Places {
    entered: BTreeMap<u64, Entered>,
    tables: BTreeMap<u64, DeviceTable>,
    /// The daemon's own, whose table is kept once any port was there.
    own: Option<u64>,
}

/// A namespace to make a port's device in, with netlink there and in the daemon's own.
pub(super) struct Site {
    pub(super) netns: Netns,
    pub(super) links: Arc<Links>,
    pub(super) own: Arc<Links>,
}

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
    /// Finds or makes the namespace of a port, and takes note of it. A port that was in another one
    /// leaves that.
    pub(super) async fn enter(&mut self, port: &Port) -> Result<Site, CableError> {
        let own = self.look_at_own().await?;
        let (netns, made) = find(&port.attach)?;
        let inode = netns.inode();
        let entered = match self.entered.remove(&inode) {
            Some(entered) => Ok(entered),
            None => self.note(&netns, &port.attach, made.clone()).await,
        };
        let has_routes = port.attach.netns().is_some() || port.gateway.is_some();
        let seen = match entered {
            Ok(mut entered) => {
                entered.ports.insert(port.name.clone());
                self.entered.insert(inode, entered);
                self.look_at(&netns, has_routes).await
            }
            Err(error) => Err(error),
        };
        match seen {
            Ok(links) => {
                self.leave_all_but(&port.name, inode).await;
                Ok(Site { netns, links, own })
            }
            Err(error) => {
                if let Some(name) = made {
                    self.entered.remove(&inode);
                    remove(&name);
                }
                Err(error)
            }
        }
    }

    /// Netlink in the daemon's own namespace, whose table is kept from now on.
    pub(super) async fn look_at_own(&mut self) -> Result<Arc<Links>, CableError> {
        let own = Netns::open(&Place::Current)?;
        self.own = Some(own.inode());
        self.look_at(&own, false).await
    }

    async fn look_at(&mut self, netns: &Netns, has_routes: bool) -> Result<Arc<Links>, CableError> {
        if let Some(table) = self.tables.get(&netns.inode())
            && table.shows(has_routes)
        {
            return Ok(Arc::clone(table.links()));
        }
        let table = DeviceTable::open(netns, has_routes).await?;
        let links = Arc::clone(table.links());
        self.tables.insert(netns.inode(), table);
        Ok(links)
    }

    /// What is seen in a namespace in use.
    pub(super) fn table(&self, netns: &Netns) -> Option<&DeviceTable> {
        self.tables.get(&netns.inode())
    }

    /// What is seen in the daemon's own namespace.
    pub(super) fn own_table(&self) -> Option<&DeviceTable> {
        self.tables.get(&self.own?)
    }

    /// Something has changed in a namespace, and in the daemon's own: the kernel is about to say
    /// so.
    pub(super) fn distrust(&mut self, netns: &Netns) {
        let places = [Some(netns.inode()), self.own];
        for place in places.into_iter().flatten() {
            if let Some(table) = self.tables.get_mut(&place) {
                table.distrust();
            }
        }
    }

    /// Looks again where something has changed.
    pub(super) async fn refresh(&mut self) {
        for table in self.tables.values_mut() {
            table.look().await;
        }
    }

    /// Every port was looked at: what was moved away is of no more interest.
    pub(super) fn forget_moved(&mut self) {
        self.tables.values_mut().for_each(DeviceTable::forget_moved);
    }

    /// Ports are gone for good; the last one leaves the namespace as it was found.
    pub(super) async fn leave(&mut self, ports: &BTreeSet<Name>) {
        for entered in self.entered.values_mut() {
            entered.ports.retain(|port| !ports.contains(port));
        }
        self.put_back().await;
    }

    /// All ports are gone.
    pub(super) async fn clear(&mut self) {
        self.entered.values_mut().for_each(|entered| entered.ports.clear());
        self.put_back().await;
    }

    async fn leave_all_but(&mut self, port: &Name, inode: u64) {
        for (other, entered) in &mut self.entered {
            if *other != inode {
                entered.ports.remove(port);
            }
        }
        self.put_back().await;
    }

    async fn put_back(&mut self) {
        let empty: Vec<Entered> = self
            .entered
            .extract_if(.., |_, entered| entered.ports.is_empty())
            .map(|it| it.1)
            .collect();
        if empty.is_empty() {
            return;
        }
        let inhabitants = Inhabitants::now();
        for entered in empty {
            let inode = entered.netns.inode();
            if self.own != Some(inode) {
                self.tables.remove(&inode);
            }
            entered.put_back(&inhabitants).await;
        }
    }

    /// How a namespace is before anything is changed in it.
    async fn note(
        &mut self,
        netns: &Netns,
        attach: &Attach,
        made: Option<String>,
    ) -> Result<Entered, CableError> {
        // The daemon's own `lo` is never touched.
        let in_netns = attach.netns().is_some();
        let links = self.look_at(netns, in_netns).await?;
        let default_route = links.default_route().await?;
        let table = self.table(netns);
        let lo = table.and_then(|table| table.named("lo"));
        let loopback_was_down = in_netns && lo.is_some_and(|lo| !lo.up);
        let devices =
            || table.into_iter().flat_map(DeviceTable::devices).map(|link| link.index).collect();
        let made = made.map(|name| Made { name, devices: devices() });
        let (netns, ports) = (netns.clone(), BTreeSet::new());
        Ok(Entered { netns, ports, made, loopback_was_down, default_route })
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
