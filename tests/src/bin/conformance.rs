//! Writes `docs/conformance.md` anew.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let tests = lab::conformance::tests(root);
    let faults = lab::conformance::faults(&tests);
    for fault in &faults {
        eprintln!("{fault}");
    }
    let path = root.join("docs/conformance.md");
    if let Err(error) = std::fs::write(&path, lab::conformance::page(&tests)) {
        eprintln!("docs/conformance.md cannot be written: {error}");
        return ExitCode::FAILURE;
    }
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
