//! Requests to the control API, around an engine that has no devices and gets none.
//!
//! A request that would make a device or a socket is not sent: a fuzzer run as root must not change
//! the machine. All others are: bridges, routes, rules and tables are the switch's alone.

use std::str::FromStr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use crate::api::router;
use crate::dataplane::{Dataplane, Threads};
use crate::engine::Engine;
use control::message::HowToApply;
use labfile::{Lab, LabSpec, PortSpec, TunnelSpec, parse_spec};

/// Requests of one input: a longer one says nothing new.
const MOST: usize = 16;

/// What runs before the first request.
const LAB: &str = "[bridge.br0]\nrouter = \"192.168.0.1/24\"\n[bridge.out]\nrouter = \"203.0.113.1/24\"\n\
                   [[route]]\nto = \"default\"\nvia = \"203.0.113.254\"\n\
                   [[masquerade]]\nsource = \"192.168.0.0/24\"\nout = \"out\"\n\
                   [[publish]]\nlisten = \"203.0.113.1:8080\"\nto = \"192.168.0.2:80\"\n";

/// Requests with zero bytes between: a line of method and path, and the body behind it. Whatever
/// they are, none fails inside; a refusal is a sentence and leaves the lab as it was; and what runs
/// is always a valid lab.
pub fn api(data: &[u8]) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (reports, _) = mpsc::unbounded_channel();
    let plane =
        Dataplane::start(&Threads::default(), 7, reports).expect("a dataplane without devices");
    let engine = Arc::new(Engine::new(plane));
    let (spec, _) = parse_spec(LAB.as_bytes(), "lab.toml").expect("a lab");
    runtime.block_on(engine.apply(spec, HowToApply::default())).expect("bridges need no machine");
    for request in data.split(|byte| *byte == 0).take(MOST) {
        let head = request.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let body = request.get(head.len() + 1..).unwrap_or_default();
        let Some((method, uri)) = line(head) else { continue };
        if needs_machine(&runtime.block_on(engine.spec()), &method, &uri, body) {
            continue;
        }
        ask(&runtime, &engine, method, uri, body);
    }
}

fn line(head: &[u8]) -> Option<(Method, Uri)> {
    let (method, path) = std::str::from_utf8(head).ok()?.split_once(' ')?;
    let uri = Uri::from_str(path).ok().filter(|uri| uri.path().starts_with('/'))?;
    Some((Method::from_str(method).ok()?, uri))
}

/// Whether a request, were it granted, would make a device or a socket.
fn needs_machine(running: &LabSpec, method: &Method, uri: &Uri, body: &[u8]) -> bool {
    let mut wanted = running.clone();
    let name = "new".to_owned();
    if uri.path().starts_with("/v1/lab") && *method == Method::PUT {
        let toml = || parse_spec(body, "body").ok().map(|(spec, _)| spec);
        let spec = serde_json::from_slice::<LabSpec>(body).ok().or_else(toml);
        return spec.is_some_and(|spec| !spec.port.is_empty() || !spec.tunnel.is_empty());
    }
    if *method == Method::GET || *method == Method::DELETE {
        return false;
    }
    if let Ok(port) = serde_json::from_slice::<PortSpec>(body)
        && uri.path().starts_with("/v1/ports")
    {
        wanted.port.insert(name, port);
    } else if let Ok(tunnel) = serde_json::from_slice::<TunnelSpec>(body)
        && uri.path().starts_with("/v1/tunnels")
    {
        wanted.tunnel.insert(name, tunnel);
    } else {
        return false;
    }
    Lab::try_from(&wanted).is_ok()
}

fn ask(runtime: &Runtime, engine: &Arc<Engine>, method: Method, uri: Uri, body: &[u8]) {
    let before = runtime.block_on(engine.spec());
    let kind = if body.first() == Some(&b'{') { "application/json" } else { "application/toml" };
    let request = Request::builder()
        .method(method.clone())
        .uri(uri.clone())
        .header("content-type", kind)
        .body(Body::from(body.to_vec()))
        .expect("a method and a path");
    let service = TowerToHyperService::new(router(Arc::clone(engine)));
    let (status, answer) = runtime.block_on(async {
        let answer = service.call(request).await.expect("the router always answers");
        let status = answer.status();
        (status, answer.into_body().collect().await.expect("a whole answer").to_bytes())
    });
    assert!(!status.is_server_error(), "{method} {uri}: {status} {answer:?}");
    let after = runtime.block_on(engine.spec());
    if !status.is_success() {
        assert_eq!(before, after, "{method} {uri} is refused and changes the lab");
        if status != StatusCode::NOT_MODIFIED && method != Method::HEAD {
            judge_refusal(&answer);
        }
    }
    assert!(after.port.is_empty() && after.tunnel.is_empty(), "{method} {uri} made a device");
    Lab::try_from(&after).unwrap_or_else(|error| panic!("{method} {uri} leaves no lab: {error}"));
}

fn judge_refusal(answer: &[u8]) {
    let sentence = serde_json::from_slice::<Value>(answer).ok();
    let sentence = sentence.as_ref().and_then(|value| value["error"].as_str());
    let sentence = sentence.unwrap_or_else(|| panic!("no sentence: {answer:?}"));
    assert!(!sentence.is_empty(), "an empty sentence");
    let shown = sentence.replace('\n', "");
    assert!(!shown.contains(char::is_control), "{sentence:?}");
}
