//! News of devices.

use std::time::Duration;

use os::links::{Link, LinkEvent, LinkEvents, Links, watch};
use os::netns::Netns;
use packet::Mac;
use rtnetlink::LinkBridge;
use tokio::time::timeout;

use crate::scene::{is_root, netlink, play};

async fn next(events: &mut LinkEvents) -> LinkEvent {
    timeout(Duration::from_secs(10), events.next()).await.unwrap().unwrap()
}

/// Waits for a change after which `condition` holds.
pub(crate) async fn changed(events: &mut LinkEvents, condition: impl Fn(&Link) -> bool) -> Link {
    loop {
        match next(events).await {
            LinkEvent::Changed(link) if condition(&link) => return link,
            LinkEvent::Changed(_) => {}
            event => panic!("{event:?}"),
        }
    }
}

#[test]
fn a_device_is_seen_from_its_making_to_its_end() {
    if !is_root() {
        return;
    }
    play(async {
        let (near, far) = (Netns::anonymous().unwrap(), Netns::anonymous().unwrap());
        let links = Links::open(&near).await.unwrap();
        let mut events = watch(&near).await.unwrap();
        let made = links.make_veth("cable", &far, "eth0", 1500, Mac([2; 6])).await.unwrap();
        let first = changed(&mut events, |link| link.name == "cable").await;
        assert_eq!((first.index, first.up), (made.index, false));
        changed(&mut events, |link| link.index == made.index && link.up).await;

        // A bridge's port is not deleted when it is freed.
        netlink(&near).link().add(LinkBridge::new("br0").build()).execute().await.unwrap();
        let bridge = links.find("br0").await.unwrap().unwrap().index;
        let is_port = |master| move |link: &Link| link.index == made.index && link.master == master;
        links.set_master(made.index, Some(bridge)).await.unwrap();
        changed(&mut events, is_port(Some(bridge))).await;
        links.set_master(made.index, None).await.unwrap();
        changed(&mut events, is_port(None)).await;

        links.set_down(made.index).await.unwrap();
        changed(&mut events, |link| link.index == made.index && !link.up).await;
        links.delete(made.index).await.unwrap();
        let gone = loop {
            match next(&mut events).await {
                LinkEvent::Deleted(link) => break link,
                LinkEvent::Changed(_) => {}
                LinkEvent::Missed => panic!("missed"),
            }
        };
        assert_eq!((gone.index, gone.name.as_str()), (made.index, "cable"));
        let again = links.make_veth("cable", &far, "eth0", 1500, Mac([2; 6])).await.unwrap();
        let back = changed(&mut events, |link| link.name == "cable").await;
        assert_eq!(back.index, again.index);
        assert_ne!(back.index, made.index);
    });
}

#[test]
fn events_that_nobody_asked_for_in_time_are_missed_and_said_to_be() {
    if !is_root() {
        return;
    }
    play(async {
        let (near, far) = (Netns::anonymous().unwrap(), Netns::anonymous().unwrap());
        let links = Links::open(&near).await.unwrap();
        let mut events = watch(&near).await.unwrap();
        let made = links.make_veth("cable", &far, "eth0", 1500, Mac([2; 6])).await.unwrap();
        for number in 0..1000 {
            links.set_mtu(made.index, 1000 + number).await.unwrap();
        }
        assert_eq!(next(&mut events).await, LinkEvent::Missed);
        // It goes on with what is left, and then with what is new.
        while let Ok(event) = timeout(Duration::ZERO, events.next()).await {
            assert!(matches!(event, Some(LinkEvent::Changed(_))), "{event:?}");
        }
        links.delete(made.index).await.unwrap();
        loop {
            match next(&mut events).await {
                LinkEvent::Deleted(link) if link.index == made.index => break,
                LinkEvent::Changed(_) => {}
                event => panic!("{event:?}"),
            }
        }
    });
}
