//! Bridges that move to another subnet, over the API. What comes along is the lab's matter and
//! tested there.

use super::*;

const LAB: &str = "\
[bridge.br0]\nrouter = \"10.1.0.1/16\"\n\n[bridge.br0.vlan.10]\nrouter = \"10.10.0.1/24\"\n\n\
[bridge.br1]\nrouter = \"203.0.113.1/24\"\n\n\
[[route]]\nto = \"default\"\nvia = \"10.1.0.9\"\n\n\
[[masquerade]]\nsource = \"10.1.0.0/16\"\nout = \"br1\"\n";

#[tokio::test]
async fn a_bridge_moves_with_its_rules_and_neighbours_or_only_says_so() {
    let running = running();
    let client = &running.client;
    client.apply(LabBody::Toml(LAB.into()), HowToApply::default()).await.unwrap();
    let bound = NeighborSpec {
        address: Ipv4Addr::new(10, 1, 0, 9),
        mac: "02:00:00:00:00:09".into(),
        interface: None,
    };
    client.bind_neighbor(&bound).await.unwrap();
    let wanted = RenumberSpec { to: "192.168.225.1/24".into(), ..RenumberSpec::default() };
    let plan = client.renumber_bridge("br0", &wanted, true).await.unwrap();
    assert!(client.lab().await.unwrap().to_toml().unwrap().contains("10.1.0.1/16"));
    let done = client.renumber_bridge("br0", &wanted, false).await.unwrap();
    assert_eq!(plan, done);
    let text = client.lab().await.unwrap().to_toml().unwrap();
    for moved in ["192.168.225.1/24", "192.168.225.9", "192.168.225.0/24", "10.10.0.1/24"] {
        assert!(text.contains(moved), "{text}");
    }
    let neighbors = client.neighbors().await.unwrap();
    let bound: Vec<_> = neighbors.iter().filter(|neighbor| neighbor.state == "static").collect();
    assert_eq!(bound.len(), 1);
    assert_eq!(bound[0].address, Ipv4Addr::new(192, 168, 225, 9));
    let ten = RenumberSpec { to: "10.20.0.1/24".into(), vlan: Some(10), from: None };
    client.renumber_bridge("br0", &ten, false).await.unwrap();
    assert!(client.lab().await.unwrap().to_toml().unwrap().contains("10.20.0.1/24"));
}

#[tokio::test]
async fn a_wrong_move_is_a_status_and_a_sentence() {
    let running = running();
    running.client.apply(LabBody::Toml(LAB.into()), HowToApply::default()).await.unwrap();
    for (name, body, status, sentence) in [
        ("br9", r#"{"to": "10.2.0.1/16"}"#, 404, "there is no bridge \"br9\""),
        ("br0", r#"{"to": "10.2.0.1"}"#, 400, "write an address with its prefix length"),
        ("br0", r#"{"to": "10.2.0.1/16", "vlan": 5000}"#, 400, "vlan 5000 is not between"),
        ("br0", r#"{"to": "10.2.0.1/16", "vlan": 20}"#, 409, "has no router address that could"),
        ("br0", r#"{"to": "10.2.0.1/16", "from": "10.3.0.1/16"}"#, 409, "has no address in"),
        ("br0", r#"{"to": "10.2.0.1/30"}"#, 409, "10.2.0.0/30 has no room for 10.1.0.9"),
        ("br0", r#"{"to": "203.0.113.9/24"}"#, 400, "203.0.113"),
        ("br0", r#"{"to": "10.2.0.9/24"}"#, 400, "10.2.0.9"),
        ("br0", r#"{"too": "10.2.0.1/16"}"#, 400, "unknown field `too`"),
    ] {
        let path = format!("/v1/bridges/{name}/renumber");
        let (got, said) = running.ask("POST", &path, "application/json", body.as_bytes()).await;
        assert_eq!(got, status, "{body}: {said}");
        assert!(said.contains(sentence), "{body}: {said}");
    }
    assert!(running.client.lab().await.unwrap().to_toml().unwrap().contains("10.1.0.1/16"));
}

#[tokio::test]
async fn a_bridge_that_cannot_leave_alone_is_refused_with_how_it_could() {
    let running = running();
    running.client.apply(LabBody::Toml(LAB.into()), HowToApply::default()).await.unwrap();
    let patch = json!({ "router": "192.168.225.1/24" });
    let (status, said) = refusal(running.client.set_bridge("br0", &patch).await);
    assert_eq!(status, 400);
    assert!(said.contains("10.1.0.9"), "{said}");
    let offer = "; what belongs to 10.1.0.0/16 comes along with `tapswitch bridge renumber br0 192.168.225.1/24`";
    assert!(said.ends_with(offer), "{said}");
}
