//! Numbers by which one namespace knows another: what `ip netns list-id` shows, and the `@if2
//! link-netnsid 0` of `ip link`.

use std::os::fd::AsRawFd;

use futures_util::StreamExt;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::nsid::{NsidAttribute, NsidMessage};

use super::error::Failure;
use super::{LinkError, Links, within_deadline};
use crate::netns::Netns;

impl Links {
    /// The number by which this namespace knows `target`, if it has one.
    pub async fn nsid(&self, target: &Netns) -> Result<Option<i32>, LinkError> {
        let query = RouteNetlinkMessage::GetNsId(message(target, None));
        self.ask(query)
            .await
            .map_err(|failure| self.error(format!("look up the number of {target}"), failure))
    }

    /// The number by which this namespace knows `target`, given to it by the kernel when it has
    /// none. A number lasts as long as both namespaces.
    pub async fn assign_nsid(&self, target: &Netns) -> Result<i32, LinkError> {
        if let Some(nsid) = self.nsid(target).await? {
            return Ok(nsid);
        }
        let request = RouteNetlinkMessage::NewNsId(message(target, Some(CHOOSE)));
        let refused = |failure| self.error(format!("give a number to {target}"), failure);
        match self.ask(request).await {
            // Somebody else gave it one in between.
            Err(failure) if failure.errno() != Some(libc::EEXIST) => return Err(refused(failure)),
            Ok(_) | Err(_) => {}
        }
        self.nsid(target).await?.ok_or_else(|| refused(Failure::Silence))
    }

    /// Sends one request and waits for its end; the number that came, if one did.
    async fn ask(&self, request: RouteNetlinkMessage) -> Result<Option<i32>, Failure> {
        let mut request = NetlinkMessage::from(request);
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK;
        let mut handle = self.handle.clone();
        within_deadline(async {
            let mut answers = handle.request(request)?;
            let mut nsid = None;
            while let Some(answer) = answers.next().await {
                match answer.payload {
                    NetlinkPayload::Error(error) if error.code.is_some() => {
                        return Err(rtnetlink::Error::NetlinkError(error));
                    }
                    NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNsId(found)) => {
                        nsid = number(&found);
                    }
                    // The acknowledgement.
                    _ => {}
                }
            }
            Ok(nsid)
        })
        .await
    }
}

/// `NETNSA_NSID_NOT_ASSIGNED`: in a request, the kernel is to choose; in an answer, there is none.
const CHOOSE: i32 = -1;

/// About the namespace behind `target`'s descriptor, which the caller keeps open until the answer
/// is there.
fn message(target: &Netns, nsid: Option<i32>) -> NsidMessage {
    let mut message = NsidMessage::default();
    message.attributes.push(NsidAttribute::Fd(target.file().as_raw_fd().unsigned_abs()));
    message.attributes.extend(nsid.map(NsidAttribute::Id));
    message
}

fn number(message: &NsidMessage) -> Option<i32> {
    message.attributes.iter().find_map(|attribute| match attribute {
        NsidAttribute::Id(nsid) if *nsid >= 0 => Some(*nsid),
        _ => None,
    })
}
