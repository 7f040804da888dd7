//! The store in Redis: a single server, a TLS endpoint or what Sentinel names; Redis Cluster is refused.
//!
//! Everything of one batch is one `EVALSHA`, everything of one query one round trip.

mod error;
mod link;
mod script;
mod sentinel;

use async_trait::async_trait;
use redis::{RedisError, RedisResult};

use crate::{
    config::redis::RedisSettings,
    ports::store::{Advance, Applied, Operation, Query, Register, Store, StoreError, Value},
};
use link::Link;

/// Where `INFO` tells the run, one section a call: Redis before 7 takes no more.
const RUN_SECTIONS: [&str; 2] = ["server", "replication"];

/// A store in Redis. It connects at the first call and again after a failure.
pub struct RedisStore {
    link: Link,
}

impl RedisStore {
    /// Prepares the store; nothing is sent yet. Errors: a URL that is none, a certificate file that cannot be read.
    pub fn open(settings: &RedisSettings) -> Result<Self, StoreError> {
        Ok(RedisStore { link: Link::new(settings)? })
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

#[async_trait]
impl Store for RedisStore {
    async fn apply(&self, advances: &[Advance], operations: &[Operation]) -> Result<Applied, StoreError> {
        let call = script::invocation(advances, operations);
        let stored: Option<Vec<Option<String>>> = self
            .link
            .run("apply", |mut connected| {
                let call = &call;
                async move { call.invoke_async(&mut connected.connection).await }
            })
            .await?;
        let Some(stored) = stored else { return Ok(Applied::Done) };
        let positions = stored.into_iter().zip(advances).map(|(text, advance)| self.position(advance, text));
        Ok(Applied::Elsewhere(positions.collect::<Result<_, _>>()?))
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
