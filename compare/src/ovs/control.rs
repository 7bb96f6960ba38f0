//! Open vSwitch's control protocol (`ovs-appctl`): JSON-RPC 1.0 over a unix socket, one request at
//! a time.

use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::error::CompareError;

/// One connection.
#[derive(Debug)]
pub(super) struct Control {
    stream: UnixStream,
    reader: BufReader<UnixStream>,
    id: u64,
}

#[derive(Deserialize)]
struct Reply {
    result: Option<String>,
    error: Option<String>,
}

impl Control {
    /// Connects to a daemon.
    pub(super) fn connect(path: &Path) -> Result<Self, CompareError> {
        let wrong = |error| CompareError::File { path: path.to_owned(), error };
        let stream = UnixStream::connect(path).map_err(wrong)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(wrong)?;
        let reader = BufReader::new(stream.try_clone().map_err(wrong)?);
        Ok(Self { stream, reader, id: 0 })
    }

    /// Asks, and waits for the answer.
    pub(super) fn call(&mut self, method: &str, params: &[&str]) -> Result<String, CompareError> {
        self.id += 1;
        let wrong = |wrong: String| {
            let mut asked = vec![method];
            asked.extend(params);
            CompareError::Answer { asked: asked.join(" "), wrong }
        };
        let request = json!({ "id": self.id, "method": method, "params": params }).to_string();
        let sent = self.stream.write_all(request.as_bytes());
        sent.map_err(|error| wrong(format!("could not be reached: {error}")))?;
        let mut reader = serde_json::Deserializer::from_reader(&mut self.reader);
        let reply = Reply::deserialize(&mut reader);
        let reply = reply.map_err(|error| wrong(format!("did not answer: {error}")))?;
        match reply.error {
            None => Ok(reply.result.unwrap_or_default()),
            Some(error) => Err(wrong(format!("said: {}", error.trim()))),
        }
    }
}

/// How long an answer may take, on a very busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
