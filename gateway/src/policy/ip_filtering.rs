//! Policy `ip-filtering`: lets callers in by their addresses.
//!
//! What `X-Forwarded-For` says is only compared when a trusted proxy vouches for it.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::seldom::warn_seldom;
use crate::trust;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::{Needs, Template};
use definition::policy::Phase;
use definition::policy::ip_filtering::{Entry, IpFiltering, LookupVersion};
use definition::violation::Violation;
use http::StatusCode;
use ipnet::IpNet;
use moka::future::Cache;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Time for a host name to be looked up, milliseconds.
const LOOKUP_TIMEOUT_MS: u64 = 2_000;
/// Time for which the addresses of a host name are kept, milliseconds.
const LOOKUP_KEPT_MS: u64 = 30_000;
/// Host names whose addresses are kept, per step.
const LOOKUPS_MAX: u64 = 256;
/// Longest text that is repeated to a caller in place of an address, characters.
const REPEATED_MAX_CHARS: usize = 45;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = IpFiltering::parse(settings)?;
    let lists = settings.whitelist_ips.iter().chain(&settings.blacklist_ips);
    let templates = lists.chain(settings.custom.iter().filter(|_| settings.use_custom));
    let needs = templates.fold(Needs::default(), |needs, template| needs | template.needs());
    let kept = Duration::from_millis(LOOKUP_KEPT_MS);
    let hosts = Cache::builder().max_capacity(LOOKUPS_MAX).time_to_live(kept).build();
    Ok(Arc::new(IpFilteringPolicy { settings, needs, hosts }))
}

struct IpFilteringPolicy {
    settings: IpFiltering,
    needs: Needs,
    hosts: Cache<String, Arc<[IpAddr]>>,
}

/// The addresses of a caller.
struct Addresses {
    /// One of them is enough to be refused.
    all: Vec<IpAddr>,
    /// One of them is enough to be let in; nobody but trusted proxies wrote them.
    vouched: Vec<IpAddr>,
}

#[async_trait]
impl Policy for IpFilteringPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.needs
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let addresses = self.addresses(call)?;
        for address in &addresses.all {
            if self.listed(&self.settings.blacklist_ips, *address, call).await? {
                return Err(refused(&address.to_string()));
            }
        }
        if self.settings.whitelist_ips.is_empty() {
            return Ok(Flow::Continue);
        }
        for address in &addresses.vouched {
            if self.listed(&self.settings.whitelist_ips, *address, call).await? {
                return Ok(Flow::Continue);
            }
        }
        Err(refused(&addresses.all.first().map(ToString::to_string).unwrap_or_default()))
    }
}

impl IpFilteringPolicy {
    fn addresses(&self, call: &Call) -> Result<Addresses, Failure> {
        if let Some(custom) = self.settings.custom.as_ref().filter(|_| self.settings.use_custom) {
            let text = value(custom, call)?.unwrap_or_default();
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            let addresses: Result<Vec<IpAddr>, &str> =
                parts.map(|part| part.parse().map_err(|_| part)).collect();
            let all = addresses.map_err(refused)?;
            return if all.is_empty() {
                Err(refused(""))
            } else {
                Ok(Addresses { vouched: all.clone(), all })
            };
        }
        let remote = call.request.remote.to_canonical();
        if !self.settings.match_all || !call.request.trusted_proxy {
            return Ok(Addresses { all: vec![remote], vouched: vec![remote] });
        }
        let hops = trust::forwarded_for(&call.request.head.headers);
        let hops: Option<Vec<IpAddr>> = hops.into_iter().collect();
        let mut all = hops.ok_or_else(|| refused("unknown"))?;
        if !all.contains(&remote) {
            all.push(remote);
        }
        let known = all.iter().rposition(|hop| *hop == remote).unwrap_or_default();
        Ok(Addresses { vouched: all.split_off(known), all }.joined())
    }

    /// Whether an address is in a list.
    async fn listed(&self, list: &[Template], address: IpAddr, call: &Call) -> Result<bool, Failure> {
        for template in list {
            let Some(text) = value(template, call)? else { continue };
            let entries = Entry::list(&text).map_err(|wrong| {
                warn_seldom!(entry = wrong, "an entry of an address list is none");
                Failure::unexpected()
            })?;
            for entry in entries {
                let holds = match entry {
                    Entry::Block(block) => self.holds(block, address),
                    Entry::Host(host) => self.lookup(host).await.contains(&address),
                };
                if holds {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a block holds an address. Blocks of one or two addresses have none to set apart.
    fn holds(&self, block: IpNet, address: IpAddr) -> bool {
        let edges = match block {
            IpNet::V4(block) if !self.settings.is_inclusive_host_count && block.prefix_len() < 31 => {
                address == IpAddr::from(block.network()) || address == IpAddr::from(block.broadcast())
            }
            IpNet::V4(_) | IpNet::V6(_) => false,
        };
        block.contains(&address) && !edges
    }

    /// The addresses of a host name; none when it cannot be looked up.
    async fn lookup(&self, host: String) -> Arc<[IpAddr]> {
        let version = self.settings.lookup_ip_version;
        let name = host.clone();
        self.hosts
            .get_with(host, async move {
                let limit = Duration::from_millis(LOOKUP_TIMEOUT_MS);
                let Ok(Ok(found)) = timeout(limit, tokio::net::lookup_host((name.as_str(), 0))).await else {
                    warn_seldom!(host = name, "a host name of an address list cannot be looked up");
                    return Arc::default();
                };
                let wanted = |address: &IpAddr| match version {
                    LookupVersion::All => true,
                    LookupVersion::V4 => address.is_ipv4(),
                    LookupVersion::V6 => address.is_ipv6(),
                };
                found.map(|address| address.ip().to_canonical()).filter(wanted).collect()
            })
            .await
    }
}

impl Addresses {
    /// What nobody vouches for comes first, as it was sent.
    fn joined(mut self) -> Self {
        self.all.extend(&self.vouched);
        self
    }
}

fn value(template: &Template, call: &Call) -> Result<Option<String>, Failure> {
    let text = expression::text(template, &Scope::of(call)).map_err(|error| {
        tracing::debug!(%error, "an address list has no value");
        Failure::unexpected()
    })?;
    Ok(text.map(std::borrow::Cow::into_owned))
}

fn refused(address: &str) -> Failure {
    let address: String = address.chars().take(REPEATED_MAX_CHARS).collect();
    let message = format!(
        "Your IP ({address}) or some proxies whereby your request pass through are not allowed to reach this resource."
    );
    Failure::plain(StatusCode::FORBIDDEN, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    async fn ask(settings: Value, forwarded: Option<&str>) -> String {
        let headers: Vec<_> = forwarded.map(|hops| ("X-Forwarded-For", hops)).into_iter().collect();
        let mut call = Call::sample("GET /ctx", &headers, "");
        call.request.trusted_proxy = forwarded.is_some();
        let policy = super::super::sample::build(build, settings);
        match policy.on_request(&mut call).await {
            Ok(_) => "in".to_owned(),
            Err(failure) => {
                assert_eq!((failure.status, failure.key), (StatusCode::FORBIDDEN, None));
                failure.message.split(['(', ')']).nth(1).unwrap().to_owned()
            }
        }
    }

    #[tokio::test]
    async fn addresses_are_compared_with_lists() {
        // The sample's caller is 192.0.2.1.
        let check = async |settings: Value, expected: &str| {
            assert_eq!(ask(settings.clone(), None).await, expected, "{settings}");
        };
        check(json!({}), "in").await;
        check(json!({"whitelistIps": ["192.0.2.1"]}), "in").await;
        check(json!({"whitelistIps": ["192.0.2.2, 192.0.2.0/24"]}), "in").await;
        check(json!({"whitelistIps": ["192.0.2.2"]}), "192.0.2.1").await;
        check(json!({"whitelistIps": ["192.0.2.0/24"], "blacklistIps": ["192.0.2.1"]}), "192.0.2.1").await;
        check(json!({"blacklistIps": ["2001:db8::/32"]}), "in").await;
        check(json!({"whitelistIps": ["192.0.2.1/24"]}), "in").await;
        check(json!({"whitelistIps": [" "]}), "192.0.2.1").await;
        let custom = |address: &str, list: &str| json!({"useCustomIPAddress": true, "customIPAddress": address, "whitelistIps": [list]});
        check(custom("10.1.1.1", "10.0.0.0/8"), "in").await;
        check(custom("10.1.1.1, 11.1.1.1", "11.0.0.0/8"), "in").await;
        check(custom("10.1.1.1, what", "10.0.0.0/8"), "what").await;
    }

    #[tokio::test]
    async fn the_edges_of_a_block_belong_to_it_when_asked() {
        let asked = |inclusive: bool| {
            json!({"useCustomIPAddress": true, "customIPAddress": "10.0.0.0",
            "whitelistIps": ["10.0.0.0/24"], "isInclusiveHostCount": inclusive})
        };
        assert_eq!(ask(asked(true), None).await, "in");
        assert_eq!(ask(asked(false), None).await, "10.0.0.0");
    }

    #[tokio::test]
    async fn a_caller_cannot_vouch_for_itself() {
        let all = |list: &str, name: &str| json!({"matchAllFromXForwardedFor": true, (name): [list]});
        let hops = Some("10.0.0.1, 192.0.2.1, 172.16.0.1");
        assert_eq!(ask(all("10.0.0.1", "whitelistIps"), hops).await, "10.0.0.1", "written by the caller");
        assert_eq!(ask(all("172.16.0.1", "whitelistIps"), hops).await, "in");
        assert_eq!(ask(all("10.0.0.1", "blacklistIps"), hops).await, "10.0.0.1");
        assert_eq!(ask(all("10.0.0.1", "blacklistIps"), Some("10.0.0.2, x")).await, "unknown");
        let mut call = Call::sample("GET /ctx", &[("X-Forwarded-For", "10.0.0.1")], "");
        let policy = super::super::sample::build(build, all("10.0.0.1", "whitelistIps"));
        assert!(policy.on_request(&mut call).await.is_err(), "no proxy is trusted");
    }

    #[tokio::test]
    async fn host_names_are_looked_up() {
        let local = |version: &str| {
            json!({"useCustomIPAddress": true, "customIPAddress": "127.0.0.1",
            "whitelistIps": ["localhost"], "lookupIpVersion": version})
        };
        assert_eq!(ask(local("ALL"), None).await, "in");
        assert_eq!(ask(local("IPV6"), None).await, "127.0.0.1");
    }
}
