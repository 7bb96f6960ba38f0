//! Making a TAP device: all its queues in one visit to its namespace, or nothing.
//!
//! The order matters. The first queue is attached exclusively, which makes the device and never
//! joins one that is there; header length and offload belong to the device and are set before any
//! other queue exists; then the other queues join by name. They join on the same visit, because
//! from another namespace the same request would quietly make a second device there.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;

use super::{Backend, Queue, TapError};
use crate::netns::Netns;
use crate::tun_ioctl::{self, Flags};

/// What a TAP device is to be.
#[derive(Copy, Clone, Debug)]
pub struct Options<'a> {
    /// Its name in its namespace: 1 to 15 bytes.
    pub name: &'a str,
    /// How many queues, 1 to [`MAX_QUEUES`]. Without offload there is one, whatever is asked. With
    /// more than one the kernel makes room for [`MAX_QUEUES`], and when the device is switched
    /// on, a default queueing discipline for each: about 6 MB and 5 ms a device, which one
    /// with a single queue does not cost.
    pub queues: usize,
    /// Whether frames carry their offload (partial checksums, super-frames) behind a virtio
    /// header.
    pub offload: bool,
}

/// `MAX_TAP_QUEUES` of the kernel's driver.
pub const MAX_QUEUES: usize = 256;

/// Makes the device in `netns`, down and without an address, and opens its queues, non-blocking. A
/// device of that name that is there already is an error, and is left alone. On an error nothing is
/// left behind.
pub fn open(netns: &Netns, options: &Options<'_>) -> Result<Vec<Queue>, TapError> {
    check(options)?;
    let wish = Wish { name: options.name, netns, queues: options.queues };
    let made = netns.run(|| if options.offload { wish.virtio() } else { wish.plain() });
    made.unwrap_or_else(|reason| Err(wish.refused("enter the namespace", reason)))
}

struct Wish<'a> {
    name: &'a str,
    netns: &'a Netns,
    queues: usize,
}

impl Wish<'_> {
    /// A device with virtio headers and any number of queues.
    fn virtio(&self) -> Result<Vec<Queue>, TapError> {
        let flags = if self.queues > 1 { VIRTIO.with(Flags::MULTI_QUEUE) } else { VIRTIO };
        let first = self.file()?;
        self.attach(&first, flags.with(Flags::EXCL))?;
        let datagrams =
            set_offload(&first).map_err(|reason| self.refused("switch offload on", reason))?;
        self.verify(first.as_fd(), flags)?;
        let mut queues = vec![Queue(Backend::Virtio { file: first, datagrams })];
        while queues.len() < self.queues {
            let file = self.file()?;
            self.attach(&file, flags)?;
            self.verify(file.as_fd(), flags)?;
            queues.push(Queue(Backend::Virtio { file, datagrams }));
        }
        Ok(queues)
    }

    /// A device with one queue of bare frames.
    fn plain(&self) -> Result<Vec<Queue>, TapError> {
        // `tun-tap` cannot ask for exclusive use, so the name is looked up first, and whoever comes
        // between is found out below by the flag that only a device older than its queue
        // can have.
        if if_nametoindex(self.name).is_ok() {
            return Err(self.taken());
        }
        let device = tun_tap::Iface::without_packet_info(self.name, tun_tap::Mode::Tap)
            .map_err(|reason| self.attaching(reason))?;
        let file = tun_ioctl::descriptor(&device);
        if self.verify(file, PLAIN)?.has(Flags::PERSIST) {
            return Err(self.taken());
        }
        device.set_non_blocking().map_err(|reason| self.refused("stop blocking", reason))?;
        Ok(vec![Queue(Backend::Plain(device))])
    }

    fn file(&self) -> Result<File, TapError> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/net/tun")
            .map_err(|reason| self.attaching(reason))
    }

    fn attach(&self, file: &File, flags: Flags) -> Result<(), TapError> {
        tun_ioctl::attach(file, self.name, flags).map_err(|reason| self.attaching(reason))
    }

    /// The flags that the queue got, once its device is known to be the one that was asked for.
    fn verify(&self, file: BorrowedFd<'_>, wanted: Flags) -> Result<Flags, TapError> {
        let (name, flags) = tun_ioctl::attached(file)
            .map_err(|reason| self.refused("read the device's name back", reason))?;
        if name == self.name && flags.has(wanted) {
            return Ok(flags);
        }
        let got = format!("{name}, flags {:#x}", flags.0);
        Err(TapError::Mismatch { name: self.name.into(), netns: self.netns.to_string(), got })
    }

    /// What a failure to open `/dev/net/tun` or to attach a queue means.
    fn attaching(&self, reason: io::Error) -> TapError {
        match reason.raw_os_error() {
            Some(libc::EBUSY | libc::EEXIST) => self.taken(),
            Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => TapError::NoTun,
            Some(libc::EACCES | libc::EPERM) => {
                TapError::Denied { name: self.name.into(), netns: self.netns.to_string() }
            }
            _ => self.refused("open a queue", reason),
        }
    }

    fn taken(&self) -> TapError {
        let there = self.netns.whereabouts();
        let remedy = there.about_taken(self.name);
        TapError::NameTaken { name: self.name.into(), netns: there.shown, remedy }
    }

    fn refused(&self, step: &'static str, reason: io::Error) -> TapError {
        TapError::Refused { step, name: self.name.into(), netns: self.netns.to_string(), reason }
    }
}

const PLAIN: Flags = Flags::TAP.with(Flags::NO_PI);
const VIRTIO: Flags = PLAIN.with(Flags::VNET_HDR);

/// Partial checksums, and TCP super-frames with and without ECN.
const OFFLOAD: libc::c_uint =
    libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
/// UDP super-frames. The kernel takes both or neither.
const UDP_OFFLOAD: libc::c_uint = libc::TUN_F_USO4 | libc::TUN_F_USO6;

/// UDP super-frames came with Linux 6.2; older kernels refuse the whole set for them. Whether this
/// one has them.
fn set_offload(file: &File) -> io::Result<bool> {
    match tun_ioctl::set_offload(file, OFFLOAD | UDP_OFFLOAD) {
        Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32) => {
            tun_ioctl::set_offload(file, OFFLOAD).map(|()| false)
        }
        result => result.map(|()| true),
    }
}

fn check(options: &Options<'_>) -> Result<(), TapError> {
    let name = options.name;
    if name.len() >= libc::IFNAMSIZ {
        return Err(TapError::NameTooLong { name: name.into() });
    }
    if name.is_empty() || RESERVED.contains(&name) || !name.bytes().all(is_name_byte) {
        return Err(TapError::BadName { name: name.into() });
    }
    if !(1..=MAX_QUEUES).contains(&options.queues) {
        return Err(TapError::BadQueues { name: name.into(), queues: options.queues });
    }
    Ok(())
}

/// Two directories, and two entries of `/proc/sys/net/ipv4/conf` that are not devices.
const RESERVED: [&str; 4] = [".", "..", "all", "default"];

/// The kernel's `dev_valid_name`, less what is unprintable, and less `%`, which asks it to choose a
/// number.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'/' | b':' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Options<'_> {
        Options { name, queues: 1, offload: true }
    }

    #[test]
    fn names_that_the_kernel_would_refuse_or_change_never_reach_it() {
        for name in ["", ".", "..", "all", "default", "a b", "a/b", "a:1", "tap%d", "\u{e9}", "a\n"]
        {
            assert!(matches!(check(&named(name)), Err(TapError::BadName { .. })), "{name:?}");
        }
        for name in ["a234567890123456", "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"] {
            assert!(matches!(check(&named(name)), Err(TapError::NameTooLong { .. })), "{name:?}");
        }
        for name in ["eth0", "a23456789012345", "br-lan.10", "x@y"] {
            assert!(check(&named(name)).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn a_device_has_a_bounded_number_of_queues() {
        for queues in [0, MAX_QUEUES + 1, usize::MAX] {
            let options = Options { queues, ..named("eth0") };
            assert!(matches!(check(&options), Err(TapError::BadQueues { .. })), "{queues}");
        }
        assert!(check(&Options { queues: MAX_QUEUES, ..named("eth0") }).is_ok());
    }

    #[test]
    fn the_sentence_about_a_long_name_counts_its_bytes() {
        let error = TapError::NameTooLong { name: "a234567890123456".into() };
        assert!(error.to_string().contains("is 16 bytes long"), "{error}");
    }
}
