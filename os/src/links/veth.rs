//! Veth pairs: a cable whose far end is born in another namespace, so that nobody ever sees it
//! here.

use std::os::fd::AsRawFd;

use packet::Mac;
use rtnetlink::packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoVeth, LinkAttribute,
};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth};

use super::{Link, LinkError, Links, change, within_deadline};
use crate::netns::Netns;

impl Links {
    /// Makes a veth pair: `ours` in this namespace, up and silent (it gets no IPv6 address of its
    /// own), and `far_name` in `far`, down, with the address `far_mac`. Both have the MTU (68
    /// to 65,535). Tells our end as it is then.
    ///
    /// Deleting either end with [`Links::delete`] deletes both. A name that is taken is an error,
    /// and the device that bears it is left alone. On an error nothing is left behind.
    pub async fn make_veth(
        &self,
        ours: &str,
        far: &Netns,
        far_name: &str,
        mtu: u32,
        far_mac: Mac,
    ) -> Result<Link, LinkError> {
        let operation = format!("make the veth pair of `{ours}` and `{far_name}`");
        for name in [ours, far_name] {
            if name.is_empty() || name.contains('%') {
                return Err(LinkError::bad_name(operation, name, &self.netns.shown));
            }
        }
        let peer = LinkMessageBuilder::<LinkUnspec>::new()
            .name(far_name)
            .setns_by_fd(far.file().as_raw_fd())
            .mtu(mtu)
            .address(far_mac.0.to_vec())
            .build();
        let pair = LinkVeth::new(ours, far_name)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
            .mtu(mtu)
            .build();
        match within_deadline(self.handle.link().add(pair).execute()).await {
            Ok(()) => {}
            Err(failure) if failure.errno() == Some(libc::EEXIST) => {
                return Err(self.taken(operation, ours, far, far_name).await);
            }
            Err(failure) => return Err(self.error(operation, failure)),
        }
        let Some(made) = self.find(ours).await? else {
            return Err(LinkError::vanished(operation, &self.netns.shown));
        };
        match self.start(made.index).await {
            Ok(()) => Ok(Link { up: true, ..made }),
            Err(error) => {
                // The first reason is the one to tell.
                let _ = self.delete(made.index).await;
                Err(error)
            }
        }
    }

    /// Switches our end on, as a cable and not as a host.
    async fn start(&self, index: u32) -> Result<(), LinkError> {
        let silent = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
        let message =
            change(index).append_extra_attribute(LinkAttribute::AfSpecUnspec(vec![silent]));
        match self.set("keep IPv6 addresses off", index, message).await {
            // A kernel without IPv6 would give it none.
            Err(error) if error.errno() != Some(libc::EAFNOSUPPORT) => return Err(error),
            Ok(()) | Err(_) => {}
        }
        self.set_up(index).await
    }

    /// Which of the two names it was.
    async fn taken(&self, operation: String, ours: &str, far: &Netns, far_name: &str) -> LinkError {
        match self.find(ours).await {
            Ok(None) => LinkError::name_taken(operation, far_name, &far.whereabouts()),
            Ok(Some(_)) | Err(_) => LinkError::name_taken(operation, ours, &self.netns),
        }
    }
}
