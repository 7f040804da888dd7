//! Who may send a request to a listener. Every listener asks here, before it looks at a route.
//!
//! | check | what it prevents | answer |
//! |---|---|---|
//! | address | requests from outside of `listen.allow_addresses` | 403 |
//! | `Host` | a web page whose name was made to point at this machine (DNS rebinding) | 403 |
//! | `Origin` | a page of another site, which a browser lets send a POST to any address | 403 |
//! | token | changes by anybody who reaches a listener that is open to other machines | 401, or 403 where no token is set |
//!
//! A request changes state unless its method is GET, HEAD or OPTIONS. On the loopback it needs a token only where one is
//! set. Requests that come as Lambda events have passed AWS's own checks: they name the host of an API, which is not
//! known here, and need a token only where one is set.

mod hosts;

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use subtle::ConstantTimeEq;

use self::hosts::Hosts;
use super::HttpResponse;
use crate::{
    config::{
        listen::{Listen, ListenSettings},
        network::Network,
        secret::Secret,
    },
    metrics::backbeat::error::ErrorAnswer,
};

const BEARER: &str = "bearer ";

/// The checks of one listener, or of a function that gets its requests as events.
#[derive(Debug, Clone)]
pub struct Guard {
    addresses: Vec<Network>,
    hosts: Hosts,
    token: Token,
}

impl Default for Guard {
    /// What holds for events where nothing is set.
    fn default() -> Self {
        Guard::of_events(&ListenSettings::default())
    }
}

/// What a request that changes state needs.
#[derive(Debug, Clone)]
enum Token {
    /// Nothing: only this machine reaches the listener.
    NotNeeded,
    /// This token.
    Needed(Secret),
    /// A token, and none is set.
    Missing,
}

/// What a request tells of its sender.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sender {
    /// The address, where it is known.
    pub client: Option<IpAddr>,
    /// Every host that the request names: in its target, in its header `Host`.
    pub hosts: Vec<String>,
    /// The header `Origin`: the site of the page that made a browser send it.
    pub origin: Option<String>,
    /// The header `Authorization`.
    pub authorization: Option<Secret>,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The sender's address is in none of the allowed networks, or not known.
    #[error("invalid origin ip request")]
    Address,
    /// The request names no host, or one that is not this listener's.
    #[error(
        "host {0:?} is not a name of this listener: use its address or localhost, or add the name to \
         listen.allowed_hosts"
    )]
    Host(String),
    /// The request was made by a page of another site.
    #[error("a page of {0:?} may not send requests here: add its host to listen.allowed_hosts if it is yours")]
    Origin(String),
    /// It changes state and brings no token.
    #[error("this request changes state: send the token of listen.token in the header `Authorization: Bearer TOKEN`")]
    NoToken,
    /// It brings another token.
    #[error("the token in the header Authorization is not that of listen.token")]
    WrongToken,
    /// It changes state, other machines reach the listener, and no token is set that could allow it.
    #[error(
        "this request changes state, and other machines reach this listener: set listen.token \
         (HIGHWATER_LISTEN_TOKEN), or listen on the loopback"
    )]
    TokenNotSet,
}

impl Guard {
    /// The guard of a listener that is set to `at` and was opened at `address`.
    #[must_use]
    pub fn of_listener(settings: &ListenSettings, at: &Listen, address: SocketAddr) -> Self {
        let token = match &settings.token {
            Some(token) => Token::Needed(token.clone()),
            None if address.ip().is_loopback() => Token::NotNeeded,
            None => Token::Missing,
        };
        let hosts = Hosts::of_listener(&settings.allowed_hosts, at);
        Guard { addresses: settings.allow_addresses.clone(), hosts, token }
    }

    /// The guard of a function on AWS Lambda.
    #[must_use]
    pub fn of_events(settings: &ListenSettings) -> Self {
        let token = settings.token.clone().map_or(Token::NotNeeded, Token::Needed);
        Guard { addresses: settings.allow_addresses.clone(), hosts: Hosts::any(&settings.allowed_hosts), token }
    }

    /// Decides about a request with this method (upper case).
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check(&self, method: &str, sender: &Sender) -> Result<(), Refusal> {
        self.check_address(sender.client)?;
        self.hosts.check(sender)?;
        if is_safe(method) { Ok(()) } else { self.token.check(sender.authorization.as_ref()) }
    }

    /// Whoever cannot be told is not allowed where not everyone is.
    fn check_address(&self, client: Option<IpAddr>) -> Result<(), Refusal> {
        let is_allowed = |client| self.addresses.iter().any(|network| network.contains(client));
        if self.addresses.is_empty() || client.is_some_and(is_allowed) { Ok(()) } else { Err(Refusal::Address) }
    }
}

impl Token {
    fn check(&self, authorization: Option<&Secret>) -> Result<(), Refusal> {
        let expected = match self {
            Token::NotNeeded => return Ok(()),
            Token::Missing => return Err(Refusal::TokenNotSet),
            Token::Needed(expected) => expected.reveal().as_bytes(),
        };
        let token = authorization.and_then(|value| bearer(value.reveal())).ok_or(Refusal::NoToken)?;
        if token.as_bytes().ct_eq(expected).into() { Ok(()) } else { Err(Refusal::WrongToken) }
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_at_checked(BEARER.len())?;
    scheme.eq_ignore_ascii_case(BEARER).then(|| token.trim())
}

fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

impl Refusal {
    /// The answer, in the form of all errors; to HEAD without a body.
    #[must_use]
    pub fn answer(&self, method: &str) -> HttpResponse {
        let error = match self {
            Refusal::NoToken | Refusal::WrongToken => ErrorAnswer::unauthorized(self.to_string()),
            _ => ErrorAnswer::access_denied(self.to_string()),
        };
        let body = if method == "HEAD" { Bytes::new() } else { Bytes::from(error.body()) };
        let mut headers = vec![
            ("content-type".into(), "application/json".to_owned()),
            ("content-length".into(), body.len().to_string()),
        ];
        if error.status == 401 {
            headers.push(("www-authenticate".into(), "Bearer".to_owned()));
        }
        HttpResponse { status: error.status, headers, body }
    }
}

#[cfg(test)]
mod tests;
