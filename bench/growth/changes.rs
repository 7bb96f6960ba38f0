//! What a change set costs: of routes, of VLAN interfaces, and of rules that every flow is judged
//! by; and how long packets wait for it at most, which is the longest that the switch is held at a
//! time.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bench::work;
use nat::Rules;
use packet::{BridgeId, InterfaceId, Ipv4Net, Mac, VlanId};
use switch::change::{BridgeSettings, Hop, InterfaceSettings, Link, Route, RpFilter};
use switch::{Change, Event, Outbox, Switch};

use crate::curve::{Curve, Panel, Target};
use crate::interrupt;

/// Microseconds a thing of a change set, by things.
pub(crate) fn panel(quick: bool) -> Result<Panel> {
    let rules = if quick { &FLOWS[..QUICK] } else { &FLOWS[..] };
    let (mut curves, mut targets) = (Vec::new(), Vec::new());
    for (name, steps, change) in [
        ("routes", &ROUTES[..], routes as fn(u32) -> Result<Held>),
        ("VLAN interfaces", &INTERFACES[..], interfaces),
        ("flows judged", rules, judged),
    ] {
        let mut curve = Curve::new(name);
        for &things in steps {
            interrupt::check()?;
            let Held { whole, longest } = change(things)?;
            let cost = whole.as_secs_f64() * 1e6 / f64::from(things);
            eprintln!("{name} {things}: {whole:.1?} in all, packets wait {longest:.2?}");
            curve.push(things, cost);
            if Some(&things) == steps.last() {
                targets.push(Target {
                    what: format!("ms that packets wait for {things} {name}"),
                    found: longest.as_secs_f64() * 1e3,
                    most: 10.0,
                });
            }
        }
        curves.push(curve);
    }
    Ok(Panel {
        unit: "us a thing in a change",
        things: "routes, interfaces, flows",
        curves,
        targets,
    })
}

/// How long a change set took, and how long the switch was held at a time.
struct Held {
    whole: Duration,
    longest: Duration,
}

/// Makes changes as the dataplane does, until nothing of them is left to do.
fn make(switch: &mut Switch, now: packet::Instant, changes: Vec<Change>) -> Result<Held> {
    let mut out = Outbox::new(8);
    let start = Instant::now();
    let draft = switch.draft();
    let mut longest = start.elapsed();
    let mut prepared = draft.prepare(changes)?;
    let held = Instant::now();
    switch.commit(now, &mut prepared, &mut out)?;
    longest = longest.max(held.elapsed());
    drop(prepared);
    while switch.is_sweeping() {
        let held = Instant::now();
        switch.step(now, Event::Timeout, &mut out);
        longest = longest.max(held.elapsed());
    }
    Ok(Held { whole: start.elapsed(), longest })
}

fn routes(count: u32) -> Result<Held> {
    let (mut switch, mut out) = (Switch::new(1), Outbox::new(8));
    let uplink = InterfaceSettings {
        link: Link::Port(packet::PortId::new(0)),
        mac: Mac([2, 0, 0, 0, 0, 1]),
        addresses: vec![Ipv4Net::new(Ipv4Addr::new(192, 0, 2, 1), 24)?],
        mtu: 1500,
        rp_filter: RpFilter::Loose,
    };
    switch.apply(NOW, Change::SetInterface(InterfaceId::new(0), uplink), &mut out)?;
    let hop = Hop::Via(Ipv4Addr::new(192, 0, 2, 2));
    let net = |number: u32| Ipv4Net::new(Ipv4Addr::from_bits(10 << 24 | number << 8), 24);
    let changes = (0..count).map(|number| Ok(Change::SetRoute(Route { to: net(number)?, hop })));
    let held = make(&mut switch, NOW, changes.collect::<Result<_>>()?)?;
    ensure!(switch.routes().len() == count as usize + 1, "routes are missing");
    Ok(held)
}

fn interfaces(count: u32) -> Result<Held> {
    let mut switch = Switch::new(1);
    let bridge = BridgeId::new(0);
    let interface = |number: u32| {
        let vlan = VlanId::new(number as u16 + 1).ok_or_else(|| anyhow::anyhow!("no VLAN"))?;
        let first = Ipv4Addr::from_bits(10 << 24 | number << 8 | 1);
        let settings = InterfaceSettings {
            link: Link::Vlan { bridge, vlan },
            mac: Mac([2, 0, 0, 1, (number >> 8) as u8, number as u8]),
            addresses: vec![Ipv4Net::new(first, 24)?],
            mtu: 1500,
            rp_filter: RpFilter::Loose,
        };
        Ok(Change::SetInterface(InterfaceId::new(number as u16), settings))
    };
    let bridges = [Ok(Change::SetBridge(bridge, BridgeSettings::default()))];
    let changes = bridges.into_iter().chain((0..count).map(interface));
    let held = make(&mut switch, NOW, changes.collect::<Result<_>>()?)?;
    ensure!(switch.routes().len() == count as usize, "interfaces are missing");
    Ok(held)
}

/// All flows end, which is the most that a change of rules can ask.
fn judged(flows: u32) -> Result<Held> {
    let (mut switch, now) = work::translated(flows).into_switch();
    make(&mut switch, now, vec![Change::SetRules(Rules::default())])
}

const NOW: packet::Instant = packet::Instant::from_secs(1);
const ROUTES: [u32; 5] = [100, 1_000, 10_000, 30_000, 65_536];
const INTERFACES: [u32; 4] = [10, 100, 1_000, 4_094];
const FLOWS: [u32; 5] = [1_000, 10_000, 64_000, 300_000, 1_000_000];
/// How many of them a quick run takes.
const QUICK: usize = 3;
