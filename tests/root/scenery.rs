//! What stands around before the daemon comes: namespaces with devices and routes of their own,
//! Linux bridges, processes.

use std::process::{Child, Command, Stdio};

use os::links::Links;
use os::netns::Netns;
use os::tap::{self, Options, Queue};
use rtnetlink::LinkBridge;

use crate::host::{Host, play};
use crate::world::World;

/// A namespace that somebody else made: `lo` is down, and a device of its own has an address and a
/// default route.
pub(crate) struct Found {
    pub(crate) host: Host,
    _cable: Vec<Queue>,
}

impl Found {
    /// Under a name.
    pub(crate) fn named(world: &World, name: &str, device: &str) -> Self {
        let netns = world.run(|| Netns::create(name)).unwrap();
        Self::furnish(Host::new(name, netns), device)
    }

    /// Without a name.
    pub(crate) fn anonymous(device: &str) -> Self {
        Self::furnish(Host::new("a found namespace", Netns::anonymous().unwrap()), device)
    }

    /// In a namespace that is there, such as the daemon's own.
    pub(crate) fn furnish(host: Host, device: &str) -> Self {
        let options = Options { name: device, queues: 1, offload: true };
        let cable = tap::open(host.netns(), &options).unwrap();
        play(async {
            let links = Links::open(host.netns()).await.unwrap();
            let index = links.find(device).await.unwrap().unwrap().index;
            links.add_address(index, "198.51.100.2/24".parse().unwrap()).await.unwrap();
            links.set_up(index).await.unwrap();
            links.set_default_route("198.51.100.1".parse().unwrap(), index).await.unwrap();
        });
        Self { host, _cable: cable }
    }
}

/// Makes a Linux bridge with an address, and switches it on.
pub(crate) fn linux_bridge(host: &Host, name: &str, address: &str) {
    play(async {
        let runtime = tokio::runtime::Handle::current();
        let (connection, handle, _) = host.run(|| {
            let _runtime = runtime.enter();
            rtnetlink::new_connection().unwrap()
        });
        let connection = tokio::spawn(connection);
        handle.link().add(LinkBridge::new(name).up().build()).execute().await.unwrap();
        connection.abort();
        let links = Links::open(host.netns()).await.unwrap();
        let bridge = links.find(name).await.unwrap().unwrap();
        // Or it would change with the bridge's ports.
        links.set_mac(bridge.index, bridge.mac).await.unwrap();
        links.add_address(bridge.index, address.parse().unwrap()).await.unwrap();
    });
}

/// A process that does nothing in a namespace, as a container would. Ends when dropped.
pub(crate) struct Container(Child);

impl Container {
    pub(crate) fn start(host: &Host) -> Self {
        let started = host.run(|| {
            // Waits for input that never comes.
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()
        });
        Self(started.unwrap())
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
