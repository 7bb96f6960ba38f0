//! What the fuzz targets `labfile`, `api` and `capture` run, and the tests that replay their corpora. In no build but those.

mod api;
mod capture;
mod labfile;

pub use api::api;
pub use capture::capture;
pub use labfile::labfile;

#[cfg(test)]
pub(crate) use labfile::judge;

#[cfg(test)]
mod tests;
