//! A switch's values as listings show them: a running lab and a replay show the same.

pub mod counts;
pub mod notices;
pub mod rows;
pub mod show;
