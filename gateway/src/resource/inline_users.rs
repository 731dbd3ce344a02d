//! Resource `auth-provider-inline-resource`: user names and passwords that stand in the definition itself.

use super::Resource;
use crate::endpoint::Shared;
use definition::api::Settings;
use definition::resource::inline_users::{InlineUsers, User};
use definition::violation::Violation;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use subtle::ConstantTimeEq as _;

/// The users of one list.
pub(crate) struct Users(HashMap<String, Known>);

struct Known {
    password: SecretString,
    attributes: Vec<(&'static str, Value)>,
}

/// Builds the resource.
pub(crate) fn build(settings: &Settings, _shared: &Shared) -> Result<Resource, Vec<Violation>> {
    let settings = InlineUsers::parse(settings)?;
    let users = settings.users.into_iter().map(|user| {
        let User { username, password, firstname, lastname, email, picture, roles } = user;
        let texts =
            [("firstname", firstname), ("lastname", lastname), ("email", email), ("picture", picture)];
        let mut attributes: Vec<(&'static str, Value)> =
            texts.into_iter().filter_map(|(name, text)| Some((name, text?.into()))).collect();
        if !roles.is_empty() {
            attributes.push(("roles", roles.into()));
        }
        (username, Known { password: password.into(), attributes })
    });
    Ok(Resource::Users(Arc::new(Users(users.collect()))))
}

impl Users {
    /// What is known about a user with this password. It takes as long for a wrong password as for a right one, and as
    /// long for an unknown user.
    pub(crate) fn authenticate(&self, name: &str, password: &str) -> Option<&[(&'static str, Value)]> {
        let known = self.0.get(name);
        let expected = known.map_or("", |known| known.password.expose_secret());
        let equal = Sha256::digest(expected).ct_eq(&Sha256::digest(password));
        known.filter(|_| bool::from(equal)).map(|known| known.attributes.as_slice())
    }
}
