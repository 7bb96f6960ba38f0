//! Flows by what they are, in people's words: listed, and ended by hand.
//!
//! What a flow is under (a rule, a port) is told by name, and turned into the switch's numbers
//! while the lab is held still, so that a rule that moves meanwhile is not mistaken for another.

use switch::change::{Behind, FlowFilter, FlowRule};

use super::{Engine, EngineError, Running};
use control::view::FlowEntry;
use offline::listing::rows;

/// Which flows are meant, beside what their own packets tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowNames {
    /// A masquerade rule's number, `publish:N`, or a listener.
    pub rule: Option<String>,
    /// A port or tunnel.
    pub port: Option<String>,
}

impl Engine {
    /// The flows that live and are meant.
    ///
    /// # Errors
    /// A rule or a port that is not there.
    pub async fn flows(
        &self,
        filter: FlowFilter,
        names: &FlowNames,
    ) -> Result<Vec<FlowEntry>, EngineError> {
        let running = self.running.lock().await;
        let filter = running.flows(filter, names)?;
        let flows = self.plane.flows(&filter);
        Ok(flows.into_iter().map(rows::flow).collect())
    }

    /// Ends the flows that are meant, and says which they were. Packets of those that go on make
    /// new ones, if they may.
    ///
    /// # Errors
    /// A rule or a port that is not there.
    pub async fn end_flows(
        &self,
        filter: FlowFilter,
        names: &FlowNames,
    ) -> Result<Vec<FlowEntry>, EngineError> {
        let running = self.running.lock().await;
        let filter = running.flows(filter, names)?;
        let ended = self.plane.end_flows(&filter)?;
        Ok(ended.into_iter().map(rows::flow).collect())
    }
}

impl Running {
    fn flows(&self, filter: FlowFilter, names: &FlowNames) -> Result<FlowFilter, EngineError> {
        let rule = names.rule.as_deref().map(|text| self.rule(text)).transpose()?;
        let behind = names.port.as_deref().map(|name| self.behind(name)).transpose()?;
        Ok(FlowFilter { rule, behind, ..filter })
    }

    fn behind(&self, name: &str) -> Result<Behind, EngineError> {
        let port = self.port(name)?;
        let written = self.lab.ports.iter().filter(|(written, _)| written.as_str() == name);
        let addresses = written.flat_map(|(_, port)| &port.address).map(packet::Ipv4Net::addr);
        Ok(Behind { port, addresses: addresses.collect() })
    }

    fn rule(&self, text: &str) -> Result<FlowRule, EngineError> {
        if let Some(at) = self.listener(text) {
            return Ok(FlowRule::Publish(at));
        }
        let (kind, number) = text.split_once(':').unwrap_or(("masquerade", text));
        let number: Option<usize> = number.parse().ok();
        let count = match kind {
            "masquerade" => self.spec.masquerade.len(),
            "publish" => self.spec.publish.len(),
            _ => 0,
        };
        let Some(number) = number.filter(|_| ["masquerade", "publish"].contains(&kind)) else {
            return Err(EngineError::Unknown(format!(
                "there is no rule {text:?}: write a masquerade rule's number as `tapswitch masquerade list` shows it, \
                 or where something is published, as `tapswitch publish list` shows it"
            )));
        };
        let at = number.checked_sub(1).filter(|at| *at < count);
        let found = at.and_then(|at| match kind {
            "publish" => self.listener(&self.spec.publish.get(at)?.listen).map(FlowRule::Publish),
            _ => Some(FlowRule::Masquerade(at)),
        });
        found.ok_or_else(|| {
            EngineError::Unknown(format!("there is no {kind} rule {number}: there are {count}"))
        })
    }

    /// The place among the switch's publish rules of the one that listens there: they are in the
    /// lab's order.
    fn listener(&self, text: &str) -> Option<usize> {
        let spelled = [text.to_owned(), format!("{text}/tcp")];
        self.lab.publish.keys().position(|listener| spelled.contains(&listener.to_string()))
    }
}
