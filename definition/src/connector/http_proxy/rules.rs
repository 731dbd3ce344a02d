//! What the schema cannot say about the settings of an HTTP proxy.

use super::settings::{ProxySettings, UpstreamProxy};
use crate::policy::transform_headers::Header;
use crate::reader::quote;
use crate::secrets::shown_address;
use crate::violation::Violation;
use url::Url;

/// Schemes of targets, each with the one that it is spoken over.
pub const SCHEMES: &[(&str, &str)] = &[
    ("http", "http"),
    ("https", "https"),
    ("ws", "http"),
    ("wss", "https"),
    ("grpc", "http"),
    ("grpcs", "https"),
];

/// An absolute target: the scheme as it was written, and its URL with `http` or `https`. Errors say what is wrong.
pub fn target_url(text: &str) -> Result<(&'static str, Url), &'static str> {
    if text.contains(char::is_whitespace) {
        return Err("must not hold spaces");
    }
    let (scheme, rest) =
        text.split_once("://").ok_or("must be an absolute URL, such as http://host:port/path")?;
    let known = SCHEMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(scheme));
    let (scheme, spoken) = known.ok_or("must begin with http, https, ws, wss, grpc or grpcs")?;
    let url = Url::parse(&format!("{spoken}://{rest}")).map_err(|_| "is no URL that can be read")?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err("must name a host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold credentials; set a header instead");
    }
    Ok((scheme, url))
}

/// Every fault beyond the schema.
pub(super) fn violations(settings: &ProxySettings) -> Vec<Violation> {
    let mut found = Vec::new();
    if let Some(Err(reason)) = settings.target.literal().map(target_url) {
        let message = format!("target {reason}, found {}", quote(&shown_address(settings.target.source())));
        found.push(Violation::new("target", "data.invalid", message));
    }
    for (index, header) in settings.headers.iter().flatten().enumerate() {
        header_rules(index, header, &mut found);
    }
    if let Some(proxy) = &settings.proxy {
        proxy_rules(proxy, &mut found);
    }
    if let Some(http) = &settings.http
        && http.http2_multiplexing_limit == 0
    {
        let message = "http.http2MultiplexingLimit must be 1 or more, or -1 for no limit of ours";
        found.push(Violation::new("http.http2MultiplexingLimit", "data.invalid", message));
    }
    if let Some(ssl) = &settings.ssl {
        found.extend(ssl.violations("ssl"));
    }
    found
}

fn header_rules(index: usize, header: &Header, found: &mut Vec<Violation>) {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if header.name.is_empty() || !header.name.chars().all(token) {
        let path = format!("headers[{index}].name");
        let message = format!("{path}: {} is no header name", quote(&header.name));
        found.push(Violation::new(path, "data.invalid", message));
    }
    let value = header.value.as_ref().and_then(|value| value.literal());
    if value.is_some_and(|value| value.contains(|c: char| c.is_control() && c != '\t')) {
        let path = format!("headers[{index}].value");
        let message = format!("{path} must be one line of text");
        found.push(Violation::new(path, "data.invalid", message));
    }
}

/// Every fault of a proxy on the way.
pub(crate) fn proxy_rules(proxy: &UpstreamProxy, found: &mut Vec<Violation>) {
    if !proxy.enabled || proxy.use_system_proxy {
        return;
    }
    if proxy.host.as_deref().is_none_or(|host| host.trim().is_empty() || host.contains(['/', ' '])) {
        let message = "proxy.host is required while the proxy is enabled: a host name or address";
        found.push(Violation::new("proxy.host", "data.invalid", message));
    }
    if proxy.port.is_none() {
        let message = "proxy.port is required while the proxy is enabled";
        found.push(Violation::new("proxy.port", "data.invalid", message));
    }
}
