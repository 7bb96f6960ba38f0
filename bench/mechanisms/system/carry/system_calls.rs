//! Loops by system calls that differ from the bare loop in one thing each.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::super::tap::HEADER_LEN;

/// The virtio header is read into and written from a buffer of its own.
pub(super) fn vectored(near: &File, far: &File) -> Result<()> {
    let mut header = [0; HEADER_LEN];
    let mut frame = vec![0; packet::frame::MAX_FRAME];
    on_events(near, far, EpollTimeout::NONE, |mut from, mut to| {
        let count =
            from.read_vectored(&mut [IoSliceMut::new(&mut header), IoSliceMut::new(&mut frame)])?;
        let bytes = frame.get(..count.saturating_sub(HEADER_LEN)).unwrap_or_default();
        // What the far kernel will not have is lost, as on a cable; here and below.
        let _ = to.write_vectored(&[IoSlice::new(&header), IoSlice::new(bytes)]);
        Ok(())
    })
}

/// Frames are written as pages, each of which the kernel takes for a fragment of a socket buffer.
pub(super) fn in_pages(near: &File, far: &File) -> Result<()> {
    let mut buffer = vec![0; HEADER_LEN + packet::frame::MAX_FRAME];
    on_events(near, far, EpollTimeout::NONE, |mut from, mut to| {
        let count = from.read(&mut buffer)?;
        let whole = buffer.get(..count).unwrap_or_default();
        let (header, frame) = whole.split_at(HEADER_LEN.min(whole.len()));
        let mut pages = [IoSlice::new(&[]); 1 + MOST_PAGES];
        let mut used = 0;
        for (slot, bytes) in pages.iter_mut().zip([header].into_iter().chain(frame.chunks(PAGE))) {
            *slot = IoSlice::new(bytes);
            used += 1;
        }
        let _ = to.write_vectored(pages.get(..used).unwrap_or_default());
        Ok(())
    })
}

/// As the bare loop, but epoll is asked over and over.
pub(super) fn busy_epoll(near: &File, far: &File) -> Result<()> {
    let mut buffer = vec![0; HEADER_LEN + packet::frame::MAX_FRAME];
    on_events(near, far, EpollTimeout::ZERO, |from, to| through(from, to, &mut buffer))
}

/// Both devices are read over and over.
pub(super) fn busy_read(near: &File, far: &File) -> Result<()> {
    let mut buffer = vec![0; HEADER_LEN + packet::frame::MAX_FRAME];
    let mut one = |from: &File, to: &File| through(from, to, &mut buffer);
    loop {
        until_empty(near, far, &mut one)?;
        until_empty(far, near, &mut one)?;
    }
}

/// One frame, header and all.
fn through(mut from: &File, mut to: &File, buffer: &mut [u8]) -> io::Result<()> {
    let count = from.read(buffer)?;
    let _ = to.write(buffer.get(..count).unwrap_or_default());
    Ok(())
}

/// Moves frames by `one`, for ever, waiting for each event at most so long.
fn on_events(
    near: &File,
    far: &File,
    timeout: EpollTimeout,
    mut one: impl FnMut(&File, &File) -> io::Result<()>,
) -> Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(near, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
    epoll.add(far, EpollEvent::new(EpollFlags::EPOLLIN, 1))?;
    let mut events = [EpollEvent::empty(); 2];
    loop {
        let count = match epoll.wait(&mut events, timeout) {
            Err(Errno::EINTR) => continue,
            result => result?,
        };
        for event in events.iter().take(count) {
            match event.data() {
                0 => until_empty(near, far, &mut one)?,
                _ => until_empty(far, near, &mut one)?,
            }
        }
    }
}

/// Moves what waits, up to the bare loop's bound.
fn until_empty(
    from: &File,
    to: &File,
    one: &mut impl FnMut(&File, &File) -> io::Result<()>,
) -> Result<()> {
    for _ in 0..BATCH {
        match one(from, to) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            result => result.context("cannot read from the device")?,
        }
    }
    Ok(())
}

/// As many frames one way before looking at the other as the bare loop moves.
const BATCH: usize = 64;
/// A fragment may not be larger.
const PAGE: usize = 4096;
/// A frame of 64 KiB and its Ethernet header.
const MOST_PAGES: usize = packet::frame::MAX_FRAME.div_ceil(PAGE);
