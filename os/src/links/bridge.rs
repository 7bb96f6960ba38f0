//! Linux bridges, for labs in which a container engine has one.

use rtnetlink::LinkBridge;

use super::{Link, LinkError, Links, within_deadline};

impl Links {
    /// Makes a Linux bridge without ports and addresses, and switches it on. A name that is taken
    /// is an error, and the device that bears it is left alone.
    pub async fn make_bridge(&self, name: &str) -> Result<Link, LinkError> {
        let operation = format!("make the Linux bridge `{name}`");
        if name.is_empty() || name.contains('%') {
            return Err(LinkError::bad_name(operation, name, &self.netns.shown));
        }
        let request = self.handle.link().add(LinkBridge::new(name).up().build());
        match within_deadline(request.execute()).await {
            Ok(()) => {}
            Err(failure) if failure.errno() == Some(libc::EEXIST) => {
                return Err(LinkError::name_taken(operation, name, &self.netns));
            }
            Err(failure) => return Err(self.error(operation, failure)),
        }
        let made = self.find(name).await?;
        made.ok_or_else(|| LinkError::vanished(operation, &self.netns.shown))
    }
}
