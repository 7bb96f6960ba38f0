//! Routes, masquerade and publish: lists in the lab, whose entries are told apart by what they
//! match.
//!
//! An index counts from 1, as in the sentences of the check.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use packet::Ipv4Net;
use serde::Deserialize;

use super::body;
use super::error::ApiError;
use super::query::Asked;
use crate::engine::{Engine, EngineError};
use control::message::Changes;
use control::view::RouteView;
use labfile::{MasqueradeSpec, PublishSpec, RouteSpec};

type Shared = State<Arc<Engine>>;
type Answer = Result<Json<Changes>, ApiError>;

/// `GET /v1/routes`
pub(super) async fn routes(State(engine): Shared) -> Json<Vec<RouteView>> {
    Json(engine.routes().await)
}

/// `POST /v1/routes`
pub(super) async fn add_route(
    State(engine): Shared,
    body::Json(wanted): body::Json<RouteSpec>,
) -> Answer {
    let changes = engine.edit(false, |spec| {
        if spec.route.iter().any(|route| same_destination(&route.to, &wanted.to)) {
            let sentence =
                format!("there is a route to {:?} already: set it, or delete it first", wanted.to);
            return Err(EngineError::Conflict(sentence));
        }
        spec.route.push(wanted);
        Ok(())
    });
    Ok(Json(Changes::from(changes.await?)))
}

/// `PUT /v1/routes`
pub(super) async fn set_route(
    State(engine): Shared,
    body::Json(wanted): body::Json<RouteSpec>,
) -> Answer {
    let changes = engine.edit(false, |spec| {
        let same = |route: &&mut RouteSpec| same_destination(&route.to, &wanted.to);
        match spec.route.iter_mut().find(same) {
            Some(route) => *route = wanted,
            None => spec.route.push(wanted),
        }
        Ok(())
    });
    Ok(Json(Changes::from(changes.await?)))
}

/// `?to=` or `?index=`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhichRoute {
    to: Option<String>,
    index: Option<usize>,
}

/// `DELETE /v1/routes`
pub(super) async fn delete_route(State(engine): Shared, Asked(asked): Asked<WhichRoute>) -> Answer {
    named(asked.to.is_some() || asked.index.is_some(), "?to= or ?index=")?;
    let changes = engine.edit(false, |spec| {
        let same = |to: &str| spec.route.iter().position(|route| same_destination(&route.to, to));
        let found = match &asked.to {
            Some(to) => {
                same(to).ok_or_else(|| EngineError::Unknown(format!("there is no route to {to:?}")))
            }
            None => nth("route", asked.index, spec.route.len()),
        };
        spec.route.remove(found?);
        Ok(())
    });
    let changes = changes.await.map_err(|error| ApiError::of_removal("the route", error))?;
    Ok(Json(Changes::from(changes)))
}

/// `GET /v1/masquerade`
pub(super) async fn masquerade(State(engine): Shared) -> Json<Vec<MasqueradeSpec>> {
    Json(engine.spec().await.masquerade)
}

/// `?at=`: the place that the rule takes; the end when left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct At {
    at: Option<usize>,
}

/// `POST /v1/masquerade`
pub(super) async fn add_masquerade(
    State(engine): Shared,
    Asked(At { at }): Asked<At>,
    body::Json(wanted): body::Json<MasqueradeSpec>,
) -> Answer {
    let changes = engine.edit(false, |spec| {
        if spec.masquerade.contains(&wanted) {
            return Err(EngineError::Conflict("this very masquerade rule is there already".into()));
        }
        let end = spec.masquerade.len();
        let at = at.map_or(end, |at| at.saturating_sub(1).min(end));
        spec.masquerade.insert(at, wanted);
        Ok(())
    });
    Ok(Json(Changes::from(changes.await?)))
}

/// `?index=`, or `?source=&out=`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhichMasquerade {
    index: Option<usize>,
    source: Option<String>,
    out: Option<String>,
}

impl WhichMasquerade {
    const fn is_named(&self) -> bool {
        self.index.is_some() || self.source.is_some() || self.out.is_some()
    }

    /// The place of the one rule that is meant.
    fn among(&self, rules: &[MasqueradeSpec]) -> Result<usize, EngineError> {
        if self.source.is_none() && self.out.is_none() {
            return nth("masquerade", self.index, rules.len());
        }
        let meant = |rule: &MasqueradeSpec| {
            let source = self.source.as_ref().is_none_or(|to| same_destination(&rule.source, to));
            source && self.out.as_ref().is_none_or(|out| *out == rule.out)
        };
        let mut found = (0..).zip(rules).filter(|(_, rule)| meant(rule)).map(|(at, _)| at);
        match (found.next(), found.next()) {
            (Some(at), None) => Ok(at),
            (None, _) => Err(EngineError::Unknown("there is no such masquerade rule".into())),
            (Some(_), Some(_)) => Err(EngineError::Conflict(
                "more than one masquerade rule is like that: name it by its index".into(),
            )),
        }
    }
}

/// `PUT /v1/masquerade`
pub(super) async fn set_masquerade(
    State(engine): Shared,
    Asked(asked): Asked<WhichMasquerade>,
    body::Json(wanted): body::Json<MasqueradeSpec>,
) -> Answer {
    named(asked.is_named(), "?index=, or ?source= and ?out=")?;
    let changes = engine.edit(false, |spec| {
        let at = asked.among(&spec.masquerade)?;
        if let Some(rule) = spec.masquerade.get_mut(at) {
            *rule = wanted;
        }
        Ok(())
    });
    Ok(Json(Changes::from(changes.await?)))
}

/// `DELETE /v1/masquerade`
pub(super) async fn delete_masquerade(
    State(engine): Shared,
    Asked(asked): Asked<WhichMasquerade>,
) -> Answer {
    named(asked.is_named(), "?index=, or ?source= and ?out=")?;
    let changes = engine.edit(false, |spec| {
        let at = asked.among(&spec.masquerade)?;
        spec.masquerade.remove(at);
        Ok(())
    });
    let changes = changes.await.map_err(|error| ApiError::of_removal("the rule", error))?;
    Ok(Json(Changes::from(changes)))
}

/// `GET /v1/publish`
pub(super) async fn publish(State(engine): Shared) -> Json<Vec<PublishSpec>> {
    Json(engine.spec().await.publish)
}

/// `POST /v1/publish`
pub(super) async fn add_publish(
    State(engine): Shared,
    body::Json(wanted): body::Json<PublishSpec>,
) -> Answer {
    let changes = engine.edit(false, |spec| {
        if spec.publish.iter().any(|rule| same_listener(&rule.listen, &wanted.listen)) {
            let sentence =
                format!("{:?} is published already: set it, or delete it first", wanted.listen);
            return Err(EngineError::Conflict(sentence));
        }
        spec.publish.push(wanted);
        Ok(())
    });
    Ok(Json(Changes::from(changes.await?)))
}

/// `PUT /v1/publish`
pub(super) async fn set_publish(
    State(engine): Shared,
    body::Json(wanted): body::Json<PublishSpec>,
) -> Answer {
    let changes = engine.edit(false, |spec| {
        let same = |rule: &&mut PublishSpec| same_listener(&rule.listen, &wanted.listen);
        match spec.publish.iter_mut().find(same) {
            Some(rule) => *rule = wanted,
            None => spec.publish.push(wanted),
        }
        Ok(())
    });
    Ok(Json(Changes::from(changes.await?)))
}

/// `?listen=` or `?index=`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhichPublish {
    listen: Option<String>,
    index: Option<usize>,
}

/// `DELETE /v1/publish`
pub(super) async fn delete_publish(
    State(engine): Shared,
    Asked(asked): Asked<WhichPublish>,
) -> Answer {
    named(asked.listen.is_some() || asked.index.is_some(), "?listen= or ?index=")?;
    let changes = engine.edit(false, |spec| {
        let rules = &mut spec.publish;
        let same = |listen: &str| rules.iter().position(|rule| same_listener(&rule.listen, listen));
        let found = match &asked.listen {
            Some(listen) => same(listen)
                .ok_or_else(|| EngineError::Unknown(format!("nothing is published at {listen:?}"))),
            None => nth("publish", asked.index, rules.len()),
        };
        rules.remove(found?);
        Ok(())
    });
    let changes =
        changes.await.map_err(|error| ApiError::of_removal("the published port", error))?;
    Ok(Json(Changes::from(changes)))
}

/// Refuses a request that does not say which rule it means.
fn named(is_named: bool, how: &str) -> Result<(), ApiError> {
    is_named.then_some(()).ok_or_else(|| ApiError::wrong(format!("say which rule: write {how}")))
}

/// The position that an index counted from 1 means; none is no rule.
fn nth(what: &str, index: Option<usize>, count: usize) -> Result<usize, EngineError> {
    let index = index.unwrap_or(0);
    let at = index.checked_sub(1).filter(|at| *at < count);
    at.ok_or_else(|| EngineError::Unknown(format!("there is no {what} {index}: there are {count}")))
}

/// Whether two texts mean the same network: "default" is "0.0.0.0/0", and an address is its own
/// /32.
fn same_destination(one: &str, other: &str) -> bool {
    match (network(one), network(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn network(text: &str) -> Option<Ipv4Net> {
    if text == "default" {
        return Some(Ipv4Net::default());
    }
    match text.parse::<Ipv4Addr>() {
        Ok(address) => Some(Ipv4Net::from(address)),
        Err(_) => text.parse().ok().map(|net: Ipv4Net| net.trunc()),
    }
}

/// Whether two texts mean the same listener: TCP unless it says otherwise.
fn same_listener(one: &str, other: &str) -> bool {
    one.strip_suffix("/tcp").unwrap_or(one) == other.strip_suffix("/tcp").unwrap_or(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_destination_has_several_texts() {
        for (one, other) in [
            ("default", "0.0.0.0/0"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("10.0.0.0/8", "10.9.9.9/8"),
            ("nonsense", "nonsense"),
        ] {
            assert!(same_destination(one, other), "{one} {other}");
        }
        assert!(!same_destination("10.0.0.0/8", "10.0.0.0/9"));
        assert!(!same_destination("10.0.0.0/8", "nonsense"));
    }

    #[test]
    fn a_listener_is_tcp_unless_it_says_otherwise() {
        assert!(same_listener("203.0.113.1:80", "203.0.113.1:80/tcp"));
        assert!(!same_listener("203.0.113.1:80", "203.0.113.1:80/udp"));
    }
}
