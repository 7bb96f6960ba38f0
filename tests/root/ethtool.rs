//! A device's offload settings, by the ioctl of ethtool(8): the program itself is rarely installed.
#![allow(unsafe_code, reason = "an ioctl that no crate wraps")]

use std::os::fd::AsRawFd;

use socket2::{Domain, Socket, Type};

use crate::host::Host;

/// The settings that can be read by the old commands: checksums, scatter-gather, segmentation and
/// joining.
pub(crate) fn settings(host: &Host, device: &str) -> Vec<u32> {
    READ.iter().map(|command| ask(host, device, *command, 0).unwrap()).collect()
}

/// Has the kernel finish checksums and cut super-frames ahead of the device, for a far end that
/// knows neither.
pub(crate) fn switch_offload_off(host: &Host, device: &str) {
    for command in [SET_TX_CHECKSUM, SET_TCP_SEGMENTATION, SET_SEGMENTATION] {
        ask(host, device, command, 0).unwrap();
    }
}

/// `struct ethtool_value` of linux/ethtool.h.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

fn ask(host: &Host, device: &str, command: u32, data: u32) -> std::io::Result<u32> {
    let socket = host.run(|| Socket::new(Domain::IPV4, Type::DGRAM, None))?;
    let mut value = Value { command, data };
    // SAFETY: all zeros are an ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(device.bytes()) {
        *place = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request names a device with a terminator behind it, as names are shorter than the
    // field, and points to a value that outlives the call and is what these commands read and
    // write.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    if result == 0 { Ok(value.data) } else { Err(std::io::Error::last_os_error()) }
}

const SIOCETHTOOL: libc::Ioctl = 0x8946;
/// ETHTOOL_GRXCSUM, GTXCSUM, GSG, GTSO, GGSO, GFLAGS and GGRO.
const READ: [u32; 7] = [0x14, 0x16, 0x18, 0x1e, 0x23, 0x25, 0x2b];
const SET_TX_CHECKSUM: u32 = 0x17;
const SET_TCP_SEGMENTATION: u32 = 0x1f;
const SET_SEGMENTATION: u32 = 0x24;
