//! JWT as a step: refuses requests without a valid token, in addition to what the plan asks for.

use super::{Phase, PolicySpec};
use crate::security::jwt;

pub static SPEC: PolicySpec = PolicySpec {
    id: "jwt",
    name: "JSON Web Tokens",
    description: "Refuses requests without a token that was signed with a known key",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema: jwt::schema,
    check: jwt::check,
};
