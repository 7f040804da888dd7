//! `redis+sentinel://[user:password@]host[:port],...​/master[/db]`: the master that the sentinels name.

use percent_encoding::percent_decode_str;
use redis::{
    ConnectionAddr, RedisResult,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};

const SCHEME: &str = "redis+sentinel://";
const PORT: u16 = 26_379;

/// The parts of such a URL. User and password are the Redis servers', not the sentinels'.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct SentinelUrl {
    sentinels: Vec<(String, u16)>,
    master: String,
    db: i64,
    user: Option<String>,
    password: Option<String>,
}

impl SentinelUrl {
    /// Reads a URL; `None` when it has another scheme.
    pub(super) fn parse(url: &str) -> Result<Option<Self>, String> {
        let Some(rest) = url.strip_prefix(SCHEME) else { return Ok(None) };
        let (credentials, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (user, password) = credentials.split_once(':').unwrap_or(("", credentials));
        let mut parts = rest.trim_end_matches('/').split('/');
        let sentinels = parts.next().unwrap_or_default().split(',').map(host_and_port).collect::<Result<_, _>>()?;
        let master = parts.next().filter(|name| !name.is_empty());
        let master =
            master.ok_or_else(|| format!("redis.url names no master: write {SCHEME}host:{PORT}/master-name"))?;
        let db =
            parts.next().map_or(Ok(0), str::parse).map_err(|_| "redis.url: the database is no number".to_owned())?;
        Ok(Some(SentinelUrl {
            sentinels,
            master: master.to_owned(),
            db,
            user: decoded(user),
            password: decoded(password),
        }))
    }

    /// A client that finds the master anew for every connection.
    pub(super) fn client(self) -> RedisResult<SentinelClient> {
        let sentinels = self.sentinels.into_iter().map(|(host, port)| ConnectionAddr::Tcp(host, port));
        let mut builder = SentinelClientBuilder::new(sentinels, self.master, SentinelServerType::Master)?
            .set_client_to_redis_db(self.db);
        if let Some(user) = self.user {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = self.password {
            builder = builder.set_client_to_redis_password(password);
        }
        builder.build()
    }
}

fn decoded(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| percent_decode_str(text).decode_utf8_lossy().into_owned())
}

fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| format!("redis.url: {port:?} is no port"))?),
        None => (text, PORT),
    };
    if host.is_empty() {
        return Err(format!("redis.url names no sentinel: write {SCHEME}host:{PORT}/master-name"));
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentinel_url_names_sentinels_master_database_and_credentials() {
        let url = SentinelUrl::parse("redis+sentinel://me:p%40ss@a:1,b/mymaster/2").unwrap().unwrap();
        assert_eq!(url.sentinels, [("a".to_owned(), 1), ("b".to_owned(), 26_379)]);
        assert_eq!((url.master.as_str(), url.db), ("mymaster", 2));
        assert_eq!((url.user.as_deref(), url.password.as_deref()), (Some("me"), Some("p@ss")));
    }

    #[test]
    fn an_ordinary_url_is_none() {
        assert_eq!(SentinelUrl::parse("redis://localhost"), Ok(None));
    }

    #[test]
    fn a_sentinel_url_without_master_or_host_says_how_to_write_it() {
        for url in ["redis+sentinel://a:1", "redis+sentinel:///m", "redis+sentinel://a:x/m", "redis+sentinel://a/m/x"] {
            let error = SentinelUrl::parse(url).unwrap_err();
            assert!(error.starts_with("redis.url"), "{error}");
        }
    }
}
