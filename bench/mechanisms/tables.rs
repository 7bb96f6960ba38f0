//! Two threads that look up stations, as two workers would: what does it cost to share the table?
//!
//! Each frame is two touches of the table, the sender's entry (learning: its time is renewed) and
//! the receiver's (forwarding). Stations are asked for in random order. Between two batches a
//! thread does nothing, so a lock is contended as it never is between system calls: this is the
//! worst case of sharing.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use ahash::RandomState;
use anyhow::{Context, Result};
use bench::random::Random;
use dashmap::DashMap;
use hashbrown::HashMap;
use serde_json::json;

/// Measures every way in turn, round after round, and prints medians.
pub(crate) fn compare(rounds: u32, json: Option<&Path>) -> Result<()> {
    let tables = Tables::new();
    let mut readings: Vec<[Vec<f64>; 2]> = WAYS.iter().map(|_| Default::default()).collect();
    for _ in 0..rounds {
        for (way, readings) in WAYS.iter().zip(&mut readings) {
            for (threads, list) in (1..).zip(readings) {
                list.push(measure(&tables, way.forward, threads));
            }
        }
    }
    println!("{:<44}{:>10}{:>10}{:>8}", "ns a frame, median", "1 thread", "2 threads", "ratio");
    let whole = readings.first().and_then(|[_, two]| median(two)).unwrap_or(f64::NAN);
    for (way, [one, two]) in WAYS.iter().zip(&readings) {
        let (one, two) = (median(one).unwrap_or(f64::NAN), median(two).unwrap_or(f64::NAN));
        println!("{:<44}{one:>10.1}{two:>10.1}{:>8.2}", way.name, two / whole);
    }
    println!(
        "\n{rounds} rounds of {} ms, {STATIONS} stations, {} processors. Wall time over\n\
         the frames of all threads: 2 that never wait have half of what 1 has.",
        TURN.as_millis(),
        thread::available_parallelism().map_or(1, usize::from)
    );
    if let Some(path) = json {
        let ways = WAYS.iter().zip(&readings);
        let ways: Vec<_> = ways
            .map(|(way, [one, two])| json!({ "way": way.name, "one_thread": one, "two_threads": two }))
            .collect();
        let document = json!({ "unit": "ns a frame", "stations": STATIONS, "ways": ways });
        let written = fs::write(path, format!("{document:#}\n"));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The same stations behind each kind of lock.
struct Tables {
    one: Mutex<Plain>,
    read_write: RwLock<HashMap<u64, (u32, AtomicU64), RandomState>>,
    sharded: DashMap<u64, (u32, u64), RandomState>,
}

type Plain = HashMap<u64, (u32, u64), RandomState>;

impl Tables {
    fn new() -> Self {
        // Fixed, so that every run meets the same chains.
        let hash = || RandomState::with_seeds(1, 2, 3, 4);
        let mut one = HashMap::with_hasher(hash());
        let mut read_write = HashMap::with_hasher(hash());
        let sharded = DashMap::with_hasher(hash());
        for station in 0..STATIONS {
            let (key, port) = (mac(station), station % PORTS);
            one.insert(key, (port, 0));
            read_write.insert(key, (port, AtomicU64::new(0)));
            sharded.insert(key, (port, 0));
        }
        Self { one: Mutex::new(one), read_write: RwLock::new(read_write), sharded }
    }
}

/// One way to bring a batch of frames, (sender, receiver), through the tables; the sum of their
/// ports.
struct Way {
    name: &'static str,
    forward: fn(&Tables, &[(u64, u64)], now: u64) -> u32,
}

const WAYS: [Way; 5] = [
    Way {
        name: "one lock for a batch of 32",
        forward: |tables, frames, now| {
            frames.chunks(32).map(|batch| locked(tables, batch, now)).fold(0, u32::wrapping_add)
        },
    },
    Way { name: "one lock for a batch of 64", forward: locked },
    Way {
        name: "one lock, taken for each frame",
        forward: |tables, frames, now| {
            let frames = frames.chunks(1);
            frames.map(|frame| locked(tables, frame, now)).fold(0, u32::wrapping_add)
        },
    },
    Way {
        name: "RwLock for each frame, times as atomics",
        forward: |tables, frames, now| {
            let ports = frames.iter().map(|(from, to)| {
                let table = tables.read_write.read().unwrap_or_else(PoisonError::into_inner);
                if let Some((_, seen)) = table.get(from) {
                    seen.store(now, Ordering::Relaxed);
                }
                table.get(to).map_or(0, |(port, _)| *port)
            });
            ports.fold(0, u32::wrapping_add)
        },
    },
    Way {
        name: "sharded table (dashmap), for each frame",
        forward: |tables, frames, now| {
            let ports = frames.iter().map(|(from, to)| {
                if let Some(mut entry) = tables.sharded.get_mut(from) {
                    entry.1 = now;
                }
                tables.sharded.get(to).map_or(0, |entry| entry.0)
            });
            ports.fold(0, u32::wrapping_add)
        },
    },
];

fn locked(tables: &Tables, frames: &[(u64, u64)], now: u64) -> u32 {
    let mut table = tables.one.lock().unwrap_or_else(PoisonError::into_inner);
    let ports = frames.iter().map(|(from, to)| {
        if let Some(entry) = table.get_mut(from) {
            entry.1 = now;
        }
        table.get(to).map_or(0, |entry| entry.0)
    });
    ports.fold(0, u32::wrapping_add)
}

/// Wall time over the frames of all threads, in nanoseconds.
fn measure(tables: &Tables, forward: fn(&Tables, &[(u64, u64)], u64) -> u32, threads: u32) -> f64 {
    let (start, stop) = (Barrier::new(threads as usize + 1), AtomicBool::new(false));
    let frames = AtomicU64::new(0);
    let elapsed = thread::scope(|scope| {
        for thread in 0..threads {
            let (start, stop, frames) = (&start, &stop, &frames);
            scope.spawn(move || {
                let work = batches(thread);
                start.wait();
                let (mut count, mut now) = (0, 0);
                for batch in work.chunks_exact(BATCH).cycle() {
                    black_box(forward(tables, batch, now));
                    count += BATCH as u64;
                    now += 1;
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
                frames.fetch_add(count, Ordering::Relaxed);
            });
        }
        start.wait();
        let began = Instant::now();
        thread::sleep(TURN);
        stop.store(true, Ordering::Relaxed);
        began.elapsed()
    });
    elapsed.as_nanos() as f64 / frames.into_inner().max(1) as f64
}

/// Frames between random stations, another sequence for each thread.
fn batches(thread: u32) -> Vec<(u64, u64)> {
    let mut random = Random::new(u64::from(thread) * 2 + 3);
    let mut station = || mac(random.below(STATIONS));
    (0..BATCH * 1_024).map(|_| (station(), station())).collect()
}

fn mac(station: u32) -> u64 {
    0x0200_0000_0000 | u64::from(station)
}

fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

const STATIONS: u32 = 8_192;
const PORTS: u32 = 16;
const BATCH: usize = 64;
/// Long against a time slice of the scheduler.
const TURN: Duration = Duration::from_millis(200);
