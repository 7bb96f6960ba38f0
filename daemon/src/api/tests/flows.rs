//! Flows over the API: what may be asked. Which flows a filter means is the switch's matter and
//! tested there.

use super::*;

const LAB: &str = "\
[bridge.br0]\nrouter = \"192.168.0.1/24\"\n\n[bridge.br1]\nrouter = \"203.0.113.1/24\"\n\n\
[[masquerade]]\nsource = \"192.168.0.0/24\"\nout = \"br1\"\n\n\
[[publish]]\nlisten = \"br1:9000/udp\"\nto = \"192.168.0.2\"\n\n\
[[publish]]\nlisten = \"203.0.113.1:8080\"\nto = \"192.168.0.2:80\"\n";

#[tokio::test]
async fn flows_are_asked_for_and_ended_in_conntrack_s_words() {
    let running = running();
    running.client.apply(LabBody::Toml(LAB.into()), HowToApply::default()).await.unwrap();
    for query in [
        "",
        "?proto=tcp&src=192.168.0.0/24&dst=8.8.8.8&sport=1&dport=53",
        "?src=192.168.0.0%2F24&src_nat=true&dst_nat=false&any_nat=203.0.113.1",
        "?rule=1",
        "?rule=masquerade:1",
        "?rule=publish:2",
        "?rule=203.0.113.1:8080",
        "?rule=203.0.113.1:8080/tcp",
        "?rule=br1:9000/udp",
    ] {
        let path = format!("/v1/conntrack{query}");
        let (status, answer) = running.ask("GET", &path, "", b"").await;
        assert_eq!((status, &*answer), (200, ""), "{query}");
        let (status, answer) = running.ask("DELETE", &path, "", b"").await;
        assert_eq!((status, &*answer), (200, ""), "{query}");
    }
}

#[tokio::test]
async fn a_wrong_question_about_flows_ends_none_and_says_what_to_write() {
    let running = running();
    running.client.apply(LabBody::Toml(LAB.into()), HowToApply::default()).await.unwrap();
    for (query, status, sentence) in [
        ("proto=tpc", 400, "proto \"tpc\": write tcp, udp, icmp, gre, or a number up to 255"),
        ("src=192.168.0", 400, "src \"192.168.0\": write an IPv4 address"),
        ("dst=10.0.0.0/33", 400, "dst \"10.0.0.0/33\": write an IPv4 address"),
        ("sport=http", 400, "sport \"http\": write a port"),
        ("proto=icmp&dport=1", 400, "sport and dport are of TCP and UDP alone"),
        ("src_nat=yes", 400, "src_nat \"yes\": write an IPv4 address"),
        ("source=10.0.0.1", 400, "unknown field `source`"),
        ("src=10.0.0.1&src=10.0.0.2", 400, "duplicate field `src`"),
        ("rule=2", 404, "there is no masquerade rule 2: there are 1"),
        ("rule=0", 404, "there is no masquerade rule 0: there are 1"),
        ("rule=publish:3", 404, "there is no publish rule 3: there are 2"),
        ("rule=203.0.113.1:8080/udp", 404, "there is no rule \"203.0.113.1:8080/udp\": write"),
        ("rule=wan:80", 404, "there is no rule \"wan:80\": write"),
        ("port=red", 404, "there is no port and no tunnel \"red\""),
    ] {
        for method in ["GET", "DELETE"] {
            let path = format!("/v1/conntrack?{query}");
            let (got, said) = running.ask(method, &path, "", b"").await;
            assert_eq!(got, status, "{query}: {said}");
            assert!(said.contains(sentence), "{query}: {said}");
        }
    }
}
