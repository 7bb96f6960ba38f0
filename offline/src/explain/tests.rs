//! The demo's lab, asked about frames: words for people, values for programs, and sentences for
//! what cannot be told.

use packet::arp::Operation;
use packet::{DropReason, Mac};
use proptest::prelude::*;

use super::*;
use crate::capture::samples::{MICROS, Pcap};
use crate::replay::tests::{
    EXTERNAL, OUTSIDE, RED, ROUTER, Room, SERVER, arp, lab, lab_of, mac_of, ping, red_frames,
    router_mac, tcp, wan_router_mac,
};
use control::explain::VerdictView;

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn asked(lab: &Lab, input: &str, frames: &[String]) -> Result<Vec<Story>, ExplainError> {
    in_lab(lab, &Question { input: input.to_owned(), frames: frames.to_vec() })
}

/// The last story of frames that red sends, or others where they say so.
fn told(frames: &[String]) -> Story {
    asked(&lab(), "red", frames).unwrap().pop().unwrap()
}

fn text(story: &Story, step: &str) -> String {
    let step = story.steps.iter().find(|view| view.name == step).unwrap();
    step.facts.iter().map(|fact| fact.text.as_str()).collect::<Vec<_>>().join(" | ")
}

fn to_server() -> Vec<u8> {
    tcp((mac_of("red"), router_mac()), (RED, 40_000), (SERVER, 80), 0x02)
}

fn gateway_answers() -> String {
    let answer = arp(Operation::Reply, (mac_of("wan"), OUTSIDE), (wan_router_mac(), EXTERNAL));
    format!("wan={}", digits(&answer))
}

#[test]
fn a_masqueraded_connection_is_told_in_eight_steps() {
    let story = told(&[digits(&to_server())]);
    let red = mac_of("red");
    assert_eq!(story.headers.len(), 3);
    assert_eq!(story.steps.len(), 8);
    assert_eq!(text(&story, "parse"), "untagged on red (trunk all): bridge br0, no VLAN");
    assert_eq!(text(&story, "learn"), format!("{red} is new: behind red from now on"));
    assert_eq!(text(&story, "arp"), "");
    assert!(
        text(&story, "decide")
            .contains("is the router's own on br0: for the router | the router takes tcp")
    );
    assert_eq!(
        text(&story, "nat inbound"),
        "no flow and no published port: the destination stays 198.51.100.7"
    );
    assert_eq!(text(&story, "route"), "0.0.0.0/0 via 203.0.113.254 on wan; ttl 64 -> 63");
    assert_eq!(
        text(&story, "nat outbound"),
        "masquerade 1 (192.168.0.0/24 out wan), a new flow: source 192.168.0.2:40000 -> 203.0.113.1:40000"
    );
    assert_eq!(
        text(&story, "deliver"),
        "203.0.113.254 on wan is not known: everybody is asked by ARP | it waits for 203.0.113.254's MAC address, 1 in \
         the queue"
    );
    let VerdictView { passes, fate, reason, step, port, .. } = &story.verdict;
    assert_eq!(
        (*passes, fate.as_str(), reason, *step, port.as_str()),
        (true, "held", &None, 8, "red")
    );
    assert!(
        story.advice[0].contains("`tapswitch neigh add 203.0.113.254 --mac MAC`"),
        "{:?}",
        story.advice
    );
    let [asks] = &story.sent[..] else { panic!("{:?}", story.sent) };
    assert_eq!(
        (asks.part.as_str(), asks.words.as_str()),
        ("spoken", "ARP who-has 203.0.113.254 tell 203.0.113.1")
    );
}

#[test]
fn each_frame_meets_what_the_one_ahead_left() {
    let frames = [digits(&to_server()), gateway_answers(), digits(&to_server())];
    let stories = asked(&lab(), "red", &frames).unwrap();
    let [_, answer, again] = &stories[..] else { panic!("{stories:?}") };
    assert_eq!((answer.frame, answer.input.as_str()), (2, "wan"));
    assert!(text(answer, "arp").ends_with("a packet that waited for 203.0.113.254 is let go"));
    assert_eq!(answer.sent[0].part, "released");
    assert_eq!(
        answer.sent[0].headers[1],
        "IPv4 203.0.113.1 > 198.51.100.7, ttl 63, id 1, 40 bytes, DF"
    );
    assert_eq!(again.verdict.text, "passes: it leaves on wan");
    assert!(
        text(again, "nat outbound")
            .starts_with("part of the flow that 192.168.0.2 began (SYN_SENT)")
    );
    let macs = (mac_of("wan"), wan_router_mac());
    let back = tcp(macs, (SERVER, 80), (EXTERNAL, 40_000), 0x12);
    let story = told(&[&frames[..], &[format!("wan={}", digits(&back))]].concat());
    assert!(
        text(&story, "nat inbound")
            .ends_with(": destination 203.0.113.1:40000 -> 192.168.0.2:40000"),
        "{story:?}"
    );
}

#[test]
fn a_published_port_names_its_rule() {
    let macs = (mac_of("wan"), wan_router_mac());
    let syn = tcp(macs, (SERVER, 5000), (EXTERNAL, 8080), 0x02);
    let story = told(&[format!("wan={}", digits(&syn))]);
    assert_eq!(
        text(&story, "nat inbound"),
        "publish 1 (203.0.113.1:8080/tcp to 192.168.0.2:80) listens here: destination 203.0.113.1:8080 -> 192.168.0.2:80"
    );
    let unwanted = tcp(macs, (SERVER, 5000), (EXTERNAL, 9), 0x02);
    let story = told(&[format!("wan={}", digits(&unwanted))]);
    assert_eq!(
        (story.verdict.passes, story.verdict.reason.as_deref()),
        (false, Some("unsolicited"))
    );
    assert!(story.verdict.text.starts_with("dropped in step 5, nat inbound: unsolicited. "));
    assert!(
        story.advice[0].contains("`tapswitch publish add 203.0.113.1:9/tcp --to ADDRESS:PORT`")
    );
}

#[test]
fn what_is_told_to_programs_is_whole() {
    let story = told(&[digits(&to_server())]);
    let json = serde_json::to_value(&story).unwrap();
    assert_eq!(json["in"], "red");
    assert_eq!(json["verdict"]["fate"], "held");
    let fact = &json["steps"][6]["facts"][0];
    assert_eq!((&fact["what"], &fact["masquerade"]), (&"nat-outbound".into(), &1.into()));
    assert_eq!(fact["before"], "tcp 192.168.0.2:40000 > 198.51.100.7:80");
    assert_eq!(fact["after"], "tcp 203.0.113.1:40000 > 198.51.100.7:80");
    assert!(fact["flow"].as_str().unwrap().contains("src=198.51.100.7 dst=203.0.113.1"), "{fact}");
    assert_eq!(json["steps"][1]["facts"][0]["learning"], "new");
    assert_eq!(serde_json::from_value::<Story>(json).unwrap(), story, "and can be read again");
}

#[test]
fn vlans_and_tunnels_are_told_by_name() {
    let lab = lab_of(
        "[bridge.br0]\n[port.ten]\nbridge = \"br0\"\nnetns = \"a\"\nvlan = 10\n\
         [port.all]\nbridge = \"br0\"\nnetns = \"b\"\n\
         [tunnel.vx0]\nbridge = \"br0\"\nvni = 42\nremotes = [\"192.0.2.1\", \"192.0.2.2\"]\nmtu = 1400\ntrunk = true\n",
    );
    let plain = format!("ffffffffffff 020000000001 88b5 {}", "00".repeat(50));
    let story = asked(&lab, "ten", std::slice::from_ref(&plain)).unwrap().remove(0);
    assert_eq!(text(&story, "parse"), "untagged on ten (access 10): bridge br0, VLAN 10");
    assert_eq!(
        text(&story, "decide"),
        "broadcast: flood | to all (tagged VLAN 10), vx0 (tagged VLAN 10); not to ten (it came from there)"
    );
    let to: Vec<_> = story.sent[0].to.iter().map(|copy| (copy.port.as_str(), copy.vlan)).collect();
    assert_eq!(to, [("all", Some(10)), ("vx0@192.0.2.1", Some(10)), ("vx0@192.0.2.2", Some(10))]);
    let tagged = "ffffffffffff 020000000001 8100 0014 88b5 0000".to_owned();
    let story = asked(&lab, "ten", &[tagged]).unwrap().remove(0);
    assert!(
        story.advice[0].contains("`tapswitch port set ten --trunks 20 --unset vlan`"),
        "{:?}",
        story.advice
    );
    let story = asked(&lab, "vx0@192.0.2.2", std::slice::from_ref(&plain)).unwrap().remove(0);
    assert_eq!(story.steps.len(), 9);
    assert_eq!(
        text(&story, "decap"),
        "192.0.2.2 is a remote VTEP of tunnel vx0 (VNI 42): decapsulated"
    );
    let stranger = asked(&lab, "vx0@192.0.2.9", &[plain]).unwrap().remove(0);
    assert!(stranger.verdict.text.starts_with("dropped in step 0, decap: unknown-vtep."));
    assert!(
        stranger.advice[0].contains("`tapswitch tunnel set vx0 --remote 192.0.2.9`"),
        "{:?}",
        stranger.advice
    );
}

#[test]
fn a_frame_that_arp_contradicts_comes_with_advice() {
    let red = mac_of("red");
    let claims = arp(Operation::Request, (red, ROUTER), (Mac::BROADCAST, OUTSIDE));
    let story = told(&[digits(&claims)]);
    assert!(text(&story, "arp").contains("that address is the router's own"));
    assert!(
        story.advice[0].starts_with("Give the station another IPv4 address"),
        "{:?}",
        story.advice
    );
    assert_eq!(story.notices.len(), 1);
}

#[test]
fn what_cannot_be_told_is_a_sentence() {
    let ping = digits(&ping((mac_of("red"), router_mac()), RED, ROUTER));
    for (input, frame, sentence) in [
        (
            "grey",
            ping.as_str(),
            "the lab has no port `grey` to take frames in: it has blue, red, wan",
        ),
        ("red@192.0.2.1", &ping, "`red` is a port, and only tunnels have remotes: write --in red"),
        (
            "",
            &ping,
            "\"\" names nothing that frames come in on: write PORT, or TUNNEL@ADDRESS for a remote VTEP of a tunnel",
        ),
        (
            "vx0@far",
            &ping,
            "\"vx0@far\" names nothing that frames come in on: write PORT, or TUNNEL@ADDRESS for a remote VTEP of a tunnel",
        ),
        (
            "red",
            "012",
            "a frame of 3 hexadecimal digits ends in half a byte: one is missing, or one is too many",
        ),
        ("red", "grey=01", "the lab has no port `grey` to take frames in: it has blue, red, wan"),
        ("red", "", "there is no frame to explain: give its bytes as hexadecimal digits"),
    ] {
        let error = asked(&lab(), input, &[frame.to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), sentence);
    }
    let many = vec![ping; MAX_FRAMES + 1];
    let error = asked(&lab(), "red", &many).unwrap_err().to_string();
    assert!(error.starts_with("these are more frames than are explained at once, 256"), "{error}");
    let none = asked(&lab(), "red", &[]).unwrap_err().to_string();
    assert!(none.starts_with("there is no frame"), "{none}");
}

#[test]
fn frames_are_taken_out_of_captures() {
    let room = Room::new();
    let path = room.pcap("a.pcap", &red_frames());
    let name = path.to_str().unwrap();
    let read = |text: &str| Selection::parse(text).unwrap().read();
    assert_eq!(read(name).unwrap().len(), 4);
    assert_eq!(read(&format!("{name}:2")).unwrap(), [red_frames()[1].1.clone()]);
    let error = read(&format!("{name}:5")).unwrap_err().to_string();
    assert_eq!(error, format!("{name} has 4 frames and no frame 5"));
    let whole = std::fs::read(&path).unwrap();
    let cut = room.write("cut.pcap", &whole[..whole.len() - 3]);
    let error = read(&format!("{}:4", cut.display())).unwrap_err().to_string();
    assert!(
        error.ends_with("breaks off behind frame 3: what follows is lost, and frame 4 with it"),
        "{error}"
    );
    assert_eq!(
        read(&format!("{}:3", cut.display())).unwrap().len(),
        1,
        "what is there can be told"
    );
    assert!(read(cut.to_str().unwrap()).is_err());
    let many = room.pcap("many.pcap", &vec![(0, vec![2; 60]); 300]);
    let error = read(many.to_str().unwrap()).unwrap_err().to_string();
    assert!(error.contains("many.pcap has more frames than are explained at once"), "{error}");
    assert_eq!(read(&format!("{}:300", many.display())).unwrap().len(), 1);
    let none = room.pcap("none.pcap", &[]);
    let error = read(none.to_str().unwrap()).unwrap_err().to_string();
    assert!(error.ends_with("none.pcap holds no frames"), "{error}");
}

#[test]
fn captures_that_are_no_frames_are_sentences() {
    let room = Room::new();
    let snapped = MICROS.packet((0, 0), [96, 1514], &[], &[2; 96]);
    let file = room.write("short.pcap", &[MICROS.header(), snapped].concat());
    let error = Selection::parse(file.to_str().unwrap()).unwrap().read().unwrap_err().to_string();
    assert!(error.starts_with("only the first 96 bytes of frame 1 of "), "{error}");
    let file = room.write("any.pcap", &Pcap { network: 113, ..MICROS }.header());
    let error = Selection::parse(file.to_str().unwrap()).unwrap().read().unwrap_err().to_string();
    assert!(error.contains("link type 113, and the switch carries Ethernet (1) alone"), "{error}");
}

#[test]
fn every_reason_has_advice_of_its_own() {
    let all: Vec<(DropReason, String)> = remedies().collect();
    assert_eq!(all.len(), DropReason::COUNT);
    for (at, (reason, advice)) in all.iter().enumerate() {
        assert!(advice.ends_with(['.', '`']) && advice.len() > 40, "{reason}: {advice}");
        assert!(!advice.contains(['{', '}']), "{reason}: {advice}");
        assert_eq!(advice.matches('`').count() % 2, 0, "{reason}: {advice}");
        let same = all[..at].iter().find(|(_, other)| other == advice);
        assert_eq!(same, None, "{reason}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_have_a_story(bytes in prop::collection::vec(any::<u8>(), 1..200), port in 0usize..3) {
        let story = asked(&lab(), ["red", "blue", "wan"][port], &[digits(&bytes)]).unwrap().remove(0);
        prop_assert_eq!(story.verdict.passes, story.verdict.reason.is_none());
        prop_assert!(story.verdict.passes || !story.advice.is_empty());
        prop_assert!(story.advice.iter().all(|advice| !advice.contains(['{', '}'])), "{:?}", story.advice);
    }
}
