//! io_uring with single requests: some reads stand ready on each device, and each frame's buffer is
//! written out and read into again. What a turn needs is submitted by the one system call that
//! waits for the next completions.
#![allow(unsafe_code, reason = "rings that the kernel writes to")]

use std::fs::File;

use anyhow::{Result, bail, ensure};

use super::let_wait;
use super::ring::{self, Buffers};

/// Moves frames, for ever.
pub(super) fn carry(near: &File, far: &File) -> Result<()> {
    let_wait(near)?;
    let_wait(far)?;
    let mut ring = ring::open()?;
    let buffers = Buffers::new(2 * READY);
    let source = |slot: usize| if slot < READY { near } else { far };
    let target = |slot: usize| if slot < READY { far } else { near };
    let place = |slot: usize| match buffers.at(slot) {
        Some(place) => Ok(place),
        None => bail!("completion of a request that nobody made: {slot}"),
    };
    for slot in 0..2 * READY {
        // SAFETY: a slot's buffer has one request at a time and is never freed.
        unsafe { ring::push(&mut ring, &ring::read(source(slot), place(slot)?, slot as u64))? };
    }
    let mut done = Vec::with_capacity(4 * READY);
    loop {
        ring::wait(&ring)?;
        done.extend(ring.completion().map(|entry| (entry.user_data(), entry.result())));
        for (name, result) in done.drain(..) {
            let slot = (name & !WRITE) as usize;
            let is_read = name & WRITE == 0;
            ensure!(!is_read || !is_over(result), "the device is gone");
            let entry = match u32::try_from(result) {
                Ok(count) if is_read => {
                    ring::write(target(slot), place(slot)?, count, name | WRITE)
                }
                // Written, or a frame that the far kernel would not have, or a read to be made
                // again.
                _ => ring::read(source(slot), place(slot)?, slot as u64),
            };
            // SAFETY: the slot's last request is complete, so its buffer is ours to lend again; it
            // is never freed.
            unsafe { ring::push(&mut ring, &entry)? };
        }
    }
}

/// Whether a read's result says that there will be no more.
fn is_over(result: i32) -> bool {
    result < 0 && ![-libc::EAGAIN, -libc::EINTR].contains(&result)
}

/// Reads that stand ready on each device. Each frame wakes all that wait, so more are not better.
const READY: usize = 8;
/// Marks a write.
const WRITE: u64 = 1 << 32;
