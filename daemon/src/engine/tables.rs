//! What is learned and not written: stations and neighbours, forgotten or bound by hand while the
//! lab runs.
//!
//! Nothing here is part of the lab, so nothing here survives the interface or the bridge that it
//! hangs on. Names are turned into the switch's numbers while the lab is held still.

use std::net::Ipv4Addr;

use packet::{BridgeId, InterfaceId, Mac, PortId, VlanId};
use switch::Change;

use super::{Engine, EngineError, Running};

impl Engine {
    /// Forgets learned stations: of one bridge, of one port, or all. Entries that somebody bound
    /// stay.
    ///
    /// # Errors
    /// A name that nobody has.
    pub async fn flush_stations(
        &self,
        bridge: Option<&str>,
        port: Option<&str>,
    ) -> Result<(), EngineError> {
        let running = self.running.lock().await;
        let bridge = bridge.map(|name| running.bridge(name)).transpose()?;
        let port = port.map(|name| running.port(name)).transpose()?;
        Ok(self.plane.apply(vec![Change::FlushStations(bridge, port)])?)
    }

    /// Forgets one learned station.
    ///
    /// # Errors
    /// A bridge that is not there, or a station that it does not know.
    pub async fn forget_station(
        &self,
        bridge: &str,
        vlan: VlanId,
        mac: Mac,
    ) -> Result<(), EngineError> {
        let running = self.running.lock().await;
        let bridge = running.bridge(bridge)?;
        Ok(self.plane.apply(vec![Change::DeleteStation(bridge, vlan, mac)])?)
    }

    /// Binds a neighbour to a MAC address until it is forgotten by hand. The interface is the one
    /// whose subnet the address is in, unless it is named.
    ///
    /// # Errors
    /// No such interface, no such subnet, or a MAC address that cannot be a station's.
    pub async fn pin_neighbor(
        &self,
        interface: Option<&str>,
        address: Ipv4Addr,
        mac: Mac,
    ) -> Result<(), EngineError> {
        let running = self.running.lock().await;
        let interface = running.interface_of(interface, address)?;
        Ok(self.plane.apply(vec![Change::PinNeighbor(interface, address, mac)])?)
    }

    /// Forgets one neighbour, bound or not; the interface as in [`Engine::pin_neighbor`].
    ///
    /// # Errors
    /// No such interface, or no such neighbour.
    pub async fn forget_neighbor(
        &self,
        interface: Option<&str>,
        address: Ipv4Addr,
    ) -> Result<(), EngineError> {
        let running = self.running.lock().await;
        let interface = running.interface_of(interface, address)?;
        Ok(self.plane.apply(vec![Change::DeleteNeighbor(interface, address)])?)
    }

    /// Forgets every neighbour that nobody bound.
    ///
    /// # Errors
    /// None that is known.
    pub async fn flush_neighbors(&self) -> Result<(), EngineError> {
        Ok(self.plane.apply(vec![Change::FlushNeighbors])?)
    }
}

impl Running {
    fn bridge(&self, name: &str) -> Result<BridgeId, EngineError> {
        let unknown = || EngineError::Unknown(format!("there is no bridge {name:?}"));
        self.ids.known_bridge(name).ok_or_else(unknown)
    }

    pub(super) fn port(&self, name: &str) -> Result<PortId, EngineError> {
        let unknown = || EngineError::Unknown(format!("there is no port and no tunnel {name:?}"));
        self.ids.known_port(name).ok_or_else(unknown)
    }

    fn interface_of(
        &self,
        name: Option<&str>,
        address: Ipv4Addr,
    ) -> Result<InterfaceId, EngineError> {
        let interfaces = self.lab.interfaces();
        let wanted = |interface: &&labfile::Interface<'_>| match name {
            Some(name) => interface.name.to_string() == name,
            None => interface.addresses.iter().any(|net| net.contains(&address)),
        };
        let found = interfaces.iter().find(wanted);
        let id = found.and_then(|interface| self.ids.known_interface(&interface.name));
        id.ok_or_else(|| {
            EngineError::Unknown(match name {
                Some(name) => format!("the switch has no address on an interface {name:?}"),
                None => format!("{address} is in no subnet of the switch"),
            })
        })
    }
}
