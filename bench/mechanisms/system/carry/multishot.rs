//! io_uring with one read request a device that completes again and again, each time in a buffer
//! that the kernel takes from a ring of provided ones.
#![allow(unsafe_code, reason = "rings that the kernel writes to")]

use std::alloc::{Layout, alloc_zeroed};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, bail, ensure};
use io_uring::types::BufRingEntry;
use io_uring::{IoUring, cqueue, opcode, types};

use super::let_wait;
use super::ring::{self, Buffers, ROOM};

/// Moves frames, for ever.
pub(super) fn carry(near: &File, far: &File) -> Result<()> {
    let_wait(near)?;
    let_wait(far)?;
    let mut ring = ring::open()?;
    let buffers = Buffers::new(usize::from(PROVIDED));
    let mut provided = Provided::register(&ring)?;
    for number in 0..PROVIDED {
        provided.give(number, &buffers)?;
    }
    arm(&mut ring, near, 0)?;
    arm(&mut ring, far, 1)?;
    let mut done = Vec::with_capacity(4 * usize::from(PROVIDED));
    loop {
        ring::wait(&ring)?;
        let completions = ring.completion();
        done.extend(completions.map(|it| (it.user_data(), it.result(), it.flags())));
        for (name, result, flags) in done.drain(..) {
            if name >= WRITE {
                provided.give((name - WRITE) as u16, &buffers)?;
                continue;
            }
            let (source, target) = if name == 0 { (near, far) } else { (far, near) };
            if let (Ok(count), Some(number)) = (u32::try_from(result), cqueue::buffer_select(flags))
            {
                let place = buffers.at(usize::from(number)).context("no such buffer")?;
                let entry = ring::write(target, place, count, WRITE + u64::from(number));
                // SAFETY: the kernel has taken the buffer out of the provided ones and filled it;
                // until the write completes and gives it back, nothing else uses
                // it. It is never freed.
                unsafe { ring::push(&mut ring, &entry)? };
            }
            if !cqueue::more(flags) {
                refuse(result)?;
                arm(&mut ring, source, name)?;
            }
        }
    }
}

/// Fails when a read request that has ended should not be made again.
fn refuse(result: i32) -> Result<()> {
    match -result {
        libc::EINVAL | libc::EBADFD => bail!("the kernel refuses read-multishot on a TAP device"),
        // Out of buffers: some come back with the writes that are under way.
        libc::ENOBUFS | libc::EAGAIN | libc::EINTR => Ok(()),
        error => {
            ensure!(error <= 0, "a read ended with error {error}");
            Ok(())
        }
    }
}

fn arm(ring: &mut IoUring, file: &File, name: u64) -> Result<()> {
    let entry = opcode::ReadMulti::new(types::Fd(file.as_raw_fd()), 0, GROUP).build();
    // SAFETY: the request points to no memory; it takes buffers of the group, which are never
    // freed.
    unsafe { ring::push(ring, &entry.user_data(name)) }
}

/// The ring of provided buffers, one page that the kernel reads.
struct Provided {
    entries: *mut BufRingEntry,
    tail: u16,
}

impl Provided {
    fn register(ring: &IoUring) -> Result<Self> {
        let layout = Layout::from_size_align(PAGE, PAGE)?;
        // SAFETY: the layout has a size.
        let memory = unsafe { alloc_zeroed(layout) };
        ensure!(!memory.is_null(), "out of memory");
        let submitter = ring.submitter();
        // SAFETY: the page is aligned as the kernel asks, holds `PROVIDED` entries of 16 bytes, and
        // is never freed.
        let registered =
            unsafe { submitter.register_buf_ring_with_flags(memory as u64, PROVIDED, GROUP, 0) };
        registered.context("this kernel has no rings of provided buffers (Linux 5.19)")?;
        Ok(Self { entries: memory.cast(), tail: 0 })
    }

    /// Lends a buffer to the kernel.
    fn give(&mut self, number: u16, buffers: &Buffers) -> Result<()> {
        let place = buffers.at(usize::from(number)).context("no such buffer")?;
        let slot = usize::from(self.tail % PROVIDED);
        // SAFETY: `slot` is one of the `PROVIDED` entries of the page; the kernel reads none at or
        // past the tail that it was told, and at most `PROVIDED` buffers are lent, so this
        // one is ours. Every bit pattern is an entry.
        let entry = unsafe { &mut *self.entries.add(slot) };
        entry.set_addr(place as u64);
        entry.set_len(ROOM as u32);
        entry.set_bid(number);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: `entries` is the address of the ring's first entry, in which the tail is; it is
        // two-byte aligned, lives for ever, and this thread is the only one of this process
        // that writes it.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entries).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
        Ok(())
    }
}

/// Buffers lent in all, a power of two.
const PROVIDED: u16 = 64;
/// The group's number.
const GROUP: u16 = 0;
const PAGE: usize = 4096;
/// Names of writes begin here.
const WRITE: u64 = 1 << 32;
