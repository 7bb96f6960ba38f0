//! What the tests are played on: names that are taken away again, namespaces with a TAP, a runtime.

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};

use os::links::{Link, Links};
use os::netns::{self, Netns};
use os::privileges;
use os::tap::{self, Options, Queue};

/// Whether the test can run. Prints why not; panics in CI, where a skipped test would hide a fault.
pub(crate) fn is_root() -> bool {
    let Err(reason) = privileges::check() else {
        return true;
    };
    assert!(
        env::var("CI").as_deref() != Ok("true"),
        "this test must not be skipped in CI: {reason}"
    );
    println!("skipped: {reason}");
    false
}

/// A name for a namespace that no other test has, removed with everything behind it at the end.
pub(crate) struct Name(pub(crate) String);

impl Name {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(format!("os-test-{}-{number}", std::process::id()))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        // Most tests have removed it.
        let _ = netns::remove(&self.0);
    }
}

/// A namespace with a TAP device `eth0` in it, and a view of its links.
pub(crate) struct Host {
    pub(crate) netns: Netns,
    pub(crate) queues: Vec<Queue>,
    pub(crate) links: Links,
    pub(crate) device: Link,
}

impl Host {
    pub(crate) async fn new(offload: bool, queues: usize) -> Self {
        let netns = Netns::anonymous().unwrap();
        let options = Options { name: "eth0", queues, offload };
        let queues = tap::open(&netns, &options).unwrap();
        let links = Links::open(&netns).await.unwrap();
        let device = links.find("eth0").await.unwrap().unwrap();
        Self { netns, queues, links, device }
    }

    /// Switches the device on with this address, and nothing to say over IPv6.
    pub(crate) async fn up(&self, address: &str, mtu: u32) {
        os::sysctl::set_in(&self.netns, "net/ipv6/conf/eth0/disable_ipv6", "1").unwrap();
        self.links.set_mtu(self.device.index, mtu).await.unwrap();
        self.links.add_address(self.device.index, address.parse().unwrap()).await.unwrap();
        self.links.set_up(self.device.index).await.unwrap();
    }
}

/// Runs `test` on a runtime of one thread.
pub(crate) fn play<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// A bare netlink handle in `netns`, for what [`Links`] has no word for. Served by a task of the
/// current runtime.
pub(crate) fn netlink(netns: &Netns) -> rtnetlink::Handle {
    let runtime = tokio::runtime::Handle::current();
    let opened = netns.run(|| {
        let _runtime = runtime.enter();
        rtnetlink::new_connection().map(|(connection, handle, _)| (connection, handle))
    });
    let (connection, handle) = opened.unwrap().unwrap();
    runtime.spawn(connection);
    handle
}
