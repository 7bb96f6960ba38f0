//! Whether the names of namespaces that are made here are seen by the rest of the machine: names
//! are mounts, and a process may have mounts of its own.

use std::fs;
use std::path::Path;

use super::name::DIRECTORY;
use super::{Netns, Place, list};

/// Whether the names that this process makes stay in its own mount namespace, as under `ip netns
/// exec`: mounts come down to it from another one and do not go back up. What cannot be told is no.
pub fn are_names_hidden() -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt"));
    // A container's mounts may depend on its host's, and all of its processes share them.
    let is_everybody_s = match (namespace("self"), namespace("1")) {
        (Ok(own), Ok(first)) => own == first,
        _ => false,
    };
    !is_everybody_s && is_below_another(&mounts)
}

/// The name of the namespace that this process runs in, if it has one.
pub fn name_of_current() -> Option<String> {
    let current = Netns::open(&Place::Current).ok()?;
    let is_it =
        |name: &String| Netns::open(&Place::Name(name.clone())).is_ok_and(|netns| netns == current);
    list().ok()?.into_iter().find(is_it)
}

/// Whether the mount that names are made on is a slave (mount_namespaces(7)), by a table as in
/// proc_pid_mountinfo(5).
fn is_below_another(mounts: &str) -> bool {
    let mut deepest: Option<(usize, bool)> = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(4);
        let Some(point) = fields.next() else { continue };
        let depth = Path::new(point).components().count();
        // Of several on one place the last is on top.
        if Path::new(DIRECTORY).starts_with(point)
            && deepest.is_none_or(|(known, _)| known <= depth)
        {
            let mut tags = fields.skip(1).take_while(|field| *field != "-");
            deepest = Some((depth, tags.any(|tag| tag.starts_with("master:"))));
        }
    }
    deepest.is_some_and(|(_, is_slave)| is_slave)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_that_names_are_made_on_decides() {
        let root = "27 1 254:0 / / rw,relatime master:7 - ext4 /dev/vda rw\n";
        let run = "30 27 0:25 / /run rw,nosuid shared:5 - tmpfs tmpfs rw\n";
        let names = "42 30 0:25 /netns /run/netns rw shared:9 master:5 - tmpfs tmpfs rw\n";
        let other = "43 30 0:25 /x /run/netns-2 rw master:5 - tmpfs tmpfs rw\n";
        assert!(is_below_another(root));
        assert!(!is_below_another(&[root, run].concat()));
        assert!(is_below_another(&[root, run, names].concat()));
        assert!(!is_below_another(&[root, run, other].concat()));
        assert!(!is_below_another(&[names, &run.replace("/run", "/run/netns")].concat()));
        assert!(!is_below_another("") && !is_below_another("42 30\n\n"));
    }
}
