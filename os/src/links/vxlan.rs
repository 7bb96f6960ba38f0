//! The kernel's own VXLAN devices, which may hold the UDP port that a tunnel of ours wants.

use futures_util::TryStreamExt;
use rtnetlink::packet_route::link::{InfoData, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage};

use super::{LinkError, Links, link, within_deadline};

impl Links {
    /// The VXLAN devices of the kernel that are up, and the UDP port that each listens on. One that was moved here from
    /// another namespace is shown here and listens there; one that is down listens nowhere.
    pub async fn vxlan_devices(&self) -> Result<Vec<(String, u16)>, LinkError> {
        let found = self.handle.link().get().execute();
        let messages: Vec<LinkMessage> = within_deadline(found.try_collect())
            .await
            .map_err(|failure| self.error("list the VXLAN devices".into(), failure))?;
        Ok(messages.iter().filter_map(listener).collect())
    }
}

fn listener(message: &LinkMessage) -> Option<(String, u16)> {
    let port = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => infos.iter().find_map(port),
        _ => None,
    })?;
    let device = link(message);
    device.up.then_some((device.name, port))
}

fn port(info: &LinkInfo) -> Option<u16> {
    let LinkInfo::Data(InfoData::Vxlan(settings)) = info else {
        return None;
    };
    settings.iter().find_map(|setting| match setting {
        InfoVxlan::Port(port) => Some(*port),
        _ => None,
    })
}
