//! The names by which a listener may be asked, and the sites whose pages may ask.

use std::net::IpAddr;

use super::{Refusal, Sender};
use crate::config::listen::{HostPattern, Listen};

const LOCALHOST: &str = "localhost";

/// The hosts that a request may name.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    /// Whether any will do.
    any: bool,
    /// The host in the listener's own setting.
    own: Option<String>,
    /// `listen.allowed_hosts`.
    allowed: Vec<HostPattern>,
}

impl Hosts {
    pub(super) fn of_listener(allowed: &[HostPattern], at: &Listen) -> Self {
        let own = match at {
            Listen::At(address) => Some(name(address).to_owned()),
            Listen::Off => None,
        };
        Hosts { any: false, own, allowed: allowed.to_vec() }
    }

    pub(super) fn any(allowed: &[HostPattern]) -> Self {
        Hosts { any: true, own: None, allowed: allowed.to_vec() }
    }

    pub(super) fn check(&self, sender: &Sender) -> Result<(), Refusal> {
        if sender.hosts.is_empty() && !self.any {
            return Err(Refusal::Host(String::new()));
        }
        if let Some(host) = sender.hosts.iter().find(|host| !self.is_known(name(host))) {
            return Err(Refusal::Host(host.clone()));
        }
        match &sender.origin {
            Some(origin) if !self.is_own_page(origin, &sender.hosts) => Err(Refusal::Origin(origin.clone())),
            _ => Ok(()),
        }
    }

    /// A page can make its own name point here, but no address, and not localhost.
    fn is_known(&self, name: &str) -> bool {
        let is_address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        let is_local = name.eq_ignore_ascii_case(LOCALHOST);
        let is_own = self.own.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(name));
        self.any || is_address || is_local || is_own || self.is_allowed(name)
    }

    fn is_allowed(&self, name: &str) -> bool {
        self.allowed.iter().any(|pattern| pattern.matches(name))
    }

    /// A page that this listener served has the host that the request names, port and all.
    fn is_own_page(&self, origin: &str, hosts: &[String]) -> bool {
        let Some((_, site)) = origin.split_once("://") else { return false };
        let is_same = !hosts.is_empty() && hosts.iter().all(|host| host.eq_ignore_ascii_case(site));
        is_same || self.is_allowed(name(site))
    }
}

/// A host without its port, and without the dot that ends a full name.
fn name(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}
