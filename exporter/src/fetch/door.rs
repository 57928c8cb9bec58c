//! Where connections begin: a name's addresses, less those that a request must not be sent to.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use url::Url;

use super::names::Names;
use crate::reach::{Forbidden, Guard, Reach};

/// Looks names up for the connections to one server.
#[derive(Clone, Debug)]
pub(super) struct Door {
    names: Names,
    guard: Guard,
    port: u16,
}

/// None of a name's addresses may be asked.
#[derive(Debug, thiserror::Error)]
#[error("it leads to {0}, which must not be asked")]
pub(super) struct Closed(pub(super) IpAddr);

impl Door {
    pub(super) const fn new(names: Names, guard: Guard, port: u16) -> Self {
        Self { names, guard, port }
    }

    /// The addresses that a connection may be made to.
    ///
    /// # Errors
    /// The name has none, or [`Closed`]: none that may be asked.
    pub(super) async fn open(&self, name: &str) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
        let found = self.names.look_up(name).await?;
        let refused = found.first().copied();
        let admitted = found.into_iter().filter(|address| self.guard.admits(Some(name), self.port, *address));
        // The port is the connector's to fill in.
        let admitted: Vec<_> = admitted.map(|address| SocketAddr::new(address, 0)).collect();
        match refused {
            Some(refused) if admitted.is_empty() => Err(Closed(refused).into()),
            Some(_) | None => Ok(admitted),
        }
    }
}

/// What an error says of an address that must not be asked.
pub(super) fn forbidden(error: &(dyn Error + 'static), reach: &Reach, url: &Url) -> Option<Forbidden> {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(Closed(address)) = inner.downcast_ref() {
            return Some(reach.forbidden(url, *address));
        }
        cause = inner.source();
    }
    None
}

impl tower::Service<Name> for Door {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let door = self.clone();
        Box::pin(async move { door.open(name.as_str()).await.map(Vec::into_iter) })
    }
}
