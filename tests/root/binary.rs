//! The `tapswitch` binary under test: named by `TAPSWITCH_BIN`, or else built once a run, as this
//! test was built.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where it is.
pub(crate) fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let path = env::var_os("TAPSWITCH_BIN").map_or_else(build, PathBuf::from);
        path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    })
}

/// Builds it into the directory that this test was built into: `target/debug/deps/root-...` tells
/// both.
fn build() -> PathBuf {
    let own = env::current_exe().unwrap();
    let profile_directory = own.parent().and_then(Path::parent).unwrap();
    let profile = match profile_directory.file_name().and_then(|name| name.to_str()).unwrap() {
        "debug" => "dev",
        other => other,
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "tapswitch", "--profile", profile, "--target-dir"])
        .arg(profile_directory.parent().unwrap())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(status.unwrap().success(), "the binary under test does not build");
    profile_directory.join("tapswitch")
}
