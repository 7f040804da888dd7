//! The store in Redis: a single server, a TLS endpoint or what Sentinel names; Redis Cluster is refused.
//!
//! Everything of one batch is one `EVALSHA`, everything of one query one round trip. Where a batch speaks of things, one `MGET`
//! before it reads what is held of them ([`things`]).

mod error;
mod link;
mod script;
mod sentinel;
mod texts;
mod things;

use async_trait::async_trait;
use redis::{RedisError, RedisResult};

use crate::{
    config::redis::RedisSettings,
    ports::store::{Advance, Applied, Operation, Query, Register, Store, StoreError, Value},
};
use link::Link;
use things::Changes;

/// Where `INFO` tells the run, one section a call: Redis before 7 takes no more.
const RUN_SECTIONS: [&str; 2] = ["server", "replication"];

/// So often things are read again because they changed before the batch was written. Messages of one operation lie in one
/// partition, so that its position alone keeps others out.
const READ_AGAIN_MAX: usize = 5;

/// A store in Redis. It connects at the first call and again after a failure.
pub struct RedisStore {
    link: Link,
}

impl RedisStore {
    /// Prepares the store; nothing is sent yet. Errors: a URL that is none, a certificate file that cannot be read.
    pub fn open(settings: &RedisSettings) -> Result<Self, StoreError> {
        Ok(RedisStore { link: Link::new(settings)? })
    }

    /// What the server tells of itself; `None` where this user may not ask.
    pub async fn facts(&self) -> Result<Option<ServerFacts>, StoreError> {
        let info = self.link.run("info", |mut connected| async move {
            match connected.tells_run {
                true => redis::cmd("INFO").query_async::<String>(&mut connected.connection).await.map(Some),
                false => Ok(None),
            }
        });
        let part = |info: &str, name| link::told(info, name).unwrap_or("not told").to_owned();
        Ok(info.await?.map(|info| ServerFacts {
            version: part(&info, "redis_version"),
            eviction_policy: part(&info, "maxmemory_policy"),
        }))
    }

    /// Reaches the server, for a start that shall fail early: unreachable, wrong password, Redis Cluster.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.link
            .run(
                "check",
                |mut connected| async move { redis::cmd("PING").query_async(&mut connected.connection).await },
            )
            .await
    }
}

/// What a server tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its version.
    pub version: String,
    /// What it does when its memory is full.
    pub eviction_policy: String,
}

#[async_trait]
impl Store for RedisStore {
    async fn apply(&self, advances: &[Advance], operations: &[Operation]) -> Result<Applied, StoreError> {
        let keys = things::keys(operations);
        for _ in 0..READ_AGAIN_MAX {
            let mut held = Vec::new();
            if !keys.is_empty() {
                let positions;
                (positions, held) = self.held(advances, &keys).await?;
                if positions.iter().zip(advances).any(|(position, advance)| *position != advance.from) {
                    return Ok(Applied::Elsewhere(positions));
                }
            }
            if let Some(applied) = self.write(advances, operations, &things::resolve(operations, &held)).await? {
                return Ok(applied);
            }
        }
        // Somebody else counts the same operations at the same time, again and again.
        let message = "the operations of this batch are changed by others meanwhile: the messages of an operation belong into one partition of the metrics topic";
        Err(StoreError::Unavailable { operation: "apply", url: self.link.shown_url.clone(), source: message.into() })
    }

    async fn read(&self, queries: &[Query]) -> Result<Vec<Value>, StoreError> {
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        let (tells_run, answers): (bool, Vec<RedisResult<redis::Value>>) = self
            .link
            .run("read", |mut connected| async move {
                let pipeline = pipeline(queries, connected.tells_run);
                Ok((connected.tells_run, pipeline.query_async(&mut connected.connection).await?))
            })
            .await?;
        values(queries, tells_run, answers).map_err(|e| error::store_error("read", &self.link.shown_url, e))
    }
}

impl RedisStore {
    /// Where the positions stand, and what is held of the things.
    async fn held(
        &self,
        advances: &[Advance],
        things: &[&str],
    ) -> Result<(Vec<Option<i64>>, Vec<Option<Vec<u8>>>), StoreError> {
        let positions = advances.iter().map(|advance| advance.key.as_str());
        let keys: Vec<&str> = positions.chain(things.iter().copied()).collect();
        let mut held: Vec<Option<Vec<u8>>> = self
            .link
            .run("apply", |mut connected| {
                let keys = &keys;
                async move { redis::cmd("MGET").arg(keys).query_async(&mut connected.connection).await }
            })
            .await?;
        let things = held.split_off(advances.len().min(held.len()));
        let positions = advances.iter().zip(held).map(|(advance, text)| self.position(advance, text.map(lossy)));
        Ok((positions.collect::<Result<_, _>>()?, things))
    }

    /// `None`: nothing was written, since a thing is not what was read.
    async fn write(
        &self,
        advances: &[Advance],
        operations: &[Operation],
        changes: &Changes<'_>,
    ) -> Result<Option<Applied>, StoreError> {
        let call = script::invocation(advances, operations, changes);
        let answer = self.link.run("apply", |mut connected| {
            let call = &call;
            async move { call.invoke_async(&mut connected.connection).await }
        });
        let stored: Vec<Option<String>> = match answer.await? {
            redis::Value::Nil => return Ok(Some(Applied::Done)),
            redis::Value::Int(_) => return Ok(None),
            stored => redis::from_redis_value(stored)
                .map_err(|e| error::store_error("apply", &self.link.shown_url, e.into()))?,
        };
        let positions = stored.into_iter().zip(advances).map(|(text, advance)| self.position(advance, text));
        Ok(Some(Applied::Elsewhere(positions.collect::<Result<_, _>>()?)))
    }

    fn position(&self, advance: &Advance, text: Option<String>) -> Result<Option<i64>, StoreError> {
        text.map(|text| {
            text.parse().map_err(|_| StoreError::Refused {
                operation: "apply",
                url: self.link.shown_url.clone(),
                message: format!(
                    "the position at key {:?} is {text:?}, which is no number: delete that key",
                    advance.key
                ),
            })
        })
        .transpose()
    }
}

/// All texts in one `MGET`, which takes a key of another type for none; then each hash and set; then which run this is, in the same
/// transaction, since a proxy or a failover may put another server behind the same connection.
fn pipeline(queries: &[Query], tells_run: bool) -> redis::Pipeline {
    let mut pipeline = redis::pipe();
    pipeline.atomic().ignore_errors();
    let texts: Vec<&String> =
        queries.iter().filter_map(|q| if let Query::Text(key) = q { Some(key) } else { None }).collect();
    if !texts.is_empty() {
        pipeline.cmd("MGET").arg(texts);
    }
    for query in queries {
        match query {
            Query::Registers(key) => drop(pipeline.cmd("HGETALL").arg(key)),
            Query::Longest(set) => drop(pipeline.cmd("ZRANGE").arg(set).arg(0).arg(0).arg("WITHSCORES")),
            Query::Text(_) | Query::Run => {}
        }
    }
    if tells_run && queries.contains(&Query::Run) {
        for section in RUN_SECTIONS {
            pipeline.cmd("INFO").arg(section);
        }
    }
    pipeline
}

fn values(
    queries: &[Query],
    tells_run: bool,
    mut answers: Vec<RedisResult<redis::Value>>,
) -> Result<Vec<Value>, RedisError> {
    let run = match tells_run && queries.contains(&Query::Run) {
        true => run(answers.split_off(answers.len().saturating_sub(RUN_SECTIONS.len())))?,
        false => None,
    };
    let mut answers = answers.into_iter();
    let has_texts = queries.iter().any(|q| matches!(q, Query::Text(_)));
    let mut texts = if has_texts { texts(answers.next())? } else { Vec::new() }.into_iter();
    let value = |query: &Query| {
        Ok(match query {
            Query::Text(_) => Value::Text(texts.next().flatten()),
            Query::Registers(_) => Value::Registers(registers(answers.next())?),
            Query::Longest(_) => Value::Text(longest(answers.next())?),
            Query::Run => Value::Text(run.clone()),
        })
    };
    queries.iter().map(value).collect()
}

/// The run of a server: its process, and the history of its data, which is another one each time it begins to lead.
fn run(sections: Vec<RedisResult<redis::Value>>) -> Result<Option<String>, RedisError> {
    let mut info = String::new();
    for section in sections {
        info.push_str(&redis::from_redis_value::<String>(section?)?);
    }
    let part = |name| link::told(&info, name);
    Ok(part("run_id").map(|process| format!("{process} {}", part("master_replid").unwrap_or_default())))
}

fn texts(answer: Option<RedisResult<redis::Value>>) -> Result<Vec<Option<String>>, RedisError> {
    let texts: Vec<Option<Vec<u8>>> = redis::from_redis_value(answer.unwrap_or(Ok(redis::Value::Nil))?)?;
    Ok(texts.into_iter().map(|text| text.map(lossy)).collect())
}

/// The score of the only member. Scores are times in milliseconds, which a double holds exactly.
fn longest(answer: Option<RedisResult<redis::Value>>) -> Result<Option<String>, RedisError> {
    let value = match answer.unwrap_or(Ok(redis::Value::Nil)) {
        Err(error) if error.code() == Some("WRONGTYPE") => return Ok(None),
        other => other?,
    };
    let members: Vec<(Vec<u8>, f64)> = redis::from_redis_value(value)?;
    Ok(members.first().map(|(_, score)| format!("{score:.0}")))
}

fn registers(answer: Option<RedisResult<redis::Value>>) -> Result<Vec<Register>, RedisError> {
    let value = match answer.unwrap_or(Ok(redis::Value::Nil)) {
        Err(error) if error.code() == Some("WRONGTYPE") => return Ok(Vec::new()),
        other => other?,
    };
    let fields: Vec<(Vec<u8>, Vec<u8>)> = redis::from_redis_value(value)?;
    let mut registers: Vec<Register> =
        fields.into_iter().map(|(field, text)| script::register(lossy(field), &lossy(text))).collect();
    registers.sort_by(|a, b| a.field.cmp(&b.field));
    Ok(registers)
}

/// Anyone may have written it: bytes that are no UTF-8 do no harm.
fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}
