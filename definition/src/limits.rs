//! Every limit of the product, with its unit, and how they relate.

/// Greatest definition that is saved, bytes of its JSON.
pub const DEFINITION_MAX_BYTES: usize = 1024 * 1024;
/// Greatest request body at the management API, bytes.
pub const MANAGEMENT_BODY_MAX_BYTES: usize = 2 * 1024 * 1024;
/// Greatest request body that an entrypoint turns into one message, bytes.
pub const MESSAGE_BODY_MAX_BYTES: usize = 1024 * 1024;
/// Greatest WebSocket frame, bytes.
pub const WEBSOCKET_FRAME_MAX_BYTES: usize = 65_536;
/// Greatest WebSocket message, bytes.
pub const WEBSOCKET_MESSAGE_MAX_BYTES: usize = 262_144;
/// Greatest sync batch, bytes of its encoded changes (one change may exceed it alone).
pub const SYNC_BATCH_MAX_BYTES: usize = 256 * 1024;
/// Greatest sync message that either side decodes, bytes.
pub const SYNC_MESSAGE_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Time for one request up to its response head, milliseconds; streams are not bounded by it.
pub const REQUEST_TIMEOUT_MS: u64 = 30_000;
/// Time for the head of an HTTP request to arrive, milliseconds.
pub const HEADER_READ_TIMEOUT_MS: u64 = 15_000;
/// Records kept for the readers of one shared fetch, bytes of their content, keys and headers.
pub const SHARED_FETCH_BUFFER_MAX_BYTES: usize = 8 * 1024 * 1024;
/// A client that cannot take one write for this long is disconnected, milliseconds.
pub const SLOW_CLIENT_WRITE_TIMEOUT_MS: u64 = 30_000;
/// Requests to a broker wait at most this long for its confirmation, milliseconds.
pub const PUBLISH_TIMEOUT_MS: u64 = 10_000;
/// Greatest text with expressions in it, bytes.
pub const TEMPLATE_MAX_BYTES: usize = 256 * 1024;
/// Greatest nesting of an expression and greatest height of its tree, levels. Reading, evaluating and dropping recurse.
pub const EXPRESSION_MAX_DEPTH: usize = 64;

const _: () = assert!(DEFINITION_MAX_BYTES <= MANAGEMENT_BODY_MAX_BYTES);
const _: () = assert!(MANAGEMENT_BODY_MAX_BYTES <= SYNC_MESSAGE_MAX_BYTES);
const _: () = assert!(PUBLISH_TIMEOUT_MS < REQUEST_TIMEOUT_MS);
