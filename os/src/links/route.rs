//! IPv4 routes of the main table.

use std::net::Ipv4Addr;

use futures_util::TryStreamExt;
use packet::Ipv4Net;
use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};

use super::{LinkError, Links, within_deadline};

impl Links {
    /// The gateway and the device of the default route that counts (the lowest metric). The gateway
    /// of a route straight to a device is 0.0.0.0, as the kernel writes it. Routes over several
    /// next hops are not shown.
    pub async fn default_route(&self) -> Result<Option<(Ipv4Addr, u32)>, LinkError> {
        let query = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let found = self.handle.route().get(query).execute();
        let messages: Vec<RouteMessage> = within_deadline(found.try_collect())
            .await
            .map_err(|failure| self.error("list the routes".into(), failure))?;
        let defaults = messages.iter().filter_map(default_route);
        Ok(defaults.min_by_key(|route| route.metric).map(|route| (route.gateway, route.index)))
    }

    /// Sends everything without a better route to `gateway` through the device `index`, in place of
    /// the default route of metric 0 that was there. The gateway must be in a subnet of the
    /// device, which must be up.
    pub async fn set_default_route(&self, gateway: Ipv4Addr, index: u32) -> Result<(), LinkError> {
        self.add_route(EVERYWHERE, Some(gateway), index).await
    }

    /// Takes the default route of the lowest metric away. Content when there is none.
    pub async fn delete_default_route(&self) -> Result<(), LinkError> {
        self.delete_route(EVERYWHERE).await
    }

    /// Sends packets for `to` to `gateway`, or straight to their destination, through the device
    /// `index`, in place of the route to the same prefix that was there.
    pub async fn add_route(
        &self,
        to: Ipv4Net,
        gateway: Option<Ipv4Addr>,
        index: u32,
    ) -> Result<(), LinkError> {
        let message = toward(to).output_interface(index);
        let (message, by) = match gateway {
            Some(gateway) => (message.gateway(gateway), format!("by {gateway} ")),
            None => (message.scope(RouteScope::Link), String::new()),
        };
        let request = self.handle.route().add(message.build()).replace();
        match within_deadline(request.execute()).await {
            Ok(()) => Ok(()),
            Err(failure) => {
                let operation = format!("add the route to {} {by}through", named(to));
                Err(self.device_error(&operation, index, failure).await)
            }
        }
    }

    /// Takes the route to exactly `to` away, through whichever device. Content when there is none.
    pub async fn delete_route(&self, to: Ipv4Net) -> Result<(), LinkError> {
        let mut message = toward(to).build();
        // These match any route.
        message.header.scope = RouteScope::NoWhere;
        message.header.protocol = RouteProtocol::Unspec;
        message.header.kind = RouteType::Unspec;
        match within_deadline(self.handle.route().del(message).execute()).await {
            Err(failure) if failure.errno() != Some(libc::ESRCH) => {
                Err(self.error(format!("delete the route to {}", named(to)), failure))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// 0.0.0.0/0.
const EVERYWHERE: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);

struct DefaultRoute {
    gateway: Ipv4Addr,
    index: u32,
    metric: u32,
}

fn default_route(message: &RouteMessage) -> Option<DefaultRoute> {
    let header = &message.header;
    let counts = header.destination_prefix_length == 0
        && header.table == RouteHeader::RT_TABLE_MAIN
        && header.kind == RouteType::Unicast;
    if !counts {
        return None;
    }
    let (mut gateway, mut index, mut metric) = (Ipv4Addr::UNSPECIFIED, None, 0);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(address)) => gateway = *address,
            RouteAttribute::Oif(device) => index = Some(*device),
            RouteAttribute::Priority(number) => metric = *number,
            // The rest tells how the route came to be.
            _ => {}
        }
    }
    index.map(|index| DefaultRoute { gateway, index, metric })
}

fn toward(to: Ipv4Net) -> RouteMessageBuilder<Ipv4Addr> {
    let builder = RouteMessageBuilder::<Ipv4Addr>::new();
    if to == EVERYWHERE {
        return builder;
    }
    builder.destination_prefix(to.network(), to.prefix_len())
}

fn named(to: Ipv4Net) -> String {
    if to == EVERYWHERE { "everywhere".into() } else { to.trunc().to_string() }
}
