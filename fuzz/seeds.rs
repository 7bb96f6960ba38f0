//! Writes the first inputs of all targets to `corpus/`; what else is there stays. Run by `fuzz/run seeds`.

fn main() -> std::io::Result<()> {
    let lab = lab::fuzz::seeds().into_iter();
    let lab = lab.map(|(target, name, bytes)| (target, name.to_owned(), bytes));
    let of = |target, seeds: Vec<(String, Vec<u8>)>| {
        seeds.into_iter().map(move |(name, bytes)| (target, name, bytes))
    };
    let labfile = of("labfile", labfile::fuzz::seeds());
    let capture = of("capture", offline::fuzz::seeds());
    let api = of("api", daemon::fuzz::seeds());
    for (target, name, bytes) in lab.chain(labfile).chain(capture).chain(api) {
        std::fs::write(lab::fuzz::corpus(target).join(name), bytes)?;
    }
    Ok(())
}
