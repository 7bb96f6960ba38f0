//! The other end of the control API: one request a connection over the unix socket, typed answers,
//! sentences for errors.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::net::unix::UCred;
use tokio::time::timeout;

use control::message::Refusal;
use labfile::printable;

mod verbs;

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error(
        "no tapswitch daemon answers at {path}: start one with `tapswitch run lab.toml`, or name its socket with --socket",
        path = printable::path(.0)
    )]
    NoDaemon(PathBuf),
    /// The socket is root's.
    #[error("{path} may not be opened: the control socket is root's alone, use sudo", path = printable::path(.0))]
    Denied(PathBuf),
    /// Somebody else has put a socket there.
    #[error(
        "who answers at {path} is user {user}, and neither root nor you: nothing was asked; name another socket with --socket",
        path = printable::path(path)
    )]
    SomebodyElses {
        /// The socket.
        path: PathBuf,
        /// Whose process listens.
        user: u32,
    },
    /// The connection broke or made no sense.
    #[error("the daemon at {path} does not answer as it should: {reason}", path = printable::path(path))]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// The connection was closed without an answer.
    #[error(
        "the daemon at {path} ended before it answered: whether it did what was asked is not known, see `tapswitch show` \
         when it runs again",
        path = printable::path(.0)
    )]
    Ended(PathBuf),
    /// The daemon said no.
    #[error("{sentence}")]
    Refused {
        /// Its kind, as an HTTP status.
        status: u16,
        /// Why.
        sentence: String,
    },
}

/// A daemon, by its control socket. Each request is a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// Whoever listens at `socket`; nothing is sent yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks for what is at `path`.
    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.exchange(Method::GET, path, None).await
    }

    /// Sends a value.
    async fn send<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| self.broken(error))?;
        self.exchange(method, path, Some((JSON, body))).await
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Vec<u8>)>,
    ) -> Result<T, ClientError> {
        let bytes = self.bytes(method, path, body).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.broken(error))
    }

    /// One request and its answer, whatever that is.
    async fn bytes(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Vec<u8>)>,
    ) -> Result<Bytes, ClientError> {
        let answer = timeout(PATIENCE, self.answer(method, path, body)).await;
        let (status, bytes) = answer.map_err(|_| self.broken("it takes too long"))??;
        if status.is_success() {
            return Ok(bytes);
        }
        let sentence = match serde_json::from_slice(&bytes) {
            Ok(Refusal { error }) => error,
            Err(_) => format!("the daemon answered {status} without saying why"),
        };
        Err(ClientError::Refused { status: status.as_u16(), sentence })
    }

    /// The process that listens, by the number that it has for this one, whatever it says of itself.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn pid(&self) -> Result<u32, ClientError> {
        let (_, peer) = self.connect().await?;
        let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0);
        pid.ok_or_else(|| self.broken("its process cannot be seen from here"))
    }

    /// Whoever listens is to be root or the user who asks: a directory such as `/tmp` is open to all.
    async fn connect(&self) -> Result<(UnixStream, UCred), ClientError> {
        let stream = UnixStream::connect(&self.socket).await;
        let stream = stream.map_err(|error| self.unreachable(&error))?;
        let peer = stream.peer_cred().map_err(|error| self.broken(error))?;
        let own = fs::metadata("/proc/self").map_err(|error| self.broken(error))?.uid();
        match peer.uid() {
            user if user == 0 || user == own => Ok((stream, peer)),
            user => Err(ClientError::SomebodyElses { path: self.socket.clone(), user }),
        }
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Vec<u8>)>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let (stream, _) = self.connect().await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(error))?;
        // Ends with the connection; what went wrong there is told by the sender too.
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        let (kind, body) = body.map_or((None, Vec::new()), |(kind, body)| (Some(kind), body));
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        let request = request.body(Full::new(Bytes::from(body)));
        let request = request.map_err(|error| self.broken(error))?;
        let answer = sender.send_request(request).await.map_err(|error| self.unanswered(&error))?;
        let status = answer.status();
        let bytes = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        Ok((status, bytes.map_err(|error| self.broken(error))?.to_bytes()))
    }

    fn unreachable(&self, error: &io::Error) -> ClientError {
        match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::NotADirectory => ClientError::NoDaemon(self.socket.clone()),
            io::ErrorKind::PermissionDenied => ClientError::Denied(self.socket.clone()),
            _ => self.broken(error),
        }
    }

    fn unanswered(&self, error: &hyper::Error) -> ClientError {
        let kind =
            error.source().and_then(|source| source.downcast_ref::<io::Error>()?.kind().into());
        let closed = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe].map(Some);
        match error.is_incomplete_message() || error.is_canceled() || closed.contains(&kind) {
            true => ClientError::Ended(self.socket.clone()),
            false => self.broken(error),
        }
    }

    fn broken(&self, reason: impl ToString) -> ClientError {
        ClientError::Broken { path: self.socket.clone(), reason: reason.to_string() }
    }
}

const JSON: &str = "application/json";
/// A lab of thousands of ports takes the kernel seconds; more than this is a daemon that hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// Largest answer: a million flows take half of it.
const MAX_ANSWER: usize = 512 << 20;

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_missing_daemon_is_a_sentence_that_says_what_to_do() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("control.sock");
        let error = Client::new(&path).version().await.unwrap_err();
        let expected = format!(
            "no tapswitch daemon answers at {}: start one with `tapswitch run lab.toml`, or name its socket with \
             --socket",
            printable::path(&path)
        );
        assert_eq!(error.to_string(), expected);
    }

    #[tokio::test]
    async fn a_dead_daemon_s_socket_is_no_daemon() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("control.sock");
        drop(UnixListener::bind(&path).unwrap());
        let error = Client::new(&path).version().await.unwrap_err();
        assert!(matches!(error, ClientError::NoDaemon(_)), "{error}");
    }

    #[tokio::test]
    async fn a_daemon_that_ends_before_it_answers_is_a_sentence() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("control.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        for read_first in [false, true] {
            let client = Client::new(&path);
            let asked = tokio::spawn(async move { client.version().await });
            let (mut stream, _) = listener.accept().await.unwrap();
            if read_first {
                assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            }
            drop(stream);
            let error = asked.await.unwrap().unwrap_err();
            assert!(matches!(error, ClientError::Ended(_)), "{error:?}");
        }
    }

    #[tokio::test]
    async fn somebody_who_speaks_no_http_is_a_sentence() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("control.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
        });
        let error = Client::new(&path).version().await.unwrap_err().to_string();
        assert!(error.contains("does not answer as it should"), "{error}");
    }
}
