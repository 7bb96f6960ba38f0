//! Writes the first inputs of all targets to `corpus/`; what else is there stays. Run by `fuzz/run seeds`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let own = lab::fuzz::seeds().into_iter();
    let own = own.map(|(target, name, bytes)| (target, name.to_owned(), bytes));
    for (target, name, bytes) in own.chain(daemon::fuzz::seeds()) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        std::fs::write(corpus.join(name), bytes)?;
    }
    Ok(())
}
