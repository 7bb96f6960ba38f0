//! IPv4 addresses of a device.

use std::net::{IpAddr, Ipv4Addr};

use futures_util::TryStreamExt;
use packet::Ipv4Net;
use rtnetlink::AddressMessageBuilder;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};

use super::error::Failure;
use super::{LinkError, Links, within_deadline};

impl Links {
    /// The IPv4 addresses of a device, each with its host bits and its prefix length, as `ip addr`
    /// shows them.
    pub async fn addresses(&self, index: u32) -> Result<Vec<Ipv4Net>, LinkError> {
        let mut request = self.handle.address().get().set_link_index_filter(index);
        request.message_mut().header.family = AddressFamily::Inet;
        let found: Result<Vec<AddressMessage>, Failure> =
            within_deadline(request.execute().try_collect()).await;
        match found {
            Ok(messages) => Ok(messages.iter().filter_map(address).collect()),
            Err(failure) => Err(self.device_error("list the addresses of", index, failure).await),
        }
    }

    /// The IPv4 addresses of all devices, each beside its device's index.
    pub async fn all_addresses(&self) -> Result<Vec<(u32, Ipv4Net)>, LinkError> {
        let mut request = self.handle.address().get();
        request.message_mut().header.family = AddressFamily::Inet;
        let found: Vec<AddressMessage> = within_deadline(request.execute().try_collect())
            .await
            .map_err(|failure| self.error("list the addresses".into(), failure))?;
        let row = |message: &AddressMessage| Some((message.header.index, address(message)?));
        Ok(found.iter().filter_map(row).collect())
    }

    /// Gives a device an address, and with it the route to its subnet once the device is up.
    /// Content when it is there.
    pub async fn add_address(&self, index: u32, address: Ipv4Net) -> Result<(), LinkError> {
        let request =
            self.handle.address().add(index, IpAddr::V4(address.addr()), address.prefix_len());
        match within_deadline(request.execute()).await {
            Err(failure) if failure.errno() != Some(libc::EEXIST) => {
                Err(self.device_error(&format!("add address {address} to"), index, failure).await)
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Takes an address from a device, and the routes that depend on it. Content when it is not
    /// there. The first address of a subnet takes the others of that subnet with it, unless the
    /// namespace sets `promote_secondaries`.
    pub async fn delete_address(&self, index: u32, address: Ipv4Net) -> Result<(), LinkError> {
        let message = AddressMessageBuilder::<Ipv4Addr>::new()
            .index(index)
            .address(address.addr(), address.prefix_len())
            .build();
        match within_deadline(self.handle.address().del(message).execute()).await {
            Err(failure) if failure.errno() != Some(libc::EADDRNOTAVAIL) => {
                let operation = format!("delete address {address} from");
                Err(self.device_error(&operation, index, failure).await)
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// `Local` is the device's own address; `Address` is the far end's on a point-to-point device, else
/// the same.
fn address(message: &AddressMessage) -> Option<Ipv4Net> {
    let own = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(IpAddr::V4(own)) => Some(*own),
        _ => None,
    });
    Ipv4Net::new(own?, message.header.prefix_len).ok()
}
