//! The tenancy of a request: an organization and one of its environments. First argument of every store function.

/// An environment of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    pub organization: String,
    pub environment: String,
}
