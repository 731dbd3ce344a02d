//! The HTTP clients of a gateway, shared by endpoints whose settings are equal: a redeploy that does not touch them keeps
//! the connections, and calls of the old version end on the client that they began with.

use super::client::Client;
use super::connect::Connector;
use super::tls::Tls;
use super::{FactoryError, Upstream, client};
use definition::connector::http_proxy::HttpProxy;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The clients in use.
#[derive(Default)]
pub struct Clients {
    /// By the digest of everything that makes a client, with the content of the files that it names.
    by_settings: Mutex<HashMap<[u8; 32], Weak<Client>>>,
    system_proxy: Option<Upstream>,
}

impl Clients {
    /// Clients of a node that reaches the outside through a proxy.
    pub(crate) fn with_system_proxy(system_proxy: Option<Upstream>) -> Self {
        Clients { by_settings: Mutex::default(), system_proxy }
    }

    /// The proxy of the node.
    pub(crate) fn system_proxy(&self) -> Option<&Upstream> {
        self.system_proxy.as_ref()
    }

    /// The client of an endpoint. Errors name the setting that it cannot be made with.
    pub(super) fn client(&self, name: &str, settings: &HttpProxy) -> Result<Arc<Client>, FactoryError> {
        let mut seen = Sha256::new();
        let tls = Tls::build(&settings.ssl, &mut seen)?;
        let upstream = match &settings.proxy {
            Some(proxy) => Some(Upstream::of(proxy, self.system_proxy.as_ref())?),
            None => None,
        };
        // The limit of connections is that of one endpoint, so endpoints of different names never share.
        seen.update(format!("{name}\n{:?}\n{:?}\n{upstream:?}\n", settings.http, settings.ssl));
        seen.update(upstream.as_ref().map(Upstream::credentials).unwrap_or_default());
        let key: [u8; 32] = seen.finalize().into();
        let mut clients = self.by_settings.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|_, client| client.strong_count() > 0);
        if let Some(client) = clients.get(&key).and_then(Weak::upgrade) {
            return Ok(client);
        }
        let patience = client::limit(settings.http.connect_timeout);
        let connector = Connector { tls, upstream, patience, networks: None };
        let client = Arc::new(Client::new(settings.http.clone(), connector));
        clients.insert(key, Arc::downgrade(&client));
        Ok(client)
    }
}
