//! Masquerade and publish rules in few words. Each call adds a rule behind those that are there.

use core::net::SocketAddrV4;

use nat::lifetime::Lifetimes;
use nat::{FlowView, Limits, Listen, Masquerade, Publish, Rules};
use packet::Protocol;
use switch::Change;

use crate::lab::Lab;
use crate::topology::net;
use crate::wire::Socket;

impl Lab {
    /// A masquerade rule to be changed as a test likes: `source` as `192.168.0.0/24`, `out` an
    /// interface's name.
    pub fn rule(&self, source: &str, out: &str) -> Masquerade {
        Masquerade::new(net(source), self.interface_id(out))
    }

    /// Adds a masquerade rule with its defaults.
    pub fn masquerade(&mut self, source: &str, out: &str) {
        self.masquerade_with(self.rule(source, out));
    }

    /// Adds a masquerade rule.
    pub fn masquerade_with(&mut self, rule: Masquerade) {
        let mut rules = self.checks.rules.clone();
        rules.masquerade.push(rule);
        self.set_rules(rules);
    }

    /// Adds a publish rule: `203.0.113.1:8080/tcp` to `192.168.0.2:80`.
    pub fn publish(&mut self, listen: &str, to: &str) {
        let (socket, protocol) = listen.split_once('/').expect("a protocol behind a slash");
        let socket: SocketAddrV4 = socket.socket();
        self.publish_on(Listen::Address(*socket.ip()), socket.port(), protocol, to);
    }

    /// Adds a publish rule with any listener.
    pub fn publish_on(&mut self, listen: Listen, port: u16, protocol: &str, to: &str) {
        let protocol = match protocol {
            "tcp" => Protocol::TCP,
            "udp" => Protocol::UDP,
            other => panic!("cannot publish {other}"),
        };
        let mut rules = self.checks.rules.clone();
        rules.publish.push(Publish { protocol, listen, port, to: to.socket(), keep: false });
        self.set_rules(rules);
    }

    /// Replaces all rules.
    pub fn set_rules(&mut self, rules: Rules) {
        self.change(Change::SetRules(rules));
    }

    /// The rules as they are.
    pub const fn rules(&self) -> &Rules {
        &self.checks.rules
    }

    /// Sets how many flows there may be, and how many of one host.
    pub fn limits(&mut self, flows: usize, flows_per_host: usize) {
        self.change(Change::SetLimits(Limits { flows, flows_per_host }));
    }

    /// Sets how long idle flows live.
    pub fn lifetimes(&mut self, lifetimes: Lifetimes) {
        self.change(Change::SetLifetimes(lifetimes));
    }

    /// The flows that live now.
    pub fn flows(&self) -> Vec<FlowView> {
        self.switch.flows(self.now)
    }
}
