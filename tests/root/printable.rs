//! Text from outside that a terminal would obey, or that nobody would see: escaped wherever the
//! product prints it.

use std::path::Path;

use nix::sys::signal::Signal;
use os::netns::{self, Netns};

use crate::daemon::Daemon;
use crate::world::world;

/// A namespace's name that turns what follows it around, and has a blank that nobody sees.
const NAME: &str = "ev\u{202e}il\u{200b}";
const SHOWN: &str = "ev\\u{202e}il\\u{200b}";

/// A path with all that a path can have.
const PATH: &str = "/run/netns/a\u{1b}[2J\nb\u{202e}";
const SHOWN_PATH: &str = "/run/netns/a\\u{1b}[2J\\nb\\u{202e}";

fn lab() -> String {
    let path = PATH.replace('\u{1b}', "\\u001b").replace('\n', "\\n");
    format!(
        "[bridge.br0]\nrouter = \"10.0.0.1/24\"\n[port.a]\nbridge = \"br0\"\nnetns = \"{NAME}\"\n\
         [port.b]\nbridge = \"br0\"\nnetns = \"{path}\"\n"
    )
}

#[track_caller]
fn is_printable(text: &str) {
    let hidden = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{200b}".contains(c));
    assert!(!text.contains(hidden), "{text:?}");
}

#[test]
fn nothing_from_outside_is_printed_as_it_is() {
    let Some(world) = world() else { return };
    let name = PATH.strip_prefix("/run/netns/").unwrap();
    world.run(|| Netns::create(name)).unwrap();
    let daemon = Daemon::with(&world, &lab());
    for arguments in [
        &["port", "list"][..],
        &["show"],
        &["show", "--toml"],
        &["show", "--json"],
        &["port", "list", "--json"],
        &["bridge", "list"],
        &["stats"],
    ] {
        is_printable(&world.tapswitch(arguments).ok());
    }
    for shown in [SHOWN, SHOWN_PATH] {
        assert!(world.tapswitch(&["port", "list"]).ok().contains(shown));
        assert!(world.tapswitch(&["show"]).ok().contains(shown));
    }
    // What is written can be read again, and says the same.
    let text = world.tapswitch(&["show", "--toml"]).ok();
    assert_eq!(daemon.apply(&text), "no changes\n");

    let wrong =
        world.tapswitch_on(&["apply"], Path::new("/run/\u{1b}[2J\n\u{202e}.toml")).sentence();
    assert!(wrong.starts_with("/run/\\u{1b}[2J\\n\\u{202e}.toml: "), "{wrong}");
    let refused = world
        .tapswitch(&["port", "add", "c", "--bridge", "br0", "--netns", PATH, "--device", "eth0"]);
    is_printable(&refused.refusal());
    let plan = world.tapswitch(&["port", "del", "b"]).ok();
    is_printable(&plan);
    assert!(plan.contains(SHOWN_PATH), "{plan}");
    world.run(|| netns::remove(NAME)).unwrap();
    daemon.until_logged(&format!("port a is lost: namespace `{SHOWN}` vanished"));
    let finished = daemon.stop(Signal::SIGTERM);
    is_printable(&finished.err);
    world.run(|| netns::remove(Path::new(PATH).file_name().unwrap().to_str().unwrap())).unwrap();
}
