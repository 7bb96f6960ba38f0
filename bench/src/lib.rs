//! Work for the pure switch to be measured on: the same for criterion, for the summary and for the
//! allocation test.
//!
//! A [`Rig`] is a switch with a kind of traffic and measures time inside the switch alone. The
//! kinds are in [`work`], one file each; [`frames`] writes their frames. Nothing here touches the
//! machine beyond reading its clock; the comparison with other switches on real devices is the
//! `e2e` program.
#![forbid(unsafe_code)]

pub mod frames;
pub mod random;
pub mod rig;
pub mod turns;
pub mod work;

pub use rig::{Rig, Traffic};
