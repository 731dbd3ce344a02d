//! Which addresses calls may go to that somebody outside chose: callbacks of subscribers, and their token endpoints.
//!
//! Whoever may subscribe could otherwise make the gateway call what only the gateway can reach. Addresses are judged when
//! a connection is made, after the name was resolved, so that a name cannot mean one address to the check and another one
//! to the connection.

use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 networks that are not the public internet.
const INSIDE: [Ipv4Net; 11] = [
    // This network, and "any address", which is this machine.
    network([0, 0, 0, 0], 8),
    network([10, 0, 0, 0], 8),
    // Shared by carriers.
    network([100, 64, 0, 0], 10),
    network([127, 0, 0, 0], 8),
    // Link-local, where clouds keep the credentials of their machines.
    network([169, 254, 0, 0], 16),
    network([172, 16, 0, 0], 12),
    network([192, 0, 0, 0], 24),
    network([192, 168, 0, 0], 16),
    // Benchmarks of devices.
    network([198, 18, 0, 0], 15),
    // Multicast.
    network([224, 0, 0, 0], 4),
    // Reserved, with the broadcast address.
    network([240, 0, 0, 0], 4),
];

const fn network(address: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = address;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// Networks that callbacks may be in although they are not public; none by default.
#[derive(Debug, Clone, Default)]
pub struct CallbackNetworks(Vec<IpNet>);

impl CallbackNetworks {
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
            true => Ok(CallbackNetworks(networks)),
            false => Err(format!("{}: neither an address nor a block like 10.0.0.0/8", wrong.join(", "))),
        }
    }

    /// The same, and this machine.
    #[must_use]
    pub fn with_loopback(mut self) -> Self {
        self.0.push(IpNet::V4(network([127, 0, 0, 0], 8)));
        self.0.push(IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        self
    }

    /// Whether an address may be called.
    pub(crate) fn allow(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address)) || is_public(address)
    }

    /// Whether a host may be called that somebody else will resolve: an address is judged, and names of this machine are.
    pub(crate) fn allow_unresolved(&self, host: &str) -> bool {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        match name.parse() {
            Ok(address) => self.allow(address),
            Err(_) if name == "localhost" || name.ends_with(".localhost") => {
                self.allow(Ipv4Addr::LOCALHOST.into())
            }
            Err(_) => true,
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => INSIDE.iter().all(|network| !network.contains(&address)),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [.., high, low] = segments;
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public(Ipv4Addr::new(a, b, c, d).into())
    };
    match segments {
        // IPv4 in an older form; `::` and `::1` are among them.
        [0, 0, 0, 0, 0, 0, ..] => embedded(high, low),
        // Translated to IPv4 on the way (NAT64).
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => embedded(high, low),
        // NAT64 of an organization: inside by definition.
        [0x64, 0xff9b, 1, ..] => false,
        // 6to4: the IPv4 address of the relay.
        [0x2002, high, low, ..] => embedded(high, low),
        // Unique-local (fc00::/7), link-local and site-local (fe80::/9), multicast (ff00::/8).
        [first, ..] => first & 0xfe00 != 0xfc00 && first & 0xff80 != 0xfe80 && first & 0xff00 != 0xff00,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_called_by_default() {
        let networks = CallbackNetworks::default();
        for inside in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.1.1",
            "::127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!networks.allow(inside.parse().unwrap()), "{inside}");
        }
        for public in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "169.253.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "fbff::1",
        ] {
            assert!(networks.allow(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn the_operator_allows_more() {
        let networks = CallbackNetworks::parse(&["10.1.0.0/16".to_owned(), "fd00::/8".to_owned()]).unwrap();
        let allows = |networks: &CallbackNetworks, text: &str| networks.allow(text.parse().unwrap());
        assert!(allows(&networks, "10.1.2.3") && allows(&networks, "::ffff:10.1.2.3"));
        assert!(allows(&networks, "fd00::1") && allows(&networks, "8.8.8.8"));
        assert!(!allows(&networks, "10.2.0.1") && !allows(&networks, "127.0.0.1"));
        let local = networks.with_loopback();
        assert!(allows(&local, "127.0.0.1") && allows(&local, "::1") && !allows(&local, "192.168.0.1"));
        let error = CallbackNetworks::parse(&["10.0.0.0/33".to_owned(), "here".to_owned()]).unwrap_err();
        assert_eq!(error, "`10.0.0.0/33`, `here`: neither an address nor a block like 10.0.0.0/8");
    }

    #[test]
    fn hosts_that_a_proxy_resolves_are_judged_as_far_as_they_are_known() {
        let networks = CallbackNetworks::default();
        for inside in ["127.0.0.1", "::1", "localhost", "LocalHost.", "a.localhost"] {
            assert!(!networks.allow_unresolved(inside), "{inside}");
        }
        assert!(networks.allow_unresolved("example.com") && networks.allow_unresolved("8.8.8.8"));
        assert!(CallbackNetworks::default().with_loopback().allow_unresolved("localhost"));
    }
}
