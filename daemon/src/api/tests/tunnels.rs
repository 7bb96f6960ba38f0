//! Tunnels over the API: as verbs, as members of a bridge, and as places of stations.

use std::env;

use os::links::Links;
use os::netns::Netns;
use serde_json::json;

use control::message::HowToApply;

use super::{Running, refusal, running, with_lab};
use control::message::{LabBody, StationSpec};
use labfile::TunnelSpec;

#[test]
fn a_tunnel_is_added_changed_and_deleted_by_name() {
    apart(async || {
        let running = with_lab().await;
        let client = &running.client;
        let wanted = TunnelSpec {
            bridge: Some("br0".into()),
            vni: Some(42),
            remotes: vec!["192.0.2.1".into()],
            ..TunnelSpec::default()
        };
        let added = client.add_tunnel("vx0", &wanted).await.unwrap();
        assert_eq!(added.changes, ["+ tunnel vx0 vni 42 on br0 to 192.0.2.1"]);
        assert_eq!(
            refusal(client.add_tunnel("vx0", &wanted).await),
            (409, "there is a tunnel \"vx0\" already: set its keys, or delete it first".into())
        );
        let (status, sentence) = refusal(client.add_tunnel("vx1", &wanted).await);
        assert_eq!(status, 400);
        assert!(
            sentence.starts_with("tunnel \"vx1\": tunnel \"vx0\" has the remote"),
            "{sentence}"
        );
        let (status, sentence) = refusal(client.add_tunnel("br0", &wanted).await);
        assert_eq!(status, 400);
        assert!(sentence.starts_with("tunnel \"br0\": a bridge has this name too"), "{sentence}");
        let set = client.set_tunnel("vx0", &json!({"ttl": "inherit", "vlan": 10})).await.unwrap();
        assert_eq!(set.changes, ["~ tunnel vx0: vlan untagged -> access 10, ttl 64 -> inherit"]);
        let unset = client.set_tunnel("vx0", &json!({"ttl": null})).await.unwrap();
        assert_eq!(unset.changes, ["~ tunnel vx0: ttl inherit -> 64"]);
        let found = client.tunnels().await.unwrap().remove(0);
        assert_eq!((found.vni, found.port, found.vlan, found.mtu), (42, 4789, Some(10), 1450));
        assert_eq!(client.bridges().await.unwrap()[0].tunnels, ["vx0"]);
        assert_eq!(running.ask("GET", "/v1/tunnels/vx0", "", b"").await.0, 200);
        assert_eq!(
            refusal(client.delete_bridge("br0").await),
            (409, "bridge \"br0\" is still in use: delete tunnel vx0 first, or all of it with `bridge del --ports` \
             (`?ports=true`)".into())
        );
        assert_eq!(client.delete_tunnel("vx0").await.unwrap().changes.len(), 1);
        assert_eq!(
            refusal(client.delete_tunnel("vx0").await),
            (404, "there is no tunnel \"vx0\"".into())
        );
    });
}

#[test]
fn a_station_is_bound_to_a_remote_of_a_tunnel() {
    apart(async || {
        let Running { client, _room, .. } = with_lab().await;
        let wanted = TunnelSpec {
            bridge: Some("br0".into()),
            vni: Some(42),
            remotes: vec!["192.0.2.1".into(), "192.0.2.2".into()],
            vlan: Some(10),
            ..TunnelSpec::default()
        };
        client.add_tunnel("vx0", &wanted).await.unwrap();
        let mut station = StationSpec {
            mac: "02:00:00:00:00:09".into(),
            port: "vx0".into(),
            ..StationSpec::default()
        };
        let (status, sentence) = refusal(client.bind_station(&station).await);
        assert_eq!(status, 400);
        assert!(sentence.contains("`remote` is missing, and tunnel \"vx0\" has 2"), "{sentence}");
        station.remote = Some("192.0.2.2".into());
        let bound = client.bind_station(&station).await.unwrap();
        let line = "static 02:00:00:00:00:09 on br0 VLAN 10 at tunnel vx0 to 192.0.2.2";
        assert_eq!(bound.changes, [format!("+ {line}")]);
        assert_eq!(refusal(client.bind_station(&station).await).0, 409);
        let forgotten = client.forget_station("br0", 10, "02:00:00:00:00:09").await.unwrap();
        assert_eq!(forgotten.changes, [format!("- {line}")]);
    });
}

#[test]
fn what_will_not_work_as_written_is_shown() {
    apart(async || {
        let Running { client, _room, .. } = running();
        let lab = "[bridge.br0]\nmtu = 1500\n[tunnel.vx0]\nbridge = \"br0\"\nvni = 42\nremotes = \"192.0.2.1\"\n";
        client.apply(LabBody::Toml(lab.into()), HowToApply::default()).await.unwrap();
        let show = client.show().await.unwrap();
        assert_eq!(show.tunnels.len(), 1);
        assert_eq!(show.warnings.len(), 1);
        assert!(show.warnings[0].starts_with("bridge br0 has mtu 1500"), "{:?}", show.warnings);
    });
}

/// Runs a test in a network of its own, from which 192.0.2.0/24 can be reached and is not there.
fn apart(test: impl AsyncFnOnce() + Send) {
    if let Err(reason) = os::privileges::check() {
        assert!(
            env::var("CI").as_deref() != Ok("true"),
            "this must not be skipped in CI: {reason}"
        );
        return println!("skipped: {reason}");
    }
    let netns = Netns::anonymous().unwrap();
    let inside = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let links = Links::open(&netns).await.unwrap();
            let lo = links.find("lo").await.unwrap().unwrap();
            links.set_mtu(lo.index, 1500).await.unwrap();
            links.loopback_up().await.unwrap();
            links.add_route("192.0.2.0/24".parse().unwrap(), None, lo.index).await.unwrap();
            test().await;
        });
    };
    netns.run(inside).unwrap();
}
