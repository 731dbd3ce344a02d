//! Resources of an API: things that several policies share, such as a cache or an authorization server.
//!
//! A resource is one file here with its settings struct and its `SPEC`, plus one line in `RESOURCES`, and one file and one
//! line in the gateway.

use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;

pub mod cache;
pub mod inline_users;
pub mod oauth2;

/// A kind of resource of this build.
#[derive(Debug)]
pub struct ResourceSpec {
    pub id: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    /// Schema of `configuration`.
    pub schema: fn() -> &'static SettingsSchema,
    /// Every fault of complete settings, with paths relative to them.
    pub check: fn(&Settings) -> Vec<Violation>,
}

/// Every kind of resource that this build runs, in the order of their ids.
pub static RESOURCES: &[&ResourceSpec] = &[
    &inline_users::SPEC,
    &cache::SPEC,
    &oauth2::SPEC,
];

/// Looks a `type` up.
pub fn resource(id: &str) -> Option<&'static ResourceSpec> {
    RESOURCES.iter().find(|spec| spec.id == id).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_in_order_and_describe_their_members() {
        assert!(RESOURCES.is_sorted_by_key(|spec| spec.id));
        for spec in RESOURCES {
            crate::connector::described(spec.id, (spec.schema)().document());
        }
    }
}
