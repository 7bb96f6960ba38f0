//! Every system call of the switch: namespaces, TAP devices, netlink, epoll, the clock, and nothing
//! that decides.
//!
//! The switch itself is pure; this crate is where it touches Linux, and the only one with `unsafe`.
//! Each module wraps one kernel facility behind values that close what they open, and turns the
//! kernel's refusals into one sentence that says what was asked, where, and what to do. An error's
//! text carries the kernel's words already, so no error here has a `source()` to print after it.
//!
//! | module | what it is |
//! |---|---|
//! | [`netns`] | a network namespace: found, made, removed, entered for the length of a closure |
//! | [`tap`] | a TAP device's queues: frames in and out, with their offload |
//! | [`packet_socket`] | an existing interface as a port: frames in and out, with their offload |
//! | [`underlay`] | UDP sockets that carry tunnels, many datagrams a call |
//! | [`links`] | devices, addresses, routes and namespace ids over netlink, and what becomes of them |
//! | [`sysctl`] | one value under `/proc/sys/net` of one namespace |
//! | [`child`] | a process that never outlives this one, in a namespace or not |
//! | [`blocking`] | the lane for calls that wait, in asynchronous code |
//! | [`poller`] | epoll, and a way to wake it |
//! | [`clock`], [`entropy`] | the time and the seed that the pure crates take as arguments |
//! | [`signals`] | what a SIGHUP means, and a terminal that may close |
//! | [`privileges`] | whether this process may do all that |
//! | [`rootless`] | namespaces of an ordinary user's own, in which it may |
//! | [`new_file`] | a file to write, which replaces nothing but a file |
//! | [`open_files`] | how many descriptors it may have |
//! | [`affinity`] | a thread on a processor |
#![allow(unsafe_code, reason = "system calls are made here")]

pub mod affinity;
mod blocking;
pub mod child;
pub mod clock;
pub mod entropy;
pub mod links;
pub mod netns;
pub mod new_file;
pub mod open_files;
pub mod packet_socket;
pub mod poller;
pub mod privileges;
pub mod rootless;
pub mod signals;
pub mod sysctl;
pub mod tap;
pub mod underlay;

mod tun_ioctl;

pub use blocking::blocking;
