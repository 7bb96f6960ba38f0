//! What has a name of its own in a lab: bridges, ports and tunnels, with the same verbs.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use packet::Ipv4Net;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::body;
use super::error::ApiError;
use super::query::{self, Asked, Named, value};
use crate::engine::{Engine, EngineError};
use control::message::{Changes, RenumberSpec};
use control::view::{BridgeView, PortView, TunnelView};
use labfile::{BridgeSpec, LabSpec, PortSpec, TunnelSpec};

type Answer<T> = Result<Json<T>, ApiError>;

/// `/bridges`, `/ports` and `/tunnels`.
pub(super) fn router() -> Router<Arc<Engine>> {
    let bridge = get(bridge)
        .post(add::<BridgeSpec>)
        .put(put::<BridgeSpec>)
        .patch(alter::<BridgeSpec>)
        .delete(delete_bridge);
    let port = get(port)
        .post(add::<PortSpec>)
        .put(put::<PortSpec>)
        .patch(alter::<PortSpec>)
        .delete(delete::<PortSpec>);
    let tunnel = get(tunnel)
        .post(add::<TunnelSpec>)
        .put(put::<TunnelSpec>)
        .patch(alter::<TunnelSpec>)
        .delete(delete::<TunnelSpec>);
    Router::new()
        .route("/bridges", get(bridges))
        .route("/bridges/{name}", bridge)
        .route("/bridges/{name}/renumber", post(renumber))
        .route("/ports", get(ports))
        .route("/ports/{name}", port)
        .route("/tunnels", get(tunnels))
        .route("/tunnels/{name}", tunnel)
}

/// A table of the lab file whose keys are names.
trait Table: Serialize + DeserializeOwned + Send + 'static {
    const KIND: &'static str;

    fn all(spec: &mut LabSpec) -> &mut BTreeMap<String, Self>;

    /// What may have been meant by a patch that makes no valid lab.
    fn meant(&self, _name: &str, _patch: &Value) -> Option<String> {
        None
    }
}

impl Table for BridgeSpec {
    const KIND: &'static str = "bridge";

    fn all(spec: &mut LabSpec) -> &mut BTreeMap<String, Self> {
        &mut spec.bridge
    }

    /// To another subnet, its ports and rules have to come along.
    fn meant(&self, name: &str, patch: &Value) -> Option<String> {
        let to = patch.get("router")?.as_str()?;
        let new: Ipv4Net = to.parse().ok()?;
        let [old] = self.router.as_slice() else { return None };
        let old: Ipv4Net = old.parse().ok()?;
        let sentence = format!(
            "what belongs to {} comes along with `tapswitch bridge renumber {name} {to}`",
            old.trunc()
        );
        (new.trunc() != old.trunc()).then_some(sentence)
    }
}

impl Table for PortSpec {
    const KIND: &'static str = "port";

    fn all(spec: &mut LabSpec) -> &mut BTreeMap<String, Self> {
        &mut spec.port
    }
}

impl Table for TunnelSpec {
    const KIND: &'static str = "tunnel";

    fn all(spec: &mut LabSpec) -> &mut BTreeMap<String, Self> {
        &mut spec.tunnel
    }
}

async fn bridges(State(engine): State<Arc<Engine>>) -> Json<Vec<BridgeView>> {
    Json(engine.bridges().await)
}

async fn bridge(State(engine): State<Arc<Engine>>, Named(name): Named) -> Answer<BridgeView> {
    let found = engine.bridges().await.into_iter().find(|bridge| bridge.name == name);
    found.map(Json).ok_or_else(|| unknown::<BridgeSpec>(&name).into())
}

async fn ports(State(engine): State<Arc<Engine>>) -> Json<Vec<PortView>> {
    Json(engine.ports().await)
}

async fn port(State(engine): State<Arc<Engine>>, Named(name): Named) -> Answer<PortView> {
    let found = engine.ports().await.into_iter().find(|port| port.name == name);
    found.map(Json).ok_or_else(|| unknown::<PortSpec>(&name).into())
}

async fn tunnels(State(engine): State<Arc<Engine>>) -> Json<Vec<TunnelView>> {
    Json(engine.tunnels().await)
}

async fn tunnel(State(engine): State<Arc<Engine>>, Named(name): Named) -> Answer<TunnelView> {
    let found = engine.tunnels().await.into_iter().find(|tunnel| tunnel.name == name);
    found.map(Json).ok_or_else(|| unknown::<TunnelSpec>(&name).into())
}

async fn add<T: Table>(
    State(engine): State<Arc<Engine>>,
    Named(name): Named,
    body::Json(wanted): body::Json<T>,
) -> Answer<Changes> {
    let changes = engine.edit(false, |spec| {
        let all = T::all(spec);
        if all.contains_key(&name) {
            let kind = T::KIND;
            let sentence =
                format!("there is a {kind} {name:?} already: set its keys, or delete it first");
            return Err(EngineError::Conflict(sentence));
        }
        all.insert(name, wanted);
        Ok(())
    });
    Ok(Json(Changes::from(changes.await?)))
}

async fn put<T: Table>(
    State(engine): State<Arc<Engine>>,
    Named(name): Named,
    body::Json(wanted): body::Json<T>,
) -> Answer<Changes> {
    let changes = engine.edit(false, |spec| {
        T::all(spec).insert(name, wanted);
        Ok(())
    });
    Ok(Json(Changes::from(changes.await?)))
}

async fn alter<T: Table>(
    State(engine): State<Arc<Engine>>,
    Named(name): Named,
    body::Json(patch): body::Json<Value>,
) -> Answer<Changes> {
    if !patch.is_object() {
        return Err(ApiError::wrong("the body must be a JSON object with the keys to change"));
    }
    let (mut wrong, mut meant) = (None, None);
    let changes = engine.edit(false, |spec| {
        let now = T::all(spec).get_mut(&name).ok_or_else(|| unknown::<T>(&name))?;
        meant = now.meant(&name, &patch);
        *now = patched(now, patch).map_err(|error| {
            wrong = Some(error);
            unknown::<T>(&name)
        })?;
        Ok(())
    });
    let outcome = changes.await;
    // An edit has no word for keys that do not exist: what it said instead is not what is told.
    match (wrong, outcome) {
        (Some(error), _) => Err(ApiError::wrong(format!("{} {name:?}: {error}", T::KIND))),
        (None, Err(error @ EngineError::Config(_))) => {
            let told = ApiError::from(error);
            Err(match meant {
                Some(meant) => told.and(&meant),
                None => told,
            })
        }
        (None, outcome) => Ok(Json(Changes::from(outcome?))),
    }
}

async fn delete<T: Table>(
    State(engine): State<Arc<Engine>>,
    Named(name): Named,
) -> Answer<Changes> {
    let what = format!("{} {name:?}", T::KIND);
    let changes = engine.edit(false, |spec| {
        T::all(spec).remove(&name).map(drop).ok_or_else(|| unknown::<T>(&name))
    });
    let changes = changes.await.map_err(|error| ApiError::of_removal(&what, error))?;
    Ok(Json(Changes::from(changes)))
}

/// `?dry_run=true`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DryRun {
    #[serde(default)]
    dry_run: bool,
}

/// `POST /v1/bridges/NAME/renumber`
async fn renumber(
    State(engine): State<Arc<Engine>>,
    Named(name): Named,
    Asked(DryRun { dry_run }): Asked<DryRun>,
    body::Json(wanted): body::Json<RenumberSpec>,
) -> Answer<Changes> {
    let address = |key, text: &str| {
        let net: Result<Ipv4Net, ApiError> = value(key, text);
        net.map_err(|error| error.and("write an address with its prefix length, 192.168.225.1/24"))
    };
    let to = address("to", &wanted.to)?;
    let from = wanted.from.as_deref().map(|text| address("from", text)).transpose()?;
    let vlan = query::vlan(wanted.vlan.unwrap_or(0))?;
    let changes = engine.renumber(&name, to, from, vlan, dry_run).await?;
    Ok(Json(Changes::from(changes)))
}

/// `?ports=true`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithMembers {
    /// Its ports and tunnels go with it.
    #[serde(default)]
    ports: bool,
}

async fn delete_bridge(
    State(engine): State<Arc<Engine>>,
    Named(name): Named,
    Asked(WithMembers { ports }): Asked<WithMembers>,
) -> Answer<Changes> {
    let what = format!("bridge {name:?}");
    let changes = engine.edit(false, |spec| {
        spec.bridge.remove(&name).ok_or_else(|| unknown::<BridgeSpec>(&name))?;
        let is_on = |bridge: &Option<String>| bridge.as_deref() == Some(&*name);
        if ports {
            spec.port.retain(|_, port| !is_on(&port.bridge));
            spec.tunnel.retain(|_, tunnel| !is_on(&tunnel.bridge));
        }
        let left = spec.port.iter().filter(|(_, port)| is_on(&port.bridge));
        let left = left.map(|(name, _)| format!("port {name}"));
        let tunnels = spec.tunnel.iter().filter(|(_, tunnel)| is_on(&tunnel.bridge));
        let left: Vec<String> =
            left.chain(tunnels.map(|(name, _)| format!("tunnel {name}"))).collect();
        if left.is_empty() {
            return Ok(());
        }
        let sentence = format!(
            "{what} is still in use: delete {} first, or all of it with `bridge del --ports` (`?ports=true`)",
            left.join(", ")
        );
        Err(EngineError::Conflict(sentence))
    });
    let changes = changes.await.map_err(|error| ApiError::of_removal(&what, error))?;
    Ok(Json(Changes::from(changes)))
}

fn unknown<T: Table>(name: &str) -> EngineError {
    EngineError::Unknown(format!("there is no {} {name:?}", T::KIND))
}

fn patched<T: Table>(now: &T, patch: Value) -> serde_json::Result<T> {
    let mut value = serde_json::to_value(now)?;
    merge(&mut value, patch, 0);
    serde_json::from_value(value)
}

/// JSON merge patch (RFC 7396): null takes a key away, a table is merged, anything else replaces.
/// Deeper than any lab, a table replaces.
fn merge(into: &mut Value, patch: Value, depth: usize) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) if depth < DEEPEST => {
            for (key, value) in patch {
                if value.is_null() {
                    into.remove(&key);
                } else {
                    merge(into.entry(key).or_insert(Value::Null), value, depth + 1);
                }
            }
        }
        (into, Value::Object(patch)) if depth < DEEPEST => {
            *into = Value::Object(serde_json::Map::new());
            merge(into, Value::Object(patch), depth);
        }
        (into, patch) => *into = patch,
    }
}

/// `bridge.NAME.vlan.NUMBER` is two tables below the object that is patched.
const DEEPEST: usize = 4;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_takes_a_key_away_and_tables_are_merged() {
        let mut value = json!({"mtu": 1500, "vlan": {"10": {"router": "10.0.10.1/24"}}});
        merge(&mut value, json!({"mtu": null, "vlan": {"20": {"router": "10.0.20.1/24"}}}), 0);
        let both = json!({"10": {"router": "10.0.10.1/24"}, "20": {"router": "10.0.20.1/24"}});
        assert_eq!(value, json!({ "vlan": both }));
        merge(&mut value, json!({"vlan": {"10": null}, "hub": true}), 0);
        assert_eq!(value, json!({"vlan": {"20": {"router": "10.0.20.1/24"}}, "hub": true}));
    }

    #[test]
    fn a_patch_of_any_depth_ends() {
        let mut patch = json!({});
        for _ in 0..100 {
            patch = json!({ "a": patch });
        }
        let mut value = json!({});
        merge(&mut value, patch, 0);
        assert!(value.is_object());
    }
}
