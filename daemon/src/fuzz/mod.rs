//! What the fuzz targets `labfile`, `api` and `capture` run, and the tests that replay their corpora. In no build but those.

mod api;
mod capture;
mod labfile;
mod seeds;

pub use api::api;
pub use capture::capture;
pub use labfile::labfile;
pub use seeds::seeds;

#[cfg(test)]
pub(crate) use labfile::judge;

#[cfg(test)]
mod tests;
