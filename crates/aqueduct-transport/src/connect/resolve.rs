//! From a name to its addresses.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use tokio::net::lookup_host;

/// Looks up the addresses of a peer; asked anew for every connection.
///
/// ```
/// use std::net::SocketAddr;
/// use std::sync::Arc;
/// use aqueduct_transport::{Client, ClientConfig, Protocol, Resolve, Resolving};
///
/// /// Asks nobody.
/// #[derive(Debug)]
/// struct Fixed(Vec<SocketAddr>);
///
/// impl Resolve for Fixed {
///     fn resolve<'a>(&'a self, _host: &'a str, _port: u16) -> Resolving<'a> {
///         Box::pin(async { Ok(self.0.clone()) })
///     }
/// }
///
/// let backends = Fixed(vec!["10.0.0.1:4317".parse()?, "10.0.0.2:4317".parse()?]);
/// let config = ClientConfig::new("http://collectors.example:4317", Protocol::Grpc);
/// let client = Client::with_resolver(config, Arc::new(backends))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "DnsResolver")]
pub trait Resolve: Debug + Send + Sync + 'static {
    /// All addresses of this host, the preferred first. `port` is the one that the endpoint names; an address with
    /// another is connected to all the same.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a>;
}

/// A lookup that is under way.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// The system's resolver.
#[derive(Debug)]
pub(crate) struct System;

impl Resolve for System {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
    }
}
