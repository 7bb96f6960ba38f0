//! Many bytes from one socket to another, compared by hash: a stream over TCP, bursts of datagrams
//! over UDP.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::thread;

use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};
use sha2::{Digest, Sha256};

/// What a whole transfer carries.
pub(crate) const WHOLE: usize = 64 << 20;

/// Sends so many bytes one way, then a sixteenth of them back on the same connection.
#[track_caller]
pub(crate) fn tcp((near, far): (TcpStream, TcpStream), total: usize) {
    thread::scope(|scope| {
        let (mut to, mut from) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        let sent = scope.spawn(move || send(&mut to, total, 1));
        let received = receive(&mut from, total);
        assert!(received == sent.join().unwrap(), "the bytes that arrived are others");
        let (mut to, mut from) = (far, near);
        let sent = scope.spawn(move || send(&mut to, total / 16, 2));
        let received = receive(&mut from, total / 16);
        assert!(received == sent.join().unwrap(), "the bytes that came back are others");
    });
}

fn send(stream: &mut TcpStream, total: usize, seed: u64) -> Vec<u8> {
    let (mut noise, mut hash) = (Noise::new(seed), Sha256::new());
    let mut left = total;
    while left > 0 {
        let bytes = noise.next(left.min(PIECE));
        hash.update(bytes);
        stream.write_all(bytes).unwrap();
        left -= bytes.len();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    hash.finalize().to_vec()
}

fn receive(stream: &mut TcpStream, total: usize) -> Vec<u8> {
    let mut hash = Sha256::new();
    let (mut piece, mut received) = (vec![0; PIECE], 0);
    loop {
        let count = unless_interrupted(|| stream.read(&mut piece)).unwrap();
        if count == 0 {
            assert_eq!(received, total, "bytes received");
            return hash.finalize().to_vec();
        }
        received += count;
        hash.update(&piece[..count]);
    }
}

/// Sends so many bytes in datagrams of one size to `far`, which must be the one that `near` is
/// connected to. A burst is one system call and is confirmed by one datagram, so that none overruns
/// the receiver's buffer: whatever is missing was lost on the way.
#[track_caller]
pub(crate) fn udp(near: &UdpSocket, far: &UdpSocket, size: usize, total: usize) {
    setsockopt(near, UdpGsoSegment, &i32::try_from(size).unwrap()).unwrap();
    let burst = size * (60_000 / size).min(20);
    let bursts = total.div_ceil(burst);
    thread::scope(|scope| {
        let sent = scope.spawn(move || {
            let (mut noise, mut hash) = (Noise::new(3), Sha256::new());
            let mut confirmation = [0; 1];
            for _ in 0..bursts {
                let bytes = noise.next(burst);
                hash.update(bytes);
                assert_eq!(near.send(bytes).unwrap(), burst);
                let confirmed = unless_interrupted(|| near.recv(&mut confirmation));
                confirmed.expect("a burst is confirmed");
            }
            hash.finalize()
        });
        let mut hash = Sha256::new();
        let mut datagram = vec![0; size + 1];
        for number in 1..=bursts * (burst / size) {
            let arrived = unless_interrupted(|| far.recv_from(&mut datagram));
            let (count, from) = arrived.expect("a datagram arrives");
            assert_eq!(count, size, "from {from}");
            hash.update(&datagram[..count]);
            if number % (burst / size) == 0 {
                far.send_to(&[1], from).unwrap();
            }
        }
        assert!(hash.finalize() == sent.join().unwrap(), "the datagrams that arrived are others");
    });
}

/// A read with a deadline is not taken up again by the kernel when the machine was halted in the
/// middle of it.
fn unless_interrupted<T>(mut read: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Bytes that do not repeat for a long time, fast also where nothing is optimised: a window that
/// wanders over noise, stamped with the number of its step.
struct Noise {
    seed: Vec<u8>,
    window: Vec<u8>,
    step: u64,
}

impl Noise {
    fn new(seed: u64) -> Self {
        let mut state = seed | 1 << 63;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_ne_bytes()
        };
        let seed = (0..2 * PIECE / 8).flat_map(|_| next()).collect();
        Self { seed, window: vec![0; PIECE], step: 0 }
    }

    fn next(&mut self, length: usize) -> &[u8] {
        self.step += 1;
        // A prime step, so that a window starts anywhere before one starts twice.
        let start = usize::try_from(self.step).unwrap() * 40_009 % PIECE;
        let window = &mut self.window[..length];
        window.copy_from_slice(&self.seed[start..start + length]);
        let stamp = self.step.to_le_bytes();
        let count = length.min(stamp.len());
        window[..count].copy_from_slice(&stamp[..count]);
        window
    }
}

const PIECE: usize = 1 << 16;
