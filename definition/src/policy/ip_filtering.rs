//! IP filtering: lets callers in by their addresses.

use super::{Phase, PolicySpec};
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::reader::quote;
use crate::token::tokens;
use crate::violation::Violation;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::IpAddr;
use std::sync::LazyLock;

/// Longest host name.
const HOST_MAX_CHARS: usize = 253;

pub static SPEC: PolicySpec = PolicySpec {
    id: "ip-filtering",
    name: "IP Filtering",
    description: "Lets callers in by their addresses",
    proxy: &[Phase::Request],
    message: &[Phase::Request],
    schema,
    check,
};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "IP Filtering")]
pub struct IpFiltering {
    /// Whether every address that trusted proxies name is compared, not only the caller's.
    #[serde(default)]
    #[serde(rename = "matchAllFromXForwardedFor")]
    pub match_all: bool,
    /// Whether `customIPAddress` is compared instead of the caller's address.
    #[serde(default)]
    #[serde(rename = "useCustomIPAddress")]
    pub use_custom: bool,
    /// Comma-separated addresses to compare.
    #[serde(default)]
    #[serde(rename = "customIPAddress")]
    pub custom: Option<Template>,
    /// Addresses, blocks and host names that are let in, each a comma-separated list; none: all that are not listed below.
    #[serde(default)]
    pub whitelist_ips: Vec<Template>,
    /// Addresses, blocks and host names that are refused, each a comma-separated list.
    #[serde(default)]
    pub blacklist_ips: Vec<Template>,
    /// Which addresses of host names count.
    #[serde(default)]
    pub lookup_ip_version: LookupVersion,
    /// Whether the network and broadcast addresses of a block belong to it.
    #[serde(default)]
    pub is_inclusive_host_count: bool,
}

tokens! {
    /// Which addresses of a host name count.
    #[derive(Default)]
    pub enum LookupVersion {
        #[default]
        All = "ALL",
        V4 = "IPV4",
        V6 = "IPV6",
    }
}

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An address or a block.
    Block(IpNet),
    /// A host name, to be looked up.
    Host(String),
}

impl Entry {
    /// Reads an entry; `None`: it is none.
    pub fn parse(text: &str) -> Option<Entry> {
        let text = text.trim();
        if let Ok(block) = text.parse::<IpNet>() {
            return Some(Entry::Block(block));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Entry::Block(address.to_canonical().into()));
        }
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        // A last label of digits is a misspelt address.
        let last = text.rsplit('.').next().unwrap_or_default();
        let numeric = last.bytes().all(|b| b.is_ascii_digit());
        (text.len() <= HOST_MAX_CHARS && !numeric && text.split('.').all(label))
            .then(|| Entry::Host(text.to_ascii_lowercase()))
    }

    /// The entries of a comma-separated list; the error is the text that is none.
    pub fn list(text: &str) -> Result<Vec<Entry>, &str> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(|entry| Entry::parse(entry).ok_or(entry)).collect()
    }
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<IpFiltering>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    IpFiltering::parse(settings).err().unwrap_or_default()
}

impl IpFiltering {
    /// Reads settings; absent ones have their defaults. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<IpFiltering, Vec<Violation>> {
        let parsed: IpFiltering = schema().read(settings)?;
        let violations = parsed.faults();
        if violations.is_empty() { Ok(parsed) } else { Err(violations) }
    }

    fn faults(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        if self.use_custom && self.custom.as_ref().is_none_or(|custom| custom.source().trim().is_empty()) {
            let message = "#/customIPAddress: must be set when useCustomIPAddress is true";
            violations.push(Violation::new("customIPAddress", "data.invalid", message.to_owned()));
        }
        for (name, list) in [("whitelistIps", &self.whitelist_ips), ("blacklistIps", &self.blacklist_ips)] {
            for (index, template) in list.iter().enumerate() {
                if let Some(Err(wrong)) = template.literal().map(Entry::list) {
                    let wrong = quote(wrong);
                    let message = format!(
                        "#/{name}/{index}: {wrong} is no address, no block like 10.0.0.0/8 and no host name"
                    );
                    violations.push(Violation::new(format!("{name}[{index}]"), "data.invalid", message));
                }
            }
        }
        violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn entries_are_addresses_blocks_and_names() {
        let check = |text: &str, expected: Option<&str>| {
            let entry = Entry::parse(text).map(|entry| match entry {
                Entry::Block(block) => block.to_string(),
                Entry::Host(host) => host,
            });
            assert_eq!(entry.as_deref(), expected, "{text}");
        };
        check("192.0.2.1", Some("192.0.2.1/32"));
        check("::ffff:192.0.2.1", Some("192.0.2.1/32"));
        check("10.0.0.0/8", Some("10.0.0.0/8"));
        check("2001:db8::/32", Some("2001:db8::/32"));
        check("Example.org", Some("example.org"));
        for wrong in ["", "10.0.0.0/33", "192.0.2.300", "a b", "a..b", "-/-"] {
            check(wrong, None);
        }
    }

    #[test]
    fn lists_are_checked() {
        let wrong = |settings: Value| {
            let violations = IpFiltering::parse(settings.as_object().unwrap()).err().unwrap_or_default();
            violations.into_iter().map(|v| v.message).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(wrong(json!({})), "");
        assert_eq!(wrong(json!({"whitelistIps": ["10.0.0.1, example.org"]})), "");
        let message =
            "#/blacklistIps/0: \"10.0.0.999\" is no address, no block like 10.0.0.0/8 and no host name";
        assert_eq!(wrong(json!({"blacklistIps": ["10.0.0.1,10.0.0.999"]})), message);
        assert!(wrong(json!({"useCustomIPAddress": true})).starts_with("#/customIPAddress: must be set"));
    }
}
