//! Subscriptions and keys of an API in the 4.x dialect: the same resources under other paths and in other words.

pub(crate) mod actions;
pub(crate) mod handlers;
pub(crate) mod keys;
mod view;
