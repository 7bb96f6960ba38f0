//! What the fuzz target `api` runs, and the test that replays its corpus. In no build but those.

mod api;
mod seeds;

pub use api::api;
pub use seeds::seeds;

#[cfg(test)]
mod tests {
    use std::fs;

    use lab::fuzz::{corpus, replay};

    use super::{api, seeds};

    #[test]
    fn the_corpus_of_requests_holds() {
        replay("api", api);
    }

    #[test]
    fn the_requests_are_in_the_corpus() {
        for (name, bytes) in seeds() {
            assert!(fs::read(corpus("api").join(&name)).unwrap() == bytes, "{name}");
        }
    }
}
