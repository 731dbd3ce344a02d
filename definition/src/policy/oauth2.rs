//! OAuth2 as a step: refuses requests without a valid token, in addition to what the plan asks for.

use super::{Phase, PolicySpec};
use crate::security::oauth2;

pub static SPEC: PolicySpec = PolicySpec {
    id: "oauth2",
    name: "OAuth2",
    description: "Refuses requests without a token that an authorization server vouches for",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema: oauth2::schema,
    check: oauth2::check,
};
