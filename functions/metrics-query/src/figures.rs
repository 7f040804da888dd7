//! What the console shows, each from one round trip.
//!
//! | request | answers |
//! |---|---|
//! | `GET /_/highwater/figures/overview` | [`Overview`] |
//! | `GET /_/highwater/figures/backups/<backup>/topics/<topic>` | [`TopicDetail`] |
//! | `GET .../backups/<backup>/topics/<topic>/history/<5m or 1h>` | [`History`] |
//! | `GET .../backups/<backup>/topics/<topic>/partitions/<number>/history/<5m or 1h>` | [`History`] |
//! | `GET .../locations/<location>/history/<5m or 1h>` | [`History`] of a location |

use std::{collections::BTreeMap, sync::Arc};

use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use shared::{
    metrics::{
        backbeat::{error::ErrorAnswer, figures::SiteQuestion, route::SiteMetric},
        checks::Checks,
        history::{Point, Series, Span},
        overview::{self, Backup, Known, Location, Overview, TopicDetail},
        push,
        registers::{
            Epoch, Scope, Seen,
            epoch::{Snapshot, queries},
        },
        replication::{exposition::LocationView, figures::Question},
    },
    ports::store::{Query, Value},
    record::Partition,
};

use crate::{Context, HttpRequest, exposition, replication};

/// Every path that is asked here begins with this.
pub const PREFIX: &str = "/_/highwater/figures/";

/// The body of the answer, or the error answer.
pub(crate) async fn answer(request: &HttpRequest, context: &Context) -> Result<String, ErrorAnswer> {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return Err(ErrorAnswer::method_not_allowed());
    }
    let no_such_path = || ErrorAnswer::no_such_path(&request.target);
    let tail = request.path().strip_prefix(PREFIX).ok_or_else(no_such_path)?;
    match tail.split('/').collect::<Vec<_>>()[..] {
        ["overview"] => Ok(to_json(&overview(context).await?)),
        ["backups", backup, "topics", topic] => {
            let (backup, topic) = (decoded(backup).ok_or_else(no_such_path)?, decoded(topic).ok_or_else(no_such_path)?);
            Ok(to_json(&of_topic(&backup, &topic, context).await?))
        }
        ["backups", backup, "topics", topic, "history", span] => {
            let (backup, topic) = (decoded(backup).ok_or_else(no_such_path)?, decoded(topic).ok_or_else(no_such_path)?);
            let span = Span::of_name(span).ok_or_else(no_such_path)?;
            configured(&backup, context)?;
            Ok(to_json(&history(Series::Topic(&backup, &topic), span, context).await?))
        }
        ["backups", backup, "topics", topic, "partitions", number, "history", span] => {
            let (backup, topic) = (decoded(backup).ok_or_else(no_such_path)?, decoded(topic).ok_or_else(no_such_path)?);
            let number = number.parse().map(Partition).map_err(|_| no_such_path())?;
            let span = Span::of_name(span).ok_or_else(no_such_path)?;
            configured(&backup, context)?;
            Ok(to_json(&history(Series::Partition(&backup, &topic, number), span, context).await?))
        }
        ["locations", name, "history", span] => {
            let name = decoded(name).ok_or_else(no_such_path)?;
            let span = Span::of_name(span).ok_or_else(no_such_path)?;
            if !context.locations.contains(&name) {
                return Err(ErrorAnswer::no_such_route(format!("no location {name:?} is configured")));
            }
            Ok(to_json(&history(Series::Location(&name), span, context).await?))
        }
        _ => Err(no_such_path()),
    }
}

/// Everything at this moment.
///
/// # Errors
/// 503 when the store does not answer in time, or does not hold everything.
pub async fn overview(context: &Context) -> Result<Overview, ErrorAnswer> {
    let now = context.clock.now();
    let question = SiteQuestion { metrics: &SiteMetric::ALL, windows: context.windows, now };
    let mut asked = queries(&context.backups);
    let of_backups = asked.len();
    asked.extend(push::KEYS.map(|key| Query::Registers(key.to_owned())));
    asked.extend(Scope::Changes.queries());
    asked.extend(Checks::queries());
    asked.extend(question.queries(&context.locations));
    let of_locations = asked.len();
    let replication = Question { windows: context.windows, now };
    asked.extend(context.locations.iter().flat_map(|location| replication::queries(&replication, location)));
    let mut answers = exposition::read(&*context.store, &asked).await?;
    let mut of_replication = answers.split_off(of_locations).into_iter();
    let mut others = answers.split_off(of_backups).into_iter();
    let snapshots = exposition::whole(&context.backups, answers)?;
    let pushes = others.by_ref().take(push::KEYS.len()).flat_map(Value::into_registers);
    let pushed = push::runs(&pushes.collect::<Vec<_>>());
    let is_counted = matches!(Seen::read(&mut others).epoch, Epoch::Complete(_)) || !context.counts_changes;
    let checks = Checks::read(&mut others, &context.backups, now);
    let seen = replication::views(&replication, &context.locations, &mut of_replication);
    let locations = is_counted.then(|| locations(&question, seen, others.as_slice()));
    let backups = backups(&snapshots, context);
    let known =
        Known { backups: &backups, runs: &pushed, checks: &checks, locations, refresh: context.expected.refresh, now };
    Ok(overview::overview(&known))
}

/// How far a topic, a partition or a location was. Counts are texts, as everywhere where a page reads them.
#[derive(Debug, Serialize)]
struct History {
    schema: &'static str,
    points: Vec<Map<String, Json>>,
}

/// Nothing at all is known of what nobody noted yet: it has no points.
async fn history(series: Series<'_>, span: Span, context: &Context) -> Result<History, ErrorAnswer> {
    let answers = exposition::read(&*context.store, &[series.query(span)]).await?;
    let points = match &answers[..] {
        [Value::Registers(held)] => series.points(span, held),
        _ => vec![],
    };
    let schema = match series {
        Series::Location(_) => "highwater.location-history.v1",
        Series::Topic(..) | Series::Partition(..) => "highwater.history.v1",
    };
    Ok(History { schema, points: points.iter().map(|point| named(series, point)).collect() })
}

fn named(series: Series<'_>, point: &Point) -> Map<String, Json> {
    let (gauges, counts) = series.names();
    let gauges = gauges.iter().zip(&point.values.gauges).map(|(name, value)| (*name, json!(value)));
    let count = |value: &Option<u64>| json!(value.map(|count| count.to_string()));
    let counts = counts.iter().zip(&point.values.counts).map(|(name, value)| (*name, count(value)));
    let at = std::iter::once(("at", json!(point.at)));
    at.chain(gauges).chain(counts).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn configured<'a>(backup: &str, context: &'a Context) -> Result<&'a Arc<str>, ErrorAnswer> {
    let name = context.backups.iter().find(|name| ***name == *backup);
    name.ok_or_else(|| ErrorAnswer::no_such_route(format!("no backup {backup:?} is configured")))
}

async fn of_topic(backup: &str, topic: &str, context: &Context) -> Result<TopicDetail, ErrorAnswer> {
    let name = configured(backup, context)?;
    let now = context.clock.now();
    let wanted = [Arc::clone(name)];
    let snapshots = exposition::whole(&wanted, exposition::read(&*context.store, &queries(&wanted)).await?)?;
    let backups = backups(&snapshots, context);
    let known = Known {
        backups: &backups,
        runs: &BTreeMap::new(),
        checks: &Checks::default(),
        locations: None,
        refresh: context.expected.refresh,
        now,
    };
    let unknown = || ErrorAnswer::no_such_route(format!("nothing is known of topic {topic:?} in backup {backup:?}"));
    backups.first().and_then(|backup| overview::topic(backup, topic, &known)).ok_or_else(unknown)
}

fn backups<'a>(snapshots: &'a [Snapshot], context: &'a Context) -> Vec<Backup<'a>> {
    let backup = |snapshot: &'a Snapshot| Backup {
        name: &snapshot.backup,
        asked: context.expected.topics.get(&snapshot.backup).map(Vec::as_slice).unwrap_or_default(),
        registers: &snapshot.registers,
    };
    snapshots.iter().map(backup).collect()
}

fn locations(question: &SiteQuestion<'_>, seen: Vec<LocationView>, answers: &[Value]) -> Vec<Location> {
    let keys = answers.len() / seen.len().max(1);
    let each = seen.into_iter().zip(answers.chunks(keys.max(1)));
    each.map(|(seen, answers)| Location::of(seen, question, &question.figures(1, answers))).collect()
}

fn decoded(part: &str) -> Option<String> {
    Some(percent_decode_str(part).decode_utf8().ok()?.into_owned())
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers by name are valid JSON")
}

#[cfg(test)]
mod tests;
