//! Linux bridges that are made here.

use os::links::Links;
use os::netns::Netns;
use packet::Mac;

use crate::scene::{is_root, play};

#[test]
fn a_linux_bridge_is_made_and_takes_ports() {
    if !is_root() {
        return;
    }
    play(async {
        let netns = Netns::anonymous().unwrap();
        let links = Links::open(&netns).await.unwrap();
        let bridge = links.make_bridge("docker0").await.unwrap();
        assert_eq!((bridge.kind.as_deref(), bridge.up), (Some("bridge"), true));
        let far = Netns::anonymous().unwrap();
        let mac = Mac([2, 0, 0, 0, 0, 7]);
        let cable = links.make_veth("cable", &far, "eth0", 1450, mac).await.unwrap();
        links.set_master(cable.index, Some(bridge.index)).await.unwrap();
        let found = links.find("cable").await.unwrap().unwrap();
        assert_eq!(found.master, Some(bridge.index));

        let error = links.make_bridge("docker0").await.unwrap_err();
        assert!(error.is_name_taken(), "{error}");
        for name in ["", "b%d"] {
            let error = links.make_bridge(name).await.unwrap_err();
            assert!(error.to_string().contains("cannot name a device"), "{error}");
        }
        links.delete(bridge.index).await.unwrap();
        assert_eq!(links.find("docker0").await.unwrap(), None);
    });
}
