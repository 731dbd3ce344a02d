//! Inline users: user names and passwords that stand in the definition itself.

use super::ResourceSpec;
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::LazyLock;

pub static SPEC: ResourceSpec = ResourceSpec {
    id: "auth-provider-inline-resource",
    name: "Inline Authentication Provider",
    description: "Users and passwords that stand in the definition",
    schema,
    check,
};

/// Settings of the resource.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Inline Authentication Provider")]
pub struct InlineUsers {
    /// Users.
    #[serde(default)]
    pub users: Vec<User>,
}

/// A user. What is set besides name and password becomes the attributes `user.<member>` of a request.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct User {
    /// User name; only once in the list.
    #[schemars(length(min = 1), extend("x-identity" = true))]
    pub username: String,
    /// Password.
    #[schemars(length(min = 1), extend("x-secret" = true))]
    pub password: String,
    /// First name.
    #[serde(default)]
    pub firstname: Option<String>,
    /// Last name.
    #[serde(default)]
    pub lastname: Option<String>,
    /// Mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Address of a picture.
    #[serde(default)]
    pub picture: Option<String>,
    /// Roles, the attribute `user.roles`.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// The password stays out of logs.
impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("username", &self.username).finish_non_exhaustive()
    }
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<InlineUsers>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    InlineUsers::parse(settings).err().unwrap_or_default()
}

impl InlineUsers {
    /// Reads settings. Paths of violations are relative to them.
    pub fn parse(settings: &Settings) -> Result<InlineUsers, Vec<Violation>> {
        let parsed: InlineUsers = schema().read(settings)?;
        let mut names = HashSet::new();
        let mut violations = Vec::new();
        for (index, user) in parsed.users.iter().enumerate() {
            let name = crate::reader::quote(&user.username);
            if user.username.contains(':') {
                let message = format!("#/users/{index}/username: {name} must not contain a colon");
                violations.push(Violation::new(format!("users[{index}].username"), "data.invalid", message));
            }
            if !names.insert(&user.username) {
                let message = format!("#/users/{index}/username: {name} stands there twice, remove one");
                violations.push(Violation::new(format!("users[{index}].username"), "data.invalid", message));
            }
        }
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::{MASK, mask};
    use serde_json::{Value, json};

    #[test]
    fn names_are_unique_and_without_colons() {
        let users = json!({"users": [
            {"username": "a", "password": "1"},
            {"username": "a", "password": "2"},
            {"username": "b:c", "password": "3"},
        ]});
        let wrong = check(users.as_object().unwrap());
        let paths: Vec<_> = wrong.iter().map(|violation| violation.path.as_str()).collect();
        assert_eq!(paths, ["users[1].username", "users[2].username"]);
    }

    #[test]
    fn passwords_are_never_shown() {
        let users = json!({"users": [{"username": "a", "password": "secret", "roles": ["x"]}]});
        let shown = Value::Object(mask(schema().document(), users.as_object().unwrap()));
        assert_eq!(shown, json!({"users": [{"username": "a", "password": MASK, "roles": ["x"]}]}));
        let parsed = InlineUsers::parse(users.as_object().unwrap()).unwrap();
        assert!(!format!("{parsed:?}").contains("secret"));
    }
}
