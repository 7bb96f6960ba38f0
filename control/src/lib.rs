//! What is said over the control socket, as plain types: requests, answers, and what a listing
//! shows. The daemon and the command line speak in them, and so does a replay, which shows what a
//! daemon would.

#![forbid(unsafe_code)]

pub mod explain;
pub mod message;
pub mod record;
pub mod view;
