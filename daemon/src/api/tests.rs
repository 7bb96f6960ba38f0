//! The API over a real socket, around a dataplane that has no ports: everything but devices works
//! without root.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::*;
use crate::dataplane::{Dataplane, Threads};
use client::{Client, ClientError};
use control::message::FlowQuery;
use control::message::{Ended, HowToApply, LabBody, NeighborSpec, RenumberSpec, StationSpec};
use labfile::{BridgeSpec, MasqueradeSpec, PublishSpec, RouteSpec};

mod connections;
mod empty;
mod explain;
mod flows;
mod record;
mod renumber;
mod tunnels;

struct Running {
    client: Client,
    socket: PathBuf,
    _room: TempDir,
}

fn running() -> Running {
    let room = tempfile::tempdir().unwrap();
    let socket = room.path().join("control.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let (reports, _) = mpsc::unbounded_channel();
    let engine = Arc::new(Engine::new(Dataplane::start(&Threads::default(), 7, reports).unwrap()));
    tokio::spawn(serve(listener, router(engine), std::future::pending()));
    Running { client: Client::new(&socket), socket, _room: room }
}

impl Running {
    /// Sends bytes as they are and reads until the daemon closes; the status and the sentence.
    async fn say(&self, request: Vec<u8>) -> (u16, String) {
        let socket = self.socket.clone();
        let text = spawn_blocking(move || {
            let mut stream = UnixStream::connect(socket).unwrap();
            stream.write_all(&request).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        });
        let text = text.await.unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        let body = text.split_once("\r\n\r\n").unwrap().1;
        let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{text}"));
        (status, body["error"].as_str().unwrap_or_default().to_owned())
    }

    async fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, String) {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend(body);
        self.say(request).await
    }
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, ClientError>) -> (u16, String) {
    match outcome.unwrap_err() {
        ClientError::Refused { status, sentence } => (status, sentence),
        other => panic!("{other}"),
    }
}

fn bridge(router: &str) -> BridgeSpec {
    BridgeSpec { router: vec![router.into()], ..BridgeSpec::default() }
}

const LAB: &str = "[bridge.br0]\nrouter = \"192.168.0.1/24\"\n[bridge.out]\nrouter = \"203.0.113.1/24\"\n\
                   [[route]]\nto = \"default\"\nvia = \"203.0.113.254\"\n\
                   [[masquerade]]\nsource = \"192.168.0.0/24\"\nout = \"out\"\n\
                   [[publish]]\nlisten = \"203.0.113.1:8080\"\nto = \"192.168.0.2:80\"\n";

async fn with_lab() -> Running {
    let running = running();
    running.client.apply(LabBody::Toml(LAB.into()), HowToApply::default()).await.unwrap();
    running
}

#[tokio::test]
async fn applying_the_same_file_twice_changes_nothing() {
    let Running { client, _room, .. } = running();
    let plan = client
        .apply(LabBody::Toml(LAB.into()), HowToApply { dry_run: true, ..HowToApply::default() })
        .await
        .unwrap();
    assert_eq!(plan.changes.len(), 5);
    assert!(client.lab().await.unwrap().is_bare(), "a dry run changes nothing");
    assert_eq!(client.apply(LabBody::Toml(LAB.into()), HowToApply::default()).await.unwrap(), plan);
    assert_eq!(
        client.apply(LabBody::Toml(LAB.into()), HowToApply::default()).await.unwrap().changes,
        [""; 0]
    );
    let spec = client.lab().await.unwrap();
    assert_eq!(
        client.apply(LabBody::Json(spec), HowToApply::default()).await.unwrap().changes,
        [""; 0]
    );
}

#[tokio::test]
async fn a_bridge_is_added_changed_and_deleted_by_name() {
    let Running { client, _room, .. } = running();
    let added = client.add_bridge("br0", &bridge("192.168.0.1/24")).await.unwrap();
    assert_eq!(added.changes, ["+ bridge br0, router 192.168.0.1/24"]);
    let (status, sentence) = refusal(client.add_bridge("br0", &bridge("10.0.0.1/8")).await);
    assert_eq!(status, 409);
    assert_eq!(sentence, "there is a bridge \"br0\" already: set its keys, or delete it first");
    let set = client.set_bridge("br0", &json!({"ageing": 60})).await.unwrap();
    assert_eq!(set.changes, ["~ bridge br0: ageing 300s -> 60s"]);
    let unset = client.set_bridge("br0", &json!({"ageing": null})).await.unwrap();
    assert_eq!(unset.changes, ["~ bridge br0: ageing 60s -> 300s"]);
    assert_eq!(client.bridges().await.unwrap()[0].router, ["192.168.0.1/24"]);
    assert_eq!(client.delete_bridge("br0").await.unwrap().changes, ["- bridge br0"]);
    assert_eq!(
        refusal(client.delete_bridge("br0").await),
        (404, "there is no bridge \"br0\"".into())
    );
}

#[tokio::test]
async fn a_key_that_does_not_exist_is_named() {
    let running = with_lab().await;
    let (status, sentence) = refusal(running.client.set_bridge("br0", &json!({"agein": 60})).await);
    assert_eq!(status, 400);
    assert!(sentence.starts_with("bridge \"br0\": unknown field `agein`"), "{sentence}");
    let (status, _) = refusal(running.client.set_bridge("br9", &json!({"ageing": 60})).await);
    assert_eq!(status, 404);
    assert_eq!(running.ask("PATCH", "/v1/bridges/br0", "application/json", b"[]").await.0, 400);
}

#[tokio::test]
async fn a_bridge_that_a_rule_needs_is_not_deleted() {
    let Running { client, _room, .. } = with_lab().await;
    let (status, sentence) = refusal(client.delete_bridge("out").await);
    assert_eq!(status, 409);
    assert!(sentence.starts_with("bridge \"out\" is still needed: "), "{sentence}");
    assert_eq!(client.bridges().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_route_is_known_by_its_destination() {
    let Running { client, _room, .. } = with_lab().await;
    let route = |to: &str, via: &str| RouteSpec {
        to: to.into(),
        via: Some(via.into()),
        ..RouteSpec::default()
    };
    let again = client.add_route(&route("0.0.0.0/0", "203.0.113.253")).await;
    assert_eq!(refusal(again).0, 409, "default is 0.0.0.0/0");
    let set = client.set_route(&route("0.0.0.0/0", "203.0.113.253")).await.unwrap();
    assert_eq!(set.changes.len(), 1);
    let kinds: Vec<_> =
        client.routes().await.unwrap().into_iter().map(|r| (r.to, r.kind)).collect();
    assert!(kinds.contains(&("0.0.0.0/0".into(), "static".into())), "{kinds:?}");
    client.delete_route("default").await.unwrap();
    assert_eq!(refusal(client.delete_route("default").await).0, 404);
    let (status, sentence) = refusal(client.add_route(&route("10.0.0.0/8", "10.9.9.9")).await);
    assert_eq!(status, 400);
    assert!(sentence.starts_with("route 1: "), "{sentence}");
}

#[tokio::test]
async fn masquerade_rules_have_an_order() {
    let running = with_lab().await;
    let client = &running.client;
    let rule = |source: &str| MasqueradeSpec {
        source: source.into(),
        out: "out".into(),
        ..MasqueradeSpec::default()
    };
    client.add_masquerade(Some(1), &rule("192.168.0.0/25")).await.unwrap();
    let sources: Vec<_> =
        client.masquerade().await.unwrap().into_iter().map(|r| r.source).collect();
    assert_eq!(sources, ["192.168.0.0/25", "192.168.0.0/24"]);
    assert_eq!(refusal(client.add_masquerade(None, &rule("192.168.0.0/25")).await).0, 409);
    assert_eq!(refusal(client.delete_masquerade(None, None, Some("out")).await).0, 409);
    assert_eq!(refusal(client.delete_masquerade(Some(3), None, None).await).0, 404);
    client.delete_masquerade(Some(1), None, None).await.unwrap();
    client.delete_masquerade(None, Some("192.168.0.0/24"), Some("out")).await.unwrap();
    assert_eq!(client.masquerade().await.unwrap(), []);
    assert_eq!(running.ask("DELETE", "/v1/masquerade", "", b"").await.0, 400);
}

#[tokio::test]
async fn a_published_port_is_known_by_its_listener() {
    let Running { client, _room, .. } = with_lab().await;
    let mut rule = client.publish().await.unwrap().remove(0);
    rule.listen = "203.0.113.1:8080/tcp".into();
    rule.to = "192.168.0.3:80".into();
    assert_eq!(refusal(client.add_publish(&rule).await).0, 409);
    assert_eq!(client.set_publish(&rule).await.unwrap().changes.len(), 1);
    client.delete_publish("203.0.113.1:8080").await.unwrap();
    assert_eq!(client.publish().await.unwrap(), []);
}

#[tokio::test]
async fn neighbours_are_bound_and_forgotten_by_hand() {
    let Running { client, _room, .. } = with_lab().await;
    let wanted = NeighborSpec {
        address: Ipv4Addr::new(192, 168, 0, 9),
        mac: "02:00:00:00:00:09".into(),
        interface: None,
    };
    client.bind_neighbor(&wanted).await.unwrap();
    let found = client.neighbors().await.unwrap();
    let bound = found.iter().find(|neighbor| neighbor.address == wanted.address).unwrap();
    assert_eq!((bound.interface.as_str(), bound.state.as_str()), ("br0", "static"));
    client.flush_neighbors().await.unwrap();
    assert_eq!(client.neighbors().await.unwrap().len(), 1, "what is bound stays");
    client.forget_neighbor(wanted.address, Some("br0")).await.unwrap();
    assert_eq!(refusal(client.forget_neighbor(wanted.address, None).await).0, 404);
    let nowhere = NeighborSpec { address: Ipv4Addr::new(10, 0, 0, 1), ..wanted.clone() };
    assert_eq!(refusal(client.bind_neighbor(&nowhere).await).0, 404);
    let group = NeighborSpec { mac: "01:00:5e:00:00:01".into(), ..wanted.clone() };
    assert_eq!(refusal(client.bind_neighbor(&group).await).0, 400);
    let text = NeighborSpec { mac: "nine".into(), ..wanted };
    assert_eq!(refusal(client.bind_neighbor(&text).await).0, 400);
}

#[tokio::test]
async fn a_station_needs_its_port_and_its_bridge() {
    let Running { client, _room, .. } = with_lab().await;
    let wanted = StationSpec {
        mac: "02:00:00:00:00:09".into(),
        port: "red".into(),
        ..StationSpec::default()
    };
    assert_eq!(
        refusal(client.bind_station(&wanted).await),
        (404, "there is no port \"red\"".into())
    );
    assert_eq!(refusal(client.flush_stations(Some("br9"), None).await).0, 404);
    assert_eq!(refusal(client.stations(Some("br9")).await).0, 404);
    assert_eq!(refusal(client.forget_station("br0", 0, "02:00:00:00:00:09").await).0, 404);
    client.flush_stations(Some("br0"), None).await.unwrap();
    let own = client.stations(Some("br0")).await.unwrap();
    assert!(own.iter().all(|station| station.origin == "own"), "{own:?}");
}

#[tokio::test]
async fn counters_and_flows_are_empty_at_first() {
    let Running { client, _room, .. } = with_lab().await;
    assert_eq!(client.flows(&FlowQuery::default()).await.unwrap(), []);
    assert_eq!(client.end_flows(&FlowQuery::default()).await.unwrap(), Ended::default());
    assert_eq!(client.drops().await.unwrap(), []);
    let stats = client.stats().await.unwrap();
    assert_eq!(stats.totals["received"], 0);
    assert_eq!(client.version().await.unwrap().name, "tapswitch");
    let show = client.show().await.unwrap();
    assert_eq!((show.bridges.len(), show.ports.len(), show.publish.len()), (2, 0, 1));
}

#[tokio::test]
async fn ten_megabytes_are_refused_with_a_sentence_and_the_daemon_goes_on() {
    let running = running();
    let body = vec![b'#'; 10 << 20];
    let (status, sentence) = running.ask("PUT", "/v1/lab", "application/toml", &body).await;
    assert_eq!(status, 413);
    assert!(sentence.contains("larger than 4194304 bytes"), "{sentence}");
    let refused = running.client.apply(LabBody::Toml(body), HowToApply::default()).await;
    assert_eq!(refusal(refused).0, 413);
    let mut exact = LAB.as_bytes().to_vec();
    exact.resize(MAX_BODY, b'\n');
    running.client.apply(LabBody::Toml(exact), HowToApply::default()).await.unwrap();
}

#[tokio::test]
async fn a_sender_that_asks_first_is_refused_before_it_sends() {
    let running = running();
    let request = "PUT /v1/lab HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\n\
                   Content-Length: 10485760\r\n\r\n";
    assert_eq!(running.say(request.into()).await.0, 413);
}

#[tokio::test]
async fn a_wrong_lab_says_where() {
    let running = running();
    let (status, sentence) =
        running.ask("PUT", "/v1/lab", "application/toml", b"[brigde.a]\n").await;
    assert_eq!(status, 400);
    assert!(sentence.starts_with("body:1:2: unknown key \"brigde\""), "{sentence}");
    let (status, sentence) = running.ask("PUT", "/v1/lab", "", b"\xff").await;
    assert_eq!(status, 400);
    assert!(sentence.starts_with("body:1:1: byte 0xff is not UTF-8"), "{sentence}");
    let (status, _) = running.ask("PUT", "/v1/lab", "application/json", b"{\"brigde\":{}}").await;
    assert_eq!(status, 400);
    let bad = br#"{"route":[{"to":"default","via":"10.0.0.1"}]}"#;
    let (status, sentence) = running.ask("PUT", "/v1/lab", "application/json", bad).await;
    assert_eq!(status, 400);
    assert!(sentence.starts_with("route 1: "), "{sentence}");
}

#[tokio::test]
async fn wrong_paths_methods_and_queries_get_sentences() {
    let running = running();
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/bridges/br0", 404),
        ("GET", "/v1/ports/%ff", 400),
        ("GET", "/v1/tunnels/vx0", 404),
        ("DELETE", "/v1/tunnels", 405),
        ("DELETE", "/v1/lab", 405),
        ("POST", "/v1/stats", 405),
        ("PUT", "/v1/lab?dry=true", 400),
        ("PUT", "/v1/lab?dry_run=maybe", 400),
        ("GET", "/v1/lab?format=yaml", 400),
        ("DELETE", "/v1/fdb/nine?bridge=br0", 400),
        ("DELETE", "/v1/fdb/02:00:00:00:00:01", 400),
        ("DELETE", "/v1/fdb/02:00:00:00:00:01?bridge=br0&vlan=4095", 400),
        ("DELETE", "/v1/neighbors/nine", 400),
        ("DELETE", "/v1/routes", 400),
    ] {
        let (told, sentence) = running.ask(method, path, "", b"").await;
        assert_eq!(told, status, "{method} {path}: {sentence}");
        assert!(!sentence.is_empty(), "{method} {path}");
    }
}

#[tokio::test]
async fn a_client_that_speaks_no_http_harms_nobody() {
    let running = running();
    let mut stream = UnixStream::connect(&running.socket).unwrap();
    stream.write_all(&[0xff; 4096]).unwrap();
    drop(stream);
    running.client.version().await.unwrap();
}

/// Found by the fuzz target `api`.
#[tokio::test]
async fn a_refusal_repeats_no_control_characters() {
    let running = with_lab().await;
    let (status, sentence) = running.ask("DELETE", "/v1/masquerade?out%1b[2J=x", "", b"").await;
    assert_eq!(status, 400);
    assert!(sentence.contains("`out\\u{1b}[2J`"), "{sentence}");
    let body = b"{\"bridge\":{\"a\":{\"\\u001b[2J\":1}}}";
    let (status, sentence) = running.ask("PUT", "/v1/lab", "application/json", body).await;
    assert_eq!(status, 400);
    assert!(!sentence.contains(char::is_control), "{sentence}");
}

#[tokio::test]
async fn a_published_range_is_listed_as_written_and_deleted_as_one() {
    let Running { client, _room, .. } = with_lab().await;
    let range = PublishSpec {
        listen: "out:9000-9002".into(),
        to: "192.168.0.2".into(),
        ..PublishSpec::default()
    };
    assert_eq!(client.add_publish(&range).await.unwrap().changes.len(), 3);
    assert!(client.publish().await.unwrap().contains(&range));
    let (status, sentence) =
        refusal(client.add_publish(&PublishSpec { listen: "8081".into(), ..range.clone() }).await);
    assert_eq!(status, 400);
    let remedy = "publish 3: `listen` \"8081\" has no address; write \"0.0.0.0:8081/tcp\"";
    assert_eq!(sentence, remedy);
    let accepted = PublishSpec { listen: "0.0.0.0:8081/tcp".into(), ..range };
    client.add_publish(&accepted).await.unwrap();
    let gone = client.delete_publish("out:9000-9002/tcp").await.unwrap();
    assert_eq!(gone.changes.len(), 3);
}
