//! Settings as authors write them. Absent numbers have the values that the field's gateways use, not those that its
//! forms propose.

use crate::connector::ssl::SslSettings;
use crate::expression::Template;
use crate::policy::transform_headers::Header;
use crate::token::tokens;
use schemars::JsonSchema;
use serde::Deserialize;

tokens! {
    /// Protocol spoken to the backend.
    pub enum ProxyVersion { Http11 = "HTTP_1_1", Http2 = "HTTP_2" }
}

tokens! {
    /// Protocol spoken to an upstream proxy.
    pub enum ProxyType { Http = "HTTP", Socks4 = "SOCKS4", Socks5 = "SOCKS5" }
}

/// Settings of an HTTP proxy endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "HTTP Proxy")]
pub(super) struct ProxySettings {
    /// Absolute URL of the backend (http, https, ws, wss, grpc or grpcs); may hold expressions.
    #[schemars(length(min = 1), extend("x-secret-url" = true))]
    pub(super) target: Template,
    /// How HTTP is spoken.
    pub(super) http: Option<HttpSettings>,
    /// Headers that are set on every outgoing request.
    pub(super) headers: Option<Vec<Header>>,
    /// Proxy on the way to the backend.
    pub(super) proxy: Option<UpstreamProxy>,
    /// How `https`, `wss` and `grpcs` backends are trusted.
    pub(super) ssl: Option<SslSettings>,
}

/// How HTTP is spoken to the backend. Times are milliseconds; 0 switches the limit off.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Protocol version.
    pub version: ProxyVersion,
    /// Whether connections are kept for further requests.
    pub keep_alive: bool,
    /// Time that an unused connection is kept, milliseconds.
    #[schemars(range(min = 0))]
    pub keep_alive_timeout: u64,
    /// Time for a connection to be established, or to become free, milliseconds.
    #[schemars(range(min = 0))]
    pub connect_timeout: u64,
    /// Time for the head of the answer, milliseconds.
    #[schemars(range(min = 0))]
    pub read_timeout: u64,
    /// Time without a byte in either direction, milliseconds.
    #[schemars(range(min = 0))]
    pub idle_timeout: u64,
    /// Accepted for older documents; requests are not pipelined.
    pub pipelining: bool,
    /// Whether the backend may compress answers.
    pub use_compression: bool,
    /// Whether the client's Accept-Encoding is passed on; only without `useCompression`.
    pub propagate_client_accept_encoding: bool,
    /// Whether the backend gets the Host that the client named.
    pub propagate_client_host: bool,
    /// Whether redirections are followed here instead of by the client.
    pub follow_redirects: bool,
    /// Greatest number of connections to one host.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_concurrent_connections: u32,
    /// Accepted for older documents; HTTP/2 without TLS is spoken with prior knowledge.
    pub clear_text_upgrade: bool,
    /// Requests at a time on one HTTP/2 connection; -1: as many as the backend takes.
    #[schemars(range(min = -1, max = 100_000))]
    pub http2_multiplexing_limit: i32,
    /// HTTP/2 window of a connection, bytes; -1: the protocol's own.
    #[schemars(range(min = -1, max = 2_147_483_647))]
    pub http2_connection_window_size: i32,
    /// HTTP/2 window of a stream, bytes; -1: the protocol's own.
    #[schemars(range(min = -1, max = 2_147_483_647))]
    pub http2_stream_window_size: i32,
}

impl Default for HttpSettings {
    fn default() -> Self {
        HttpSettings {
            version: ProxyVersion::Http11,
            keep_alive: true,
            keep_alive_timeout: 30_000,
            connect_timeout: 5000,
            read_timeout: 10_000,
            idle_timeout: 60_000,
            pipelining: false,
            use_compression: true,
            propagate_client_accept_encoding: false,
            propagate_client_host: false,
            follow_redirects: false,
            max_concurrent_connections: 100,
            clear_text_upgrade: true,
            http2_multiplexing_limit: -1,
            http2_connection_window_size: 1_048_576,
            http2_stream_window_size: 262_144,
        }
    }
}

/// Proxy on the way to the backend.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamProxy {
    /// Whether it is used.
    #[serde(default)]
    pub enabled: bool,
    /// Whether it is the one that the node is configured with; nothing below counts then.
    #[serde(default)]
    pub use_system_proxy: bool,
    /// Protocol.
    #[serde(rename = "type", default = "http")]
    pub protocol: ProxyType,
    /// Host name or address.
    pub host: Option<String>,
    /// Port.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<u16>,
    /// User, when the proxy wants one.
    pub username: Option<String>,
    /// Password of the user.
    #[schemars(extend("x-secret" = true))]
    pub password: Option<String>,
}

fn http() -> ProxyType {
    ProxyType::Http
}
