//! News of devices.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use os::links::{Link, Links, News, Watch};
use os::netns::Netns;
use packet::Mac;
use rtnetlink::LinkUnspec;
use tokio::time::sleep;

use crate::scene::{is_root, netlink, play};

/// Waits until `condition` holds for a device, which is returned.
pub(crate) async fn until(links: &Links, condition: impl Fn(&Link) -> bool) -> Link {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(link) = links.list().await.unwrap().into_iter().find(&condition) {
            return link;
        }
        assert!(Instant::now() < deadline, "no device is as it should be");
        sleep(Duration::from_millis(1)).await;
    }
}

/// A veth pair between two namespaces, of which the near one is watched. That it was made was news.
/// It goes with either namespace.
struct Cable {
    near: Netns,
    far: Netns,
    links: Links,
    watch: Watch,
    made: Link,
}

impl Cable {
    async fn new() -> Self {
        let (near, far) = (Netns::anonymous().unwrap(), Netns::anonymous().unwrap());
        let links = Links::open(&near).await.unwrap();
        let mut watch = Watch::open(&near, true).unwrap();
        assert_eq!(watch.news(), News::default());
        let made = links.make_veth("cable", &far, "eth0", 1500, Mac([2; 6])).await.unwrap();
        let news = watch.news();
        assert!(news.is_changed && news.moved.is_empty(), "{news:?}");
        Self { near, far, links, watch, made }
    }
}

#[test]
fn whatever_changes_is_news_once() {
    if !is_root() {
        return;
    }
    play(async {
        let Cable { links, mut watch, made, near: _near, far: _far } = Cable::new().await;
        let net = "192.0.2.1/24".parse().unwrap();
        let gateway = "192.0.2.254".parse().unwrap();
        let mut is_news = |what: &str| {
            let news = watch.news();
            assert!(news.is_changed && news.moved.is_empty(), "{what}: {news:?}");
            assert_eq!(watch.news(), News::default(), "{what}, twice");
        };
        links.set_mtu(made.index, 1400).await.unwrap();
        is_news("MTU");
        links.set_mac(made.index, Mac([2, 2, 2, 2, 2, 3])).await.unwrap();
        is_news("MAC address");
        links.add_address(made.index, net).await.unwrap();
        is_news("address");
        links.set_default_route(gateway, made.index).await.unwrap();
        is_news("default route");
        links
            .add_route("198.51.100.0/24".parse().unwrap(), Some(gateway), made.index)
            .await
            .unwrap();
        assert_eq!(watch.news(), News::default(), "another route");
        links.delete_default_route().await.unwrap();
        let mut is_news = |what: &str| assert!(watch.news().is_changed, "{what}");
        is_news("no default route");
        links.delete_address(made.index, net).await.unwrap();
        is_news("no address");
        links.set_name(made.index, "wire").await.unwrap();
        is_news("name");
        links.set_down(made.index).await.unwrap();
        is_news("down");
        assert_eq!(links.find("wire").await.unwrap().unwrap().index, made.index);
        links.delete(made.index).await.unwrap();
        is_news("deleted");
    });
}

#[test]
fn a_device_that_is_moved_is_told_from_one_that_is_deleted() {
    if !is_root() {
        return;
    }
    play(async {
        let Cable { near, far, mut watch, made, links: _links } = Cable::new().await;
        let there = far.run(|| File::open("/proc/thread-self/ns/net")).unwrap().unwrap();
        let moved = LinkUnspec::new_with_index(made.index).setns_by_fd(there.as_raw_fd());
        netlink(&near).link().set(moved.build()).execute().await.unwrap();
        let news = watch.news();
        assert!(news.is_changed);
        assert_eq!(news.moved.into_iter().collect::<Vec<_>>(), [made.index]);
    });
}

#[test]
fn news_that_nobody_asked_for_in_time_are_a_change() {
    if !is_root() {
        return;
    }
    play(async {
        let Cable { links, mut watch, made, near: _near, far: _far } = Cable::new().await;
        for number in 0..1000 {
            links.set_mtu(made.index, 1000 + number).await.unwrap();
        }
        assert!(watch.news().is_changed);
        // It goes on with what is left, and then with what is new.
        assert_eq!(watch.news(), News::default());
        links.delete(made.index).await.unwrap();
        assert!(watch.news().is_changed);
    });
}
