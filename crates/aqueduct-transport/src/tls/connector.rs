//! The TLS handshake with one peer, and the certificates for it, which may change on disk.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::material::Material;
use super::{Pem, TlsConfig, explain};
use crate::error::ConfigError;
use crate::status::Counters;

/// Makes TLS sessions with one peer.
pub(crate) struct Connector {
    config: TlsConfig,
    name: ServerName<'static>,
    alpn: &'static [&'static [u8]],
    /// Held while files are read, and only by threads that may wait.
    reading: Mutex<()>,
    current: Mutex<Current>,
    counters: Arc<Counters>,
}

struct Current {
    material: Material,
    session: Arc<ClientConfig>,
}

impl Connector {
    /// Reads the files. `alpn` are the protocols to offer, the best first.
    pub(crate) fn new(
        config: &TlsConfig,
        host: &str,
        alpn: &'static [&'static [u8]],
        counters: &Arc<Counters>,
    ) -> Result<Self, ConfigError> {
        let name = config.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| ConfigError::Tls {
            setting: "server_name",
            file: None,
            reason: format!("{name:?} is neither a DNS name nor an address, so no certificate can be for it"),
        })?;
        let current = current(config, alpn, Material::read(config)?)?;
        Ok(Self {
            config: config.clone(),
            name,
            alpn,
            reading: Mutex::new(()),
            current: Mutex::new(current),
            counters: counters.clone(),
        })
    }

    /// Begins TLS on this connection. The error says in words what went wrong.
    pub(crate) async fn connect(self: &Arc<Self>, tcp: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        if self.config.reads_files() {
            let this = self.clone();
            // Files may lie on a network. An error means that the runtime is shutting down.
            let _ = tokio::task::spawn_blocking(move || this.reload()).await;
        }
        let session = self.current().session.clone();
        let connected = TlsConnector::from(session).connect(self.name.clone(), tcp).await;
        connected.map_err(|error| explain::handshake(&error))
    }

    /// The protocols it offers.
    pub(crate) fn alpn(&self) -> &[&[u8]] {
        self.alpn
    }

    /// Takes over what changed in the files. Their contents are compared, not their times: those are coarse, and some ways
    /// of replacing a file keep them.
    fn reload(&self) {
        // Nobody panics while holding these locks, and both guard whole values.
        let _one_at_a_time = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = match Material::read(&self.config) {
            Ok(material) if material == self.current().material => return,
            Ok(material) => current(&self.config, self.alpn, material),
            Err(error) => Err(error),
        };
        match changed {
            Ok(current) => *self.current() = current,
            Err(error) => {
                self.counters
                    .warned(format!("the old certificates stay in use, for the new ones fail: {error}"));
            }
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn current(config: &TlsConfig, alpn: &[&[u8]], material: Material) -> Result<Current, ConfigError> {
    let mut session = material.session(config)?;
    session.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Current { material, session: Arc::new(session) })
}

impl TlsConfig {
    fn reads_files(&self) -> bool {
        let pems = [&self.ca, &self.client_certificate, &self.client_key];
        pems.into_iter().any(|pem| matches!(pem, Some(Pem::File(_))))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("config", &self.config)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
