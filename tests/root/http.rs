//! HTTP by hand over the control socket, as `curl --unix-socket` speaks it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use crate::wait::PATIENCE;
use crate::world::World;

/// The default one.
pub(crate) const SOCKET: &str = "/run/tapswitch/control.sock";

/// One request on a connection of its own: the status and the body.
pub(crate) fn request(world: &World, head: &str, body: &[u8]) -> (u16, String) {
    let mut stream = ask(world, head, body);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{head}")), body.to_owned())
}

/// One request whose answer is still to come.
pub(crate) fn ask(world: &World, head: &str, body: &[u8]) -> UnixStream {
    let stream = world.run(|| UnixStream::connect(SOCKET));
    let mut stream = stream.unwrap_or_else(|error| panic!("{SOCKET}: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let rest = format!("Host: tapswitch\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(format!("{head} HTTP/1.1\r\n{rest}").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    stream
}

/// The same, for an answer that is JSON.
pub(crate) fn json(world: &World, head: &str, body: &[u8]) -> (u16, Value) {
    let (status, body) = request(world, head, body);
    (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")))
}
