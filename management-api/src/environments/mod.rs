//! Organizations and environments: the tenancy that every path below `/management` names.

pub(crate) mod store;

/// The organization and the environment that exist from the start.
pub(crate) const DEFAULT: &str = "DEFAULT";
