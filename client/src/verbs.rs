//! What a daemon can be asked, one method a request.

use std::net::Ipv4Addr;

use hyper::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::Value;

use super::{Client, ClientError, JSON};
use control::explain::{Question, Story};
use control::message::FlowQuery;
use control::message::{
    Changes, Ended, HowToApply, LabBody, NeighborSpec, RenumberSpec, Show, StationSpec, Version,
};
use control::record::{RecordSpec, RecordStatus};
use control::view::{
    BridgeView, DropView, FlowEntry, NeighborEntry, PortView, RouteView, StationView, StatsView,
    TunnelView, UnknownVtepView,
};
use labfile::{BridgeSpec, LabSpec, MasqueradeSpec, PortSpec, PublishSpec, RouteSpec, TunnelSpec};

type Answer<T> = Result<T, ClientError>;

/// Errors of all of these: see [`ClientError`].
impl Client {
    /// Who answers.
    pub async fn version(&self) -> Answer<Version> {
        self.read("/v1/version").await
    }

    /// Everything that runs.
    pub async fn show(&self) -> Answer<Show> {
        self.read("/v1/show").await
    }

    /// The running lab as it would be written.
    pub async fn lab(&self) -> Answer<LabSpec> {
        self.read("/v1/lab").await
    }

    /// Makes the running lab `wanted`, or only says what that would take.
    pub async fn apply(&self, wanted: LabBody, how: HowToApply) -> Answer<Changes> {
        let HowToApply { dry_run, empty, strict } = how;
        let path = format!("/v1/lab?dry_run={dry_run}&empty={empty}&strict={strict}");
        let body = match wanted {
            LabBody::Toml(text) => (TOML, text),
            LabBody::Json(spec) => {
                (JSON, serde_json::to_vec(&spec).map_err(|error| self.broken(error))?)
            }
        };
        self.exchange(Method::PUT, &path, Some(body)).await
    }

    /// Every bridge.
    pub async fn bridges(&self) -> Answer<Vec<BridgeView>> {
        self.read("/v1/bridges").await
    }

    /// Adds a bridge whose name is new.
    pub async fn add_bridge(&self, name: &str, wanted: &BridgeSpec) -> Answer<Changes> {
        self.send(Method::POST, &under("/v1/bridges", name), wanted).await
    }

    /// Changes the keys of a bridge that are in `patch`; null takes one away.
    pub async fn set_bridge(&self, name: &str, patch: &Value) -> Answer<Changes> {
        self.send(Method::PATCH, &under("/v1/bridges", name), patch).await
    }

    /// Deletes a bridge that has no ports and no tunnels.
    pub async fn delete_bridge(&self, name: &str) -> Answer<Changes> {
        self.delete(&under("/v1/bridges", name), &[]).await
    }

    /// Deletes a bridge with its ports and tunnels.
    pub async fn delete_bridge_and_ports(&self, name: &str) -> Answer<Changes> {
        self.delete(&under("/v1/bridges", name), &[("ports", Some("true"))]).await
    }

    /// Moves a subnet of a bridge with all that belongs to it, or only says what that would take.
    pub async fn renumber_bridge(
        &self,
        name: &str,
        wanted: &RenumberSpec,
        dry_run: bool,
    ) -> Answer<Changes> {
        let path = format!("{}/renumber?dry_run={dry_run}", under("/v1/bridges", name));
        self.send(Method::POST, &path, wanted).await
    }

    /// Every port.
    pub async fn ports(&self) -> Answer<Vec<PortView>> {
        self.read("/v1/ports").await
    }

    /// Adds a port whose name is new.
    pub async fn add_port(&self, name: &str, wanted: &PortSpec) -> Answer<Changes> {
        self.send(Method::POST, &under("/v1/ports", name), wanted).await
    }

    /// Changes the keys of a port that are in `patch`; null takes one away.
    pub async fn set_port(&self, name: &str, patch: &Value) -> Answer<Changes> {
        self.send(Method::PATCH, &under("/v1/ports", name), patch).await
    }

    /// Deletes a port.
    pub async fn delete_port(&self, name: &str) -> Answer<Changes> {
        self.delete(&under("/v1/ports", name), &[]).await
    }

    /// Every tunnel.
    pub async fn tunnels(&self) -> Answer<Vec<TunnelView>> {
        self.read("/v1/tunnels").await
    }

    /// Adds a tunnel whose name is new.
    pub async fn add_tunnel(&self, name: &str, wanted: &TunnelSpec) -> Answer<Changes> {
        self.send(Method::POST, &under("/v1/tunnels", name), wanted).await
    }

    /// Changes the keys of a tunnel that are in `patch`; null takes one away.
    pub async fn set_tunnel(&self, name: &str, patch: &Value) -> Answer<Changes> {
        self.send(Method::PATCH, &under("/v1/tunnels", name), patch).await
    }

    /// Deletes a tunnel.
    pub async fn delete_tunnel(&self, name: &str) -> Answer<Changes> {
        self.delete(&under("/v1/tunnels", name), &[]).await
    }

    /// Every route in force, and those that wait.
    pub async fn routes(&self) -> Answer<Vec<RouteView>> {
        self.read("/v1/routes").await
    }

    /// Adds a route to a new destination.
    pub async fn add_route(&self, wanted: &RouteSpec) -> Answer<Changes> {
        self.send(Method::POST, "/v1/routes", wanted).await
    }

    /// Adds a route, or replaces the one to the same destination.
    pub async fn set_route(&self, wanted: &RouteSpec) -> Answer<Changes> {
        self.send(Method::PUT, "/v1/routes", wanted).await
    }

    /// Deletes the route to a destination.
    pub async fn delete_route(&self, to: &str) -> Answer<Changes> {
        self.delete("/v1/routes", &[("to", Some(to))]).await
    }

    /// The masquerade rules, first match first.
    pub async fn masquerade(&self) -> Answer<Vec<MasqueradeSpec>> {
        self.read("/v1/masquerade").await
    }

    /// Adds a masquerade rule, at a place that counts from 1 or at the end.
    pub async fn add_masquerade(
        &self,
        at: Option<usize>,
        wanted: &MasqueradeSpec,
    ) -> Answer<Changes> {
        let at = at.map(|at| at.to_string());
        let path = format!("/v1/masquerade{}", query(&[("at", at.as_deref())]));
        self.send(Method::POST, &path, wanted).await
    }

    /// Replaces the masquerade rule at a place that counts from 1.
    pub async fn set_masquerade(&self, index: usize, wanted: &MasqueradeSpec) -> Answer<Changes> {
        self.send(Method::PUT, &format!("/v1/masquerade?index={index}"), wanted).await
    }

    /// Deletes the masquerade rule at a place that counts from 1, or the one that is like that.
    pub async fn delete_masquerade(
        &self,
        index: Option<usize>,
        source: Option<&str>,
        out: Option<&str>,
    ) -> Answer<Changes> {
        let index = index.map(|index| index.to_string());
        let asked = [("index", index.as_deref()), ("source", source), ("out", out)];
        self.delete("/v1/masquerade", &asked).await
    }

    /// The published services.
    pub async fn publish(&self) -> Answer<Vec<PublishSpec>> {
        self.read("/v1/publish").await
    }

    /// Publishes a service at a new listener.
    pub async fn add_publish(&self, wanted: &PublishSpec) -> Answer<Changes> {
        self.send(Method::POST, "/v1/publish", wanted).await
    }

    /// Publishes a service, in place of the one at the same listener.
    pub async fn set_publish(&self, wanted: &PublishSpec) -> Answer<Changes> {
        self.send(Method::PUT, "/v1/publish", wanted).await
    }

    /// Ends a published service.
    pub async fn delete_publish(&self, listen: &str) -> Answer<Changes> {
        self.delete("/v1/publish", &[("listen", Some(listen))]).await
    }

    /// The stations of a bridge, or of all.
    pub async fn stations(&self, bridge: Option<&str>) -> Answer<Vec<StationView>> {
        self.read(&format!("/v1/fdb{}", query(&[("bridge", bridge)]))).await
    }

    /// Binds a station to a port, or to a peer of a tunnel.
    pub async fn bind_station(&self, wanted: &StationSpec) -> Answer<Changes> {
        self.send(Method::POST, "/v1/fdb", wanted).await
    }

    /// Forgets one station, learned or bound.
    pub async fn forget_station(&self, bridge: &str, vlan: u16, mac: &str) -> Answer<Changes> {
        let vlan = vlan.to_string();
        let asked = [("bridge", Some(bridge)), ("vlan", Some(vlan.as_str()))];
        self.delete(&under("/v1/fdb", mac), &asked).await
    }

    /// Forgets the stations that were learned: of a bridge, of a port, or all.
    pub async fn flush_stations(
        &self,
        bridge: Option<&str>,
        port: Option<&str>,
    ) -> Answer<Changes> {
        self.delete("/v1/fdb", &[("bridge", bridge), ("port", port)]).await
    }

    /// Every neighbour.
    pub async fn neighbors(&self) -> Answer<Vec<NeighborEntry>> {
        self.read("/v1/neighbors").await
    }

    /// Binds a neighbour to a MAC address.
    pub async fn bind_neighbor(&self, wanted: &NeighborSpec) -> Answer<Changes> {
        self.send(Method::POST, "/v1/neighbors", wanted).await
    }

    /// Forgets one neighbour, learned or bound.
    pub async fn forget_neighbor(
        &self,
        address: Ipv4Addr,
        interface: Option<&str>,
    ) -> Answer<Changes> {
        let path = under("/v1/neighbors", &address.to_string());
        self.delete(&path, &[("interface", interface)]).await
    }

    /// Forgets the neighbours that were learned.
    pub async fn flush_neighbors(&self) -> Answer<Changes> {
        self.delete("/v1/neighbors", &[]).await
    }

    /// The flows that are meant.
    pub async fn flows(&self, asked: &FlowQuery) -> Answer<Vec<FlowEntry>> {
        self.read(&format!("/v1/conntrack{}", query(&asked.keys()))).await
    }

    /// Ends the flows that are meant; all of them when nothing is asked.
    pub async fn end_flows(&self, asked: &FlowQuery) -> Answer<Ended> {
        let path = format!("/v1/conntrack{}", query(&asked.keys()));
        self.exchange(Method::DELETE, &path, None).await
    }

    /// What was carried.
    pub async fn stats(&self) -> Answer<StatsView> {
        self.read("/v1/stats").await
    }

    /// What was dropped, and why.
    pub async fn drops(&self) -> Answer<Vec<DropView>> {
        self.read("/v1/drops").await
    }

    /// Who sends datagrams that no tunnel wants.
    pub async fn unknown_vteps(&self) -> Answer<Vec<UnknownVtepView>> {
        self.read("/v1/unknown-vteps").await
    }

    /// How far the latest record is.
    pub async fn record_status(&self) -> Answer<RecordStatus> {
        self.read("/v1/record").await
    }

    /// Begins a record.
    pub async fn start_record(&self, wanted: &RecordSpec) -> Answer<RecordStatus> {
        self.send(Method::POST, "/v1/record", wanted).await
    }

    /// Ends the record; what it is then.
    pub async fn stop_record(&self) -> Answer<RecordStatus> {
        self.exchange(Method::DELETE, "/v1/record", None).await
    }

    /// What would become of frames, and why.
    pub async fn explain(&self, question: &Question) -> Answer<Vec<Story>> {
        self.send(Method::POST, "/v1/explain", question).await
    }

    async fn delete(&self, path: &str, asked: &[(&str, Option<&str>)]) -> Answer<Changes> {
        self.exchange(Method::DELETE, &format!("{path}{}", query(asked)), None).await
    }
}

const TOML: &str = "application/toml";

fn under(path: &str, name: &str) -> String {
    format!("{path}/{}", escaped(name))
}

/// `?key=value&...` of the keys that have a value; nothing when none has.
fn query(asked: &[(&str, Option<&str>)]) -> String {
    let mut text = String::new();
    for (key, value) in asked {
        if let Some(value) = value {
            text.push(if text.is_empty() { '?' } else { '&' });
            text += key;
            text.push('=');
            text.extend(escaped(value));
        }
    }
    text
}

fn escaped(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_only_what_is_asked() {
        assert_eq!(query(&[("a", None)]), "");
        assert_eq!(
            query(&[("a", None), ("to", Some("10.0.0.0/8")), ("b", Some("x y"))]),
            "?to=10.0.0.0%2F8&b=x%20y"
        );
        assert_eq!(under("/v1/ports", "../é"), "/v1/ports/..%2F%C3%A9");
    }
}
