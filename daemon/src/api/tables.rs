//! Tables that fill themselves (stations, neighbours), what may be done to them by hand, and the
//! counters.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use packet::Mac;
use serde::Deserialize;

use super::body;
use super::error::ApiError;
use super::query::{self, Asked, Named, value};
use crate::engine::{Engine, EngineError};
use control::message::{Changes, NeighborSpec, StationSpec};
use control::view::{DropView, NeighborEntry, StationView, StatsView, UnknownVtepView};
use labfile::{LabSpec, StaticSpec};

type Shared = State<Arc<Engine>>;
type Answer<T> = Result<Json<T>, ApiError>;

/// `?bridge=`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfBridge {
    bridge: Option<String>,
}

/// `GET /v1/fdb`
pub(super) async fn stations(
    State(engine): Shared,
    Asked(OfBridge { bridge }): Asked<OfBridge>,
) -> Answer<Vec<StationView>> {
    if let Some(name) = &bridge
        && !engine.spec().await.bridge.contains_key(name)
    {
        return Err(ApiError::unknown(format!("there is no bridge {name:?}")));
    }
    Ok(Json(engine.stations(bridge.as_deref()).await))
}

/// `POST /v1/fdb`: a static entry of the lab.
pub(super) async fn bind_station(
    State(engine): Shared,
    body::Json(wanted): body::Json<StationSpec>,
) -> Answer<Changes> {
    let mac: Mac = value("mac", &wanted.mac)?;
    let changes = engine.edit(false, |spec| {
        let StationSpec { port, remote, bridge, vlan, .. } = wanted;
        let home = match (spec.port.get(&port), spec.tunnel.get(&port)) {
            (Some(written), _) => written.bridge.clone(),
            (None, Some(written)) => written.bridge.clone(),
            (None, None) => return Err(no("port", &port)),
        };
        let routed = || EngineError::Conflict(format!("port {port:?} is on no bridge"));
        let name = bridge.or(home).ok_or_else(routed)?;
        let entry = StaticSpec { mac: mac.to_string(), port, remote, vlan };
        let vlan = vlan_of(spec, &entry);
        if bound(spec, &name, mac, vlan).is_some() {
            let sentence = format!("{mac} is bound on bridge {name:?} already: delete it first");
            return Err(EngineError::Conflict(sentence));
        }
        let bridge = spec.bridge.get_mut(&name).ok_or_else(|| no("bridge", &name))?;
        bridge.statics.push(entry);
        Ok(())
    });
    Ok(Json(Changes::from(changes.await?)))
}

/// `?bridge=&port=`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfBridgeAndPort {
    bridge: Option<String>,
    port: Option<String>,
}

/// `DELETE /v1/fdb`
pub(super) async fn flush_stations(
    State(engine): Shared,
    Asked(asked): Asked<OfBridgeAndPort>,
) -> Answer<Changes> {
    engine.flush_stations(asked.bridge.as_deref(), asked.port.as_deref()).await?;
    Ok(Json(Changes::default()))
}

/// `?bridge=&vlan=`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfBridgeAndVlan {
    bridge: String,
    #[serde(default)]
    vlan: u16,
}

/// `DELETE /v1/fdb/MAC`: from the lab when it is bound there, from memory otherwise.
pub(super) async fn forget_station(
    State(engine): Shared,
    Named(mac): Named,
    Asked(OfBridgeAndVlan { bridge, vlan }): Asked<OfBridgeAndVlan>,
) -> Answer<Changes> {
    let mac: Mac = value("mac", &mac)?;
    let vlan_id = query::vlan(vlan)?;
    let number = i64::from(vlan);
    // An edit that changes nothing would still make lost ports anew.
    if bound(&engine.spec().await, &bridge, mac, number).is_none() {
        engine.forget_station(&bridge, vlan_id, mac).await?;
        return Ok(Json(Changes::default()));
    }
    let changes = engine.edit(false, |spec| {
        if let Some(at) = bound(spec, &bridge, mac, number)
            && let Some(bridge) = spec.bridge.get_mut(&bridge)
        {
            bridge.statics.remove(at);
        }
        Ok(())
    });
    let changes = changes.await?;
    Ok(Json(Changes::from(changes)))
}

/// `GET /v1/neighbors`
pub(super) async fn neighbors(State(engine): Shared) -> Json<Vec<NeighborEntry>> {
    Json(engine.neighbors().await)
}

/// `POST /v1/neighbors`
pub(super) async fn bind_neighbor(
    State(engine): Shared,
    body::Json(wanted): body::Json<NeighborSpec>,
) -> Answer<Changes> {
    let mac = value("mac", &wanted.mac)?;
    engine.pin_neighbor(wanted.interface.as_deref(), wanted.address, mac).await?;
    Ok(Json(Changes::default()))
}

/// `DELETE /v1/neighbors`
pub(super) async fn flush_neighbors(State(engine): Shared) -> Answer<Changes> {
    engine.flush_neighbors().await?;
    Ok(Json(Changes::default()))
}

/// `?interface=`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfInterface {
    interface: Option<String>,
}

/// `DELETE /v1/neighbors/ADDRESS`
pub(super) async fn forget_neighbor(
    State(engine): Shared,
    Named(address): Named,
    Asked(OfInterface { interface }): Asked<OfInterface>,
) -> Answer<Changes> {
    let address: Ipv4Addr = value("address", &address)?;
    engine.forget_neighbor(interface.as_deref(), address).await?;
    Ok(Json(Changes::default()))
}

/// `GET /v1/stats`
pub(super) async fn stats(State(engine): Shared) -> Json<StatsView> {
    Json(engine.stats().await)
}

/// `GET /v1/drops`
pub(super) async fn drops(State(engine): Shared) -> Json<Vec<DropView>> {
    Json(engine.drops().await)
}

/// `GET /v1/unknown-vteps`
pub(super) async fn unknown_vteps(State(engine): Shared) -> Json<Vec<UnknownVtepView>> {
    Json(engine.unknown_vteps().await)
}

/// The place of a static entry among its bridge's.
fn bound(spec: &LabSpec, bridge: &str, mac: Mac, vlan: i64) -> Option<usize> {
    let entries = &spec.bridge.get(bridge)?.statics;
    entries.iter().position(|entry| entry.mac.parse() == Ok(mac) && vlan_of(spec, entry) == vlan)
}

/// The VLAN of a static entry: its own, or the one that its port or tunnel has without tags.
fn vlan_of(spec: &LabSpec, entry: &StaticSpec) -> i64 {
    let of_port = || spec.port.get(&entry.port).and_then(|port| port.vlan.or(port.native));
    let of_tunnel = || spec.tunnel.get(&entry.port).and_then(|tunnel| tunnel.vlan);
    entry.vlan.or_else(of_port).or_else(of_tunnel).unwrap_or(0)
}

fn no(kind: &str, name: &str) -> EngineError {
    EngineError::Unknown(format!("there is no {kind} {name:?}"))
}
