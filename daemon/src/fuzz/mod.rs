//! What the fuzz targets `labfile` and `api` run, and the tests that replay their corpora. In no build but those.

mod api;
mod labfile;

pub use api::api;
pub use labfile::labfile;

#[cfg(test)]
pub(crate) use labfile::judge;

#[cfg(test)]
mod tests;
