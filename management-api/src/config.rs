//! What the management plane has to be told. A plain struct: the binary reads files and the environment and fills it in.

use crate::seal::SealKey;
use secrecy::SecretString;
use std::net::SocketAddr;

/// Port of the REST API.
pub const REST_PORT: u16 = 8083;
/// Port of the sync server.
pub const SYNC_PORT: u16 = 8084;
/// Port of health, readiness and metrics.
pub const NODE_PORT: u16 = 18083;

/// Settings of one management node.
#[derive(Debug, Clone)]
pub struct ManagementConfig {
    /// `postgres://…` or `sqlite://…`.
    pub database_url: String,
    /// REST API and Swagger UI. Port 0 takes a free one.
    pub rest_listen: SocketAddr,
    /// gRPC stream to gateways.
    pub sync_listen: SocketAddr,
    /// `/health`, `/ready`, `/metrics`.
    pub node_listen: SocketAddr,
    /// Password of the user `admin`, created while the store has no user. Required then, unused afterwards.
    pub admin_password: Option<SecretString>,
    /// Seals API keys in the store. Required as soon as the store has been used with one.
    pub seal_key: Option<SealKey>,
    /// Secret that gateways present.
    pub sync_token: SecretString,
}
