//! Socket options that no crate here names.

use nix::{getsockopt_impl, setsockopt_impl, sockopt_impl};

sockopt_impl!(
    /// Whether and how DF is set: one of `IP_PMTUDISC_*`.
    MtuDiscover,
    SetOnly,
    libc::IPPROTO_IP,
    libc::IP_MTU_DISCOVER,
    libc::c_int
);

sockopt_impl!(
    /// Sends UDP without a checksum.
    NoCheck,
    SetOnly,
    libc::SOL_SOCKET,
    libc::SO_NO_CHECK,
    bool
);

sockopt_impl!(
    /// The nine numbers of `SK_MEMINFO_*` (linux/sock_diag.h), of which the last counts drops.
    MemoryInfo,
    GetOnly,
    libc::SOL_SOCKET,
    libc::SO_MEMINFO,
    [u32; 9]
);
