//! Users of the management API.

pub(crate) mod store;

/// A user as stored.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: uuid::Uuid,
    pub(crate) name: String,
    pub(crate) password_hash: String,
}
