//! The HTTP side: from an accepted socket to an entrypoint, and back.

pub(crate) mod body;
mod client_body;
pub(crate) mod connection;
pub(crate) mod cors;
pub(crate) mod frame;
pub(crate) mod head;
pub(crate) mod hop;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod ids;
pub(crate) mod io;
pub(crate) mod listener;
pub(crate) mod process;
pub(crate) mod query;
pub(crate) mod reply;
pub(crate) mod respond;
pub(crate) mod serve;
pub(crate) mod stream;
