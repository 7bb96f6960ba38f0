//! An io_uring and the buffers that its requests point into, for one thread.
//!
//! Buffers are leaked: the child ends by a signal, and until then the kernel may write to any of
//! them.
#![allow(unsafe_code, reason = "rings that the kernel writes to")]

use std::fs::File;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use io_uring::{IoUring, opcode, squeue, types};

use super::super::tap::HEADER_LEN;

/// Room for a super-frame and its virtio header.
pub(super) const ROOM: usize = HEADER_LEN + packet::frame::MAX_FRAME;

/// Buffers of [`ROOM`] bytes each.
pub(super) struct Buffers {
    first: *mut u8,
    count: usize,
}

impl Buffers {
    pub(super) fn new(count: usize) -> Self {
        let memory = Box::leak(vec![0; count * ROOM].into_boxed_slice());
        Self { first: memory.as_mut_ptr(), count }
    }

    /// Where a buffer begins; `None` for one that is not there.
    pub(super) fn at(&self, number: usize) -> Option<*mut u8> {
        // SAFETY: below `count`, the offset is inside of the one allocation of `count * ROOM`
        // bytes, which is leaked.
        (number < self.count).then(|| unsafe { self.first.add(number * ROOM) })
    }
}

/// A ring for one thread that submits and waits itself.
pub(super) fn open() -> Result<IoUring> {
    let ring = IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(ENTRIES);
    ring.context("this kernel gives no io_uring of a single issuer (Linux 6.1, sysctl kernel.io_uring_disabled)")
}

/// Submits what is queued and waits for a completion.
pub(super) fn wait(ring: &IoUring) -> Result<()> {
    match ring.submit_and_wait(1) {
        Err(error) if error.raw_os_error() == Some(libc::EINTR) => Ok(()),
        result => result.map(drop).context("io_uring_enter fails"),
    }
}

/// Queues a request.
///
/// # Safety
/// What the request points to stays valid, and belongs to the kernel, until its completion.
pub(super) unsafe fn push(ring: &mut IoUring, entry: &squeue::Entry) -> Result<()> {
    // SAFETY: as this function's.
    if unsafe { ring.submission().push(entry) }.is_err() {
        ring.submit()?;
        // SAFETY: as this function's.
        unsafe { ring.submission().push(entry) }.context("the submission queue is full")?;
    }
    Ok(())
}

/// A read of one frame into a whole buffer.
pub(super) fn read(file: &File, buffer: *mut u8, name: u64) -> squeue::Entry {
    opcode::Read::new(types::Fd(file.as_raw_fd()), buffer, ROOM as u32).build().user_data(name)
}

/// A write of one frame.
pub(super) fn write(file: &File, buffer: *const u8, count: u32, name: u64) -> squeue::Entry {
    opcode::Write::new(types::Fd(file.as_raw_fd()), buffer, count).build().user_data(name)
}

/// More than all requests at a time.
const ENTRIES: u32 = 256;
