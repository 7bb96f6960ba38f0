//! Plans between labs: by hand for their words, at random for their effect.

use std::collections::{BTreeMap, BTreeSet};

use packet::Mac;
use proptest::prelude::*;

use super::{Plan, Step};
use crate::fuzz::Model;
use crate::machine::{DeviceState, Machine};
use crate::{Lab, LabSpec, ListenScope, Name, parse};

mod tunnels;

const DOCKER: &str = include_str!("../../../examples/docker-bridge.toml");
const DOCKER_225: &str = include_str!("../../../examples/docker-bridge-225.toml");

fn lab(text: &str) -> Lab {
    match parse(text.as_bytes(), "lab.toml") {
        Ok(lab) => lab,
        Err(error) => panic!("{error}\n\n{text}"),
    }
}

#[test]
fn the_same_lab_twice_needs_no_changes() {
    let lab = lab(DOCKER);
    let plan = Plan::between(&lab, &lab);
    assert!(plan.is_empty());
    assert_eq!(plan.to_string(), "no changes");
}

#[test]
fn a_new_lab_is_built_from_the_ground_up() {
    assert_eq!(
        Plan::between(&Lab::default(), &lab(DOCKER)).to_string(),
        "+ masquerade 172.17.0.0/16 out wan\n\
         + bridge docker0, router 172.17.0.1/16\n\
         + port app (netns app, eth0, 172.17.0.3/16) on docker0\n\
         + port wan (netns world, eth0, 203.0.113.254/24) routed by 203.0.113.1/24\n\
         + port web (netns web, eth0, 172.17.0.2/16) on docker0\n\
         + route 0.0.0.0/0 via 203.0.113.254 out wan\n\
         + publish 203.0.113.1:8080/tcp to 172.17.0.2:80"
    );
}

#[test]
fn a_lab_is_torn_down_from_the_top() {
    assert_eq!(
        Plan::between(&lab(DOCKER), &Lab::default()).to_string(),
        "- publish 203.0.113.1:8080/tcp to 172.17.0.2:80\n\
         - route 0.0.0.0/0 via 203.0.113.254 out wan\n\
         - port app (netns app, eth0, 172.17.0.3/16) on docker0\n\
         - port wan (netns world, eth0, 203.0.113.254/24) routed by 203.0.113.1/24\n\
         - port web (netns web, eth0, 172.17.0.2/16) on docker0\n\
         - bridge docker0\n\
         - masquerade 172.17.0.0/16 out wan"
    );
}

#[test]
fn a_network_moves_in_place_and_is_masqueraded_throughout() {
    assert_eq!(
        Plan::between(&lab(DOCKER), &lab(DOCKER_225)).to_string(),
        "+ masquerade 192.168.225.0/24 out wan\n\
         ~ bridge docker0: router 172.17.0.1/16 -> 192.168.225.1/24, \
         mac 02:d5:e7:bc:af:99 -> 02:68:ff:83:5e:42\n\
         ~ port app: address 172.17.0.3/16 -> 192.168.225.3/24, gateway 172.17.0.1 -> 192.168.225.1, \
         mac 02:93:02:ce:e7:3e -> 02:e7:a0:79:ba:e3\n\
         ~ port web: address 172.17.0.2/16 -> 192.168.225.2/24, gateway 172.17.0.1 -> 192.168.225.1, \
         mac 02:98:f4:03:26:02 -> 02:50:81:7c:d3:8b\n\
         - masquerade 172.17.0.0/16 out wan\n\
         ~ publish 203.0.113.1:8080/tcp: 172.17.0.2:80 -> 192.168.225.2:80"
    );
}

#[test]
fn a_port_with_another_device_is_made_anew_and_all_that_stands_on_it_stays() {
    let after = DOCKER.replace("netns = \"world\"", "netns = \"world\"\ndevice = \"net0\"");
    assert_eq!(
        Plan::between(&lab(DOCKER), &lab(&after)).to_string(),
        "~ port wan: made anew, far end netns world, eth0 -> netns world, net0"
    );
}

#[test]
fn a_port_that_moves_to_another_bridge_keeps_its_device() {
    let text = |bridge: &str| {
        lab(&format!("[bridge.a]\n[bridge.b]\n[port.p]\nbridge = \"{bridge}\"\nnetns = \"p\"\n"))
    };
    assert_eq!(Plan::between(&text("a"), &text("b")).to_string(), "~ port p: bridge a -> b");
    let routed = lab("[port.p]\nrouter = \"10.0.0.1/24\"\nnetns = \"p\"\n");
    assert_eq!(
        Plan::between(&text("a"), &routed).to_string(),
        "- bridge b\n~ port p: near end on a -> routed by 10.0.0.1/24\n- bridge a"
    );
}

#[test]
fn bridges_that_swap_their_subnets_never_overlap() {
    let before = "[bridge.a]\nrouter = \"10.0.0.1/24\"\n[bridge.b]\nrouter = \"10.0.1.1/24\"\n";
    let after = "[bridge.a]\nrouter = \"10.0.1.1/24\"\n[bridge.b]\nrouter = \"10.0.0.1/24\"\n";
    assert_eq!(
        Plan::between(&lab(before), &lab(after)).to_string(),
        "~ bridge a: router 10.0.0.1/24 -> none\n\
         ~ bridge b: router 10.0.1.1/24 -> none\n\
         ~ bridge a: router none -> 10.0.1.1/24, mac 02:c7:e5:62:b3:f1 -> 02:d9:f1:b2:6c:eb\n\
         ~ bridge b: router none -> 10.0.0.1/24, mac 02:c5:82:9f:fd:e8 -> 02:6f:56:b9:12:79"
    );
}

#[test]
fn every_setting_of_a_port_has_its_word() {
    let text = |lines: &str| {
        lab(&format!(
            "[bridge.b]\n[port.p]\nbridge = \"b\"\nnetns = \"p\"\nmac = \"2:0:0:0:0:1\"\n{lines}"
        ))
    };
    let plan = Plan::between(
        &text(""),
        &text(
            "mtu = 9000\nvlan = 10\nisolated = true\npriority_tags = true\naddress = \"10.0.0.2/24\"\n\
             guard = true",
        ),
    );
    assert_eq!(
        plan.to_string(),
        "~ port p: address none -> 10.0.0.2/24, mtu 1500 -> 9000, vlan_mode trunk all -> access 10, \
         priority_tags never -> if-nonzero, isolated false -> true, guard false -> true"
    );
}

#[test]
fn settings_and_bridges_have_their_words() {
    let after = "[switch]\nworkers = 2\ncpus = [0, 1]\npoll = \"2ms\"\n[switch.timeouts]\nudp = 60\n[bridge.b]\nageing = 60\n\
                 forward = \"lldp\"\nhub = true\nrp_filter = \"off\"\n[bridge.b.vlan.10]\nrouter = \"10.0.0.1/24\"\nrp_filter = \"strict\"\n";
    assert_eq!(
        Plan::between(&lab("[bridge.b]\n"), &lab(after)).to_string(),
        "~ switch: workers auto -> 2, cpus any -> 0,1, poll off -> 2ms, timeout udp_unreplied 300s -> 60s, timeout udp_stream 300s -> 60s\n\
         ~ bridge b: VLAN 10 router none -> 10.0.0.1/24, VLAN 10 rp_filter loose -> strict, rp_filter loose -> off, mac 02:c5:fd:e9:03:2d -> 02:6f:56:b9:12:79, \
         hub false -> true, ageing 300s -> 60s, forward none -> lldp"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_plan_leads_where_it_should_and_never_dangles(
        current in labs(),
        wanted in labs(),
        damage: u32,
    ) {
        let plan = Plan::between(&current, &wanted);
        let mut lab = current.clone();
        for step in plan.steps() {
            prop_assert!(!step.to_string().contains('\n'));
            step.apply_to(&mut lab);
            consistent(&lab, step)?;
        }
        prop_assert_eq!(&lab, &wanted);
        let mut model = Model::default();
        model.become_lab(&current);
        let damage = model.damage(damage);
        model.become_lab(&wanted);
        model.damage(damage);
        model.become_lab(&wanted);
        prop_assert!(Plan::between(&lab, &wanted).is_empty());
    }
}

/// What holds between any two steps: references lead somewhere and subnets are apart.
fn consistent(lab: &Lab, step: &Step) -> Result<(), TestCaseError> {
    for port in lab.ports.values() {
        prop_assert!(port.bridge().is_none_or(|bridge| lab.bridges.contains_key(bridge)), "{step}");
    }
    for entry in &lab.statics {
        let there = match entry.remote {
            None => {
                let port = lab.ports.get(&entry.port);
                port.is_some_and(|port| port.bridge() == Some(&entry.bridge))
            }
            Some(remote) => {
                let tunnel = lab.tunnels.get(&entry.port).filter(|t| t.bridge == entry.bridge);
                tunnel.is_some_and(|tunnel| tunnel.remotes.contains(&remote))
            }
        };
        prop_assert!(there, "{step}: {entry}");
    }
    let mut segments = BTreeSet::new();
    let mut sockets = BTreeMap::new();
    for tunnel in lab.tunnels.values() {
        prop_assert!(lab.bridges.contains_key(&tunnel.bridge), "{step}");
        prop_assert!(!lab.ports.contains_key(&tunnel.name), "{step}");
        for remote in &tunnel.remotes {
            prop_assert!(segments.insert((remote, tunnel.vni, tunnel.port)), "{step}");
        }
        let local = *sockets.entry(tunnel.port).or_insert(tunnel.local.is_some());
        prop_assert_eq!(local, tunnel.local.is_some(), "{}", step);
    }
    for hop in lab.routes.values() {
        prop_assert!(hop.out().is_none_or(|out| lab.interface(out).is_some()), "{step}: {hop}");
    }
    let interfaces = lab.interfaces();
    let own: BTreeSet<_> =
        interfaces.iter().flat_map(|interface| interface.addresses).map(|net| net.addr()).collect();
    for listener in lab.publish.keys() {
        let there = match &listener.scope {
            ListenScope::Any => true,
            ListenScope::Address(address) => own.contains(address),
            ListenScope::Interface(name) => lab.interface(name).is_some(),
        };
        prop_assert!(there, "{step}: {listener}");
    }
    for (index, one) in interfaces.iter().enumerate() {
        for other in interfaces.iter().skip(index + 1) {
            for (a, b) in
                one.addresses.iter().flat_map(|a| other.addresses.iter().map(move |b| (a, b)))
            {
                prop_assert!(!a.contains(b) && !b.contains(a), "{step}: {a} and {b}");
            }
        }
    }
    Ok(())
}

/// Legal labs over few names and few subnets, so that two of them have much to swap.
fn labs() -> impl Strategy<Value = Lab> {
    let segments = prop::sample::subsequence(vec!["b", "b.10", "c", "c.10", "w", "x"], 0..=6);
    let subnets = Just((0..6_u8).collect::<Vec<_>>()).prop_shuffle();
    (segments, subnets, prop::collection::vec(any::<u8>(), 128)).prop_map(
        |(segments, subnets, dice)| {
            let text = written(&segments, &subnets, &mut dice.into_iter());
            lab(&text)
        },
    )
}

/// A lab file of these interfaces; the dice decide what else is in it.
fn written(segments: &[&str], subnets: &[u8], dice: &mut dyn Iterator<Item = u8>) -> String {
    let mut roll = |sides: u8| dice.next().unwrap_or(0) % sides;
    let mut text = format!("[switch]\nflows = {}\n", 100 + i32::from(roll(2)));
    let mut rules = String::new();
    let on = |owner: &str| segments.iter().any(|name| name.split('.').next() == Some(owner));
    for bridge in ["b", "c"].into_iter().filter(|bridge| on(bridge)) {
        text += &format!("[bridge.{bridge}]\nageing = {}\n", 15 + i32::from(roll(2)));
        for (name, subnet) in segments.iter().zip(subnets) {
            let second =
                if roll(3) == 0 { format!(", \"10.{subnet}.9.1/24\"") } else { String::new() };
            let router = format!("router = [\"10.{subnet}.{}.1/24\"{second}]\n", roll(2));
            if *name == bridge {
                text += &router;
            } else if name.strip_suffix(".10") == Some(bridge) {
                rules += &format!("[bridge.{bridge}.vlan.10]\n{router}");
            }
        }
        for port in 0..3 {
            if roll(2) == 0 {
                continue;
            }
            let home = ["b", "c"][usize::from(roll(2))];
            if !on(home) || rules.contains(&format!("[port.p{port}]")) {
                continue;
            }
            rules += &format!(
                "[port.p{port}]\nbridge = \"{home}\"\nnetns = \"n{}\"\ndevice = \"d{port}\"\n",
                roll(2)
            );
            rules += &format!("isolated = {}\nmtu = {}\n", roll(2) == 0, 1400 + i32::from(roll(2)));
            if roll(2) == 0 {
                rules += &format!(
                    "[[bridge.{home}.static]]\nmac = \"02:00:00:00:00:0{port}\"\nport = \"p{port}\"\n"
                );
            }
        }
    }
    for (name, subnet) in segments.iter().zip(subnets) {
        let third = roll(2);
        if !name.starts_with(['b', 'c']) {
            text += &format!(
                "[port.{name}]\nrouter = \"10.{subnet}.{third}.1/24\"\nnetns = \"{name}{}\"\n",
                roll(2)
            );
        }
        if !name.starts_with(['b', 'c']) && roll(2) == 0 {
            rules += &format!(
                "[[route]]\nto = \"198.51.{subnet}.0/24\"\nvia = \"10.{subnet}.{third}.2\"\n"
            );
            rules += &format!(
                "[[publish]]\nlisten = \"10.{subnet}.{third}.1:{}\"\nto = \"198.51.{subnet}.7\"\n",
                80 + roll(2)
            );
        }
        if roll(2) == 0 {
            rules += &format!(
                "[[route]]\nto = \"203.0.{}.0/24\"\nout = \"{name}\"\n",
                subnet / 2 * 2 + u8::from(subnet % 2 == 1)
            );
            rules += &format!(
                "[[publish]]\nlisten = \"{name}:{}\"\nto = \"203.0.{subnet}.7\"\n",
                90 + roll(2)
            );
        }
        if roll(2) == 0 {
            rules +=
                &format!("[[masquerade]]\nsource = \"10.0.{}.0/24\"\nout = \"{name}\"\n", roll(4));
        }
    }
    if roll(2) == 0 {
        rules += "[[route]]\nto = \"default\"\nreject = \"prohibit\"\n";
    }
    let homes: Vec<&str> = ["b", "c"].into_iter().filter(|bridge| on(bridge)).collect();
    rules += &tunnels::written(&homes, &rules, &mut roll);
    text + &rules
}

#[test]
fn a_written_back_lab_needs_no_changes() {
    let (spec, lab) = crate::parse_spec(DOCKER.as_bytes(), "lab.toml").unwrap();
    let json = serde_json::to_string(&spec).unwrap();
    let again = Lab::try_from(&serde_json::from_str::<LabSpec>(&json).unwrap()).unwrap();
    assert!(Plan::between(&lab, &again).is_empty());
}

#[test]
fn a_device_that_somebody_else_changed_is_mended_and_what_nobody_wrote_is_let_alone() {
    let lab = lab(DOCKER);
    let web: Name = "web".parse().unwrap();
    let port = &lab.ports[&web];
    let as_the_lab_says = DeviceState::of(port);
    let plan = |state: DeviceState| {
        let devices = BTreeMap::from([(web.clone(), state)]);
        Plan::on(&Machine { devices, ..Machine::default() }, &lab, &lab).to_string()
    };
    assert_eq!(plan(as_the_lab_says.clone()), "no changes");
    let mut more = as_the_lab_says.clone();
    more.address.push("10.9.9.9/24".parse().unwrap());
    assert_eq!(plan(DeviceState { master: Some("br9".into()), ..more }), "no changes");
    let all = DeviceState {
        name: "eth7".into(),
        up: false,
        near_up: false,
        mac: Mac([2, 0, 0, 0, 0, 9]),
        mtu: 1400,
        super_frame: 9000,
        address: Vec::new(),
        gateway: None,
        master: None,
    };
    assert_eq!(
        plan(all),
        "~ port web differs on the machine: named eth7 (lab: eth0), \
         mac 02:00:00:00:00:09 (lab: 02:98:f4:03:26:02), mtu 1400 (lab: 1500), \
         super-frames 9000 (lab: 65536), no address 172.17.0.2/16, down, near end down, \
         no gateway (lab: 172.17.0.1)"
    );
    let lost = Machine { lost: BTreeSet::from([web.clone()]), ..Machine::default() };
    assert_eq!(Plan::on(&lost, &lab, &lab).to_string(), "+ port web again, which was lost");
}
