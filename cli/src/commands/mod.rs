//! The verbs, one file each.

pub(crate) mod bridge;
pub(crate) mod compare;
pub(crate) mod conntrack;
pub(crate) mod explain;
pub(crate) mod fdb;
pub(crate) mod keys;
pub(crate) mod lab;
pub(crate) mod masquerade;
pub(crate) mod neigh;
pub(crate) mod port;
pub(crate) mod publish;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod route;
pub(crate) mod tunnel;
