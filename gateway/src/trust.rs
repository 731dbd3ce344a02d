//! Proxies in front of this gateway whose word about their clients is taken.
//!
//! Anybody can send `X-Forwarded-For`. It says who calls only when the peer of the connection is such a proxy, and only
//! as far as each hop that wrote it is one too.

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Networks of trusted proxies; none by default.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads addresses and CIDR blocks; the error names every text that is neither.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        let (mut networks, mut wrong) = (Vec::new(), Vec::new());
        for text in texts {
            match text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)) {
                Some(network) => networks.push(network),
                None => wrong.push(format!("`{text}`")),
            }
        }
        match wrong.is_empty() {
            true => Ok(TrustedProxies(networks)),
            false => Err(format!("{}: neither an address nor a block like 10.0.0.0/8", wrong.join(", "))),
        }
    }

    /// Whether the word of a peer is taken.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|network| network.contains(&peer))
    }

    /// The address of the client that a trusted peer speaks for: of the hops in its header, the last one that is no
    /// trusted proxy itself. `None`: it names nobody.
    pub(crate) fn client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = None;
        for hop in forwarded_for(headers).into_iter().rev() {
            // What stands before a hop that cannot be read was written by nobody known.
            let Some(hop) = hop else { break };
            client = Some(hop);
            if !self.trusts(hop) {
                break;
            }
        }
        client
    }
}

/// All hops that the header names, in order; `None` for one that is no address.
pub(crate) fn forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let values = headers.get_all(FORWARDED_FOR).iter();
    values.flat_map(|value| value.to_str().unwrap_or("?").split(',').map(hop).collect::<Vec<_>>()).collect()
}

/// Whether every hop that names a scheme names HTTPS, and one does.
pub(crate) fn forwarded_https(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(FORWARDED_PROTO).iter().peekable();
    let https = |list: &str| list.split(',').all(|scheme| scheme.trim().eq_ignore_ascii_case("https"));
    values.peek().is_some() && values.all(|value| value.to_str().is_ok_and(https))
}

/// An address, perhaps with a port.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_client_is_the_last_hop_that_nobody_trusts() {
        let networks = ["10.0.0.0/8", "::1", "2001:db8::/32"].map(str::to_owned);
        let proxies = TrustedProxies::parse(&networks).unwrap();
        let client = |values: &[&'static str]| {
            proxies
                .client(&headers(FORWARDED_FOR, values))
                .map_or("none".to_owned(), |client| client.to_string())
        };
        assert_eq!(client(&[]), "none");
        assert_eq!(client(&["192.0.2.7"]), "192.0.2.7");
        assert_eq!(client(&["6.6.6.6, 192.0.2.7, 10.1.1.1"]), "192.0.2.7", "the first one may be a lie");
        assert_eq!(client(&["6.6.6.6", "192.0.2.7:4711", "10.1.1.1:80"]), "192.0.2.7");
        assert_eq!(client(&["10.2.2.2, 10.1.1.1"]), "10.2.2.2", "a client inside");
        assert_eq!(client(&["[2001:db9::7]:4711, 2001:db8::1"]), "2001:db9::7");
        assert_eq!(client(&["::ffff:192.0.2.7"]), "192.0.2.7");
        assert_eq!(client(&["192.0.2.7, unknown, 10.1.1.1"]), "10.1.1.1");
        assert_eq!(client(&["unknown"]), "none");
    }

    #[test]
    fn networks_are_addresses_or_blocks() {
        let proxies = TrustedProxies::parse(&["192.0.2.1".to_owned()]).unwrap();
        assert!(proxies.trusts("::ffff:192.0.2.1".parse().unwrap()));
        assert!(!proxies.trusts("192.0.2.2".parse().unwrap()));
        assert!(!TrustedProxies::default().trusts("127.0.0.1".parse().unwrap()));
        let wrong = ["10.0.0.0/33".to_owned(), "10.0.0.0/8".to_owned(), "proxy".to_owned()];
        let error = TrustedProxies::parse(&wrong).unwrap_err();
        assert_eq!(error, "`10.0.0.0/33`, `proxy`: neither an address nor a block like 10.0.0.0/8");
    }

    #[test]
    fn every_hop_must_have_been_https() {
        let https = |values: &[&'static str]| forwarded_https(&headers(FORWARDED_PROTO, values));
        assert!(https(&["https"]) && https(&["HTTPS, https"]));
        assert!(!https(&[]) && !https(&["https, http"]) && !https(&["https", ""]) && !https(&["wss"]));
    }
}
