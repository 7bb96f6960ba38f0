//! Veth pairs, and the kernel's own VXLAN devices.

use std::fs;

use os::links::Links;
use os::netns::Netns;
use packet::Mac;

use crate::scene::{is_root, play};
use crate::watch::until;

const MAC: Mac = Mac([2, 0, 0, 0, 0, 7]);

#[test]
fn a_pair_is_made_with_each_end_in_its_namespace() {
    if !is_root() {
        return;
    }
    play(async {
        let (near, far) = (Netns::anonymous().unwrap(), Netns::anonymous().unwrap());
        let links = Links::open(&near).await.unwrap();
        let far_links = Links::open(&far).await.unwrap();
        let ours = links.make_veth("cable", &far, "eth0", 9000, MAC).await.unwrap();
        assert_eq!((ours.name.as_str(), ours.kind.as_deref()), ("cable", Some("veth")));
        assert_eq!((ours.mtu, ours.up, ours.running), (9000, true, false));
        let theirs = far_links.find("eth0").await.unwrap().unwrap();
        assert_eq!((theirs.mtu, theirs.mac, theirs.up), (9000, MAC, false));

        far_links.set_up(theirs.index).await.unwrap();
        until(&links, |link| link.index == ours.index && link.running).await;
        let addresses = near.run(|| fs::read_to_string("/proc/thread-self/net/if_inet6")).unwrap();
        assert!(!addresses.unwrap_or_default().contains("cable"), "our end is no host");

        links.delete(ours.index).await.unwrap();
        assert_eq!(far_links.find("eth0").await.unwrap(), None);
    });
}

#[test]
fn a_pair_that_cannot_be_made_leaves_nothing_behind() {
    if !is_root() {
        return;
    }
    play(async {
        let (near, far) = (Netns::anonymous().unwrap(), Netns::anonymous().unwrap());
        let links = Links::open(&near).await.unwrap();
        let far_links = Links::open(&far).await.unwrap();
        links.make_veth("cable", &far, "eth0", 1500, MAC).await.unwrap();
        let before = (links.list().await.unwrap(), far_links.list().await.unwrap());

        for (ours, theirs, named) in [
            ("cable", "eth1", format!("in {near}: a device `cable` is there already")),
            ("cable1", "eth0", format!("in {far}: a device `eth0` is there already")),
        ] {
            let error = links.make_veth(ours, &far, theirs, 1500, MAC).await.unwrap_err();
            assert!(error.is_name_taken() && error.to_string().contains(&named), "{error}");
        }
        for (ours, theirs) in [("", "eth1"), ("cable1", ""), ("c%d", "eth1"), ("cable1", "e%d")] {
            let error = links.make_veth(ours, &far, theirs, 1500, MAC).await.unwrap_err();
            assert!(error.to_string().contains("cannot name a device"), "{error}");
        }
        let long = "a-name-that-is-much-too-long";
        for (ours, theirs, mtu, mac) in [
            ("cable1", "a/b", 1500, MAC),
            (long, "eth1", 1500, MAC),
            ("cable1", long, 1500, MAC),
            ("cable1", "eth1", 67, MAC),
            ("cable1", "eth1", 70_000, MAC),
            ("cable1", "eth1", 1500, Mac::BROADCAST),
        ] {
            let error = links.make_veth(ours, &far, theirs, mtu, mac).await.unwrap_err();
            assert!(error.to_string().starts_with("cannot make the veth pair"), "{error}");
            assert!(!error.is_name_taken(), "{error}");
        }
        assert_eq!((links.list().await.unwrap(), far_links.list().await.unwrap()), before);
    });
}
