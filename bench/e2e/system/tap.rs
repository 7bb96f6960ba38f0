//! The loop's own way to open a TAP device: code apart from the switch's, so that a mistake in one
//! shows against the other.
#![allow(unsafe_code, reason = "an ioctl of its own")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

/// Makes the device `name` in the calling thread's namespace and opens its queues, non-blocking.
/// Every frame has a virtio header of [`HEADER_LEN`] bytes ahead of it; the kernel may leave
/// checksums and segmentation undone. `more` are flags of linux/if_tun.h beside the usual ones.
pub(super) fn open(name: &str, queues: usize, more: libc::c_int) -> io::Result<Vec<File>> {
    let mut files = Vec::with_capacity(queues);
    for _ in 0..queues {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/net/tun")?;
        attach(&file, name, FLAGS | more)?;
        files.push(file);
    }
    Ok(files)
}

/// Bytes of virtio header ahead of each frame.
pub(super) const HEADER_LEN: usize = 12;

fn attach(file: &File, name: &str, flags: libc::c_int) -> io::Result<()> {
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: flags as libc::c_short },
    };
    if name.len() >= libc::IFNAMSIZ {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = byte as libc::c_char;
    }
    let descriptor = file.as_raw_fd();
    // SAFETY: `file` keeps the descriptor open; TUNSETIFF reads and writes one ifreq, which
    // `request` is, and the name in it ends with a zero because it is shorter than the field.
    succeed(unsafe { libc::ioctl(descriptor, libc::TUNSETIFF, &raw mut request) })?;
    let header = HEADER_LEN as libc::c_int;
    // SAFETY: `file` keeps the descriptor open; TUNSETVNETHDRSZ reads one int, which `header` is.
    succeed(unsafe { libc::ioctl(descriptor, libc::TUNSETVNETHDRSZ, &raw const header) })?;
    let set = |features: libc::c_uint| {
        // SAFETY: `file` keeps the descriptor open; TUNSETOFFLOAD takes its argument by value.
        succeed(unsafe {
            libc::ioctl(descriptor, libc::TUNSETOFFLOAD, libc::c_ulong::from(features))
        })
    };
    // Kernels before 6.2 know no UDP super-frames and refuse the whole set for them.
    set(OFFLOAD | UDP_OFFLOAD).or_else(|_| set(OFFLOAD))
}

fn succeed(status: libc::c_int) -> io::Result<()> {
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

const FLAGS: libc::c_int =
    libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_MULTI_QUEUE;
const OFFLOAD: libc::c_uint =
    libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
const UDP_OFFLOAD: libc::c_uint = libc::TUN_F_USO4 | libc::TUN_F_USO6;
