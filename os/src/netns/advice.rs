//! Commands to paste: each enters the namespace that it is about, whatever shell it is pasted into.

use std::borrow::Cow;

use super::{Netns, Place};

impl Netns {
    /// Whether it is this process's own.
    pub fn is_own(&self) -> bool {
        Self::open(&Place::Current).is_ok_and(|own| own == *self)
    }

    /// `command` as it is to be typed so that it happens in this namespace.
    pub fn command(&self, command: &str) -> String {
        let path = match self.place() {
            Some(Place::Name(name)) => return format!("ip netns exec {} {command}", quoted(name)),
            Some(Place::Path(path)) => path.to_string_lossy().into_owned(),
            Some(Place::Pid(pid)) => format!("/proc/{pid}/ns/net"),
            Some(Place::Current) | None => format!("/proc/{}/ns/net", std::process::id()),
        };
        format!("nsenter --net={} {command}", quoted(&path))
    }

    /// What errors say of it, without keeping it alive.
    pub(crate) fn whereabouts(&self) -> Whereabouts {
        let delete = (!self.is_own()).then(|| self.command("ip link del"));
        Whereabouts { shown: self.to_string(), delete }
    }
}

/// A namespace as errors know it.
#[derive(Clone, Debug)]
pub(crate) struct Whereabouts {
    /// Its place.
    pub(crate) shown: String,
    /// How a device there is deleted; not to be said of our own namespace, whose devices the
    /// machine may be reached by.
    delete: Option<String>,
}

impl Whereabouts {
    /// What to do about a device that has a name which is wanted.
    pub(crate) fn about_taken(&self, name: &str) -> String {
        match &self.delete {
            None => "choose another name".to_owned(),
            Some(delete) => {
                format!("choose another name, or delete it with `{delete} {}`", quoted(name))
            }
        }
    }
}

/// A word for a shell, which takes it as it is.
fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@+,=".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => Cow::Borrowed(word),
        false => Cow::Owned(format!("'{}'", word.replace('\'', "'\\''"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_more_into_it() {
        assert_eq!(quoted("red-1.x"), "red-1.x");
        assert_eq!(quoted("a;reboot"), "'a;reboot'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn nobody_is_advised_to_delete_a_device_of_our_own_namespace() {
        let pid = std::process::id();
        for place in [Place::Current, Place::Pid(pid), Place::Path("/proc/self/ns/net".into())] {
            let own = Netns::open(&place).unwrap();
            assert!(own.is_own(), "{own}");
            assert_eq!(own.whereabouts().about_taken("eth0"), "choose another name");
        }
        let own = Netns::open(&Place::Pid(pid)).unwrap();
        assert_eq!(own.command("ip link"), format!("nsenter --net=/proc/{pid}/ns/net ip link"));
        assert_eq!(
            own.to_string(),
            format!("the namespace of process {pid}, which is the daemon's own,")
        );
    }
}
