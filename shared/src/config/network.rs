//! Networks of addresses: `10.0.0.0/8`, `::1`.

use std::{borrow::Cow, fmt, net::IpAddr, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::units::text_setting;

/// A network: an address and how many of its first bits count. An address alone is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

impl Network {
    /// Whether the address is in it. An IPv4 address in IPv6 clothes counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let host_bits = width(self.address) - self.prefix_bits;
        let network = |address| bits(address).checked_shr(u32::from(host_bits)).unwrap_or(0);
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && network(address) == network(self.address)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let parsed = address.parse::<IpAddr>().ok().and_then(|address| {
            let prefix_bits = prefix.map_or(Ok(width(address)), str::parse).ok()?;
            (prefix_bits <= width(address)).then_some(Network { address, prefix_bits })
        });
        parsed.ok_or_else(|| format!("{text:?} is no network: write it like \"10.0.0.0/8\" or \"::1\""))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_bits)
    }
}

text_setting!(Network, "10.0.0.0/8");

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_holds_the_addresses_that_begin_like_it() {
        for (network, address) in [
            ("10.0.0.0/8", "10.255.0.1"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("0.0.0.0/0", "8.8.8.8"),
            ("::/0", "2001:db8::1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3"),
        ] {
            assert!(contains(network, address), "{network} {address}");
        }
        for (network, address) in [
            ("10.0.0.0/8", "11.0.0.1"),
            ("127.0.0.1", "127.0.0.2"),
            ("::1", "127.0.0.1"),
            ("0.0.0.0/0", "::1"),
            ("2001:db8::/32", "2001:db9::1"),
        ] {
            assert!(!contains(network, address), "{network} {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::1/129", "10.0.0.0/-1"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
