//! The `tapswitch` command.
fn main() {}
