//! `highwater sql`: a DuckDB query over exactly the segments of a topic that count. A glob over the folder would also read
//! what has expired and is not deleted yet.

use serde::Serialize;
use shared::{
    archive::reading::{
        holdings::HeldTopic,
        range,
        segments::{self, ListedChain},
    },
    config::StorageSettings,
    ports::objects::Objects,
};

use super::find;
use crate::{
    cli::SqlArgs,
    failure::{Failure, Verdict},
    output::{self, Report},
    storage::{self, Place},
};

/// The query and what it reads.
#[derive(Debug, Serialize)]
pub(super) struct Sql {
    pub(super) backup: String,
    pub(super) topic: String,
    pub(super) incarnation: u32,
    /// The segments, as DuckDB calls them.
    pub(super) files: Vec<String>,
    /// The query.
    pub(super) sql: String,
}

pub(super) async fn run(config: Option<&str>, args: SqlArgs) -> Result<Verdict, Failure> {
    let storage = storage::open(config, &args.storage).await?;
    let objects = &*storage.objects;
    let (backup, topic) = find::topic(objects, &args.topic, args.incarnation, args.storage.backup.as_deref()).await?;
    let files: Vec<_> = keys(objects, &topic).await?.iter().map(|key| storage.place.of_key(key)).collect();
    let sql = query(&topic, &files, &storage.place);
    let report = Sql { backup, topic: topic.topic, incarnation: topic.claim.incarnation, files, sql };
    output::print(&report, args.output.json)?;
    Ok(Verdict::Good)
}

/// The keys of the segments that count.
async fn keys(objects: &dyn Objects, topic: &HeldTopic) -> Result<Vec<String>, Failure> {
    let mut keys = vec![];
    for chain in &topic.chains {
        let ListedChain { floor, entries } = segments::listed(objects, chain).await?;
        let described = segments::described(objects, chain, entries).await?;
        if let Some(hole) = range::holes(chain, floor, &described).next() {
            return Err(hole.into());
        }
        keys.extend(described.into_iter().map(|(entry, _)| entry.key));
    }
    Ok(keys)
}

/// Values are bytes, and timestamps plain numbers: a query that turned them into text and times would fail on what Kafka
/// allows and DuckDB does not.
fn query(topic: &HeldTopic, files: &[String], place: &Place) -> String {
    let (name, n, count) = (&topic.topic, topic.claim.incarnation, files.len());
    let head = format!(
        "-- topic {name}, incarnation {n}, {count} segments\n\
         -- as text and times: decode(key), decode(value), epoch_ms(timestamp_ms)\n"
    );
    if files.is_empty() {
        return format!("{head}-- the backup holds no segment of it\n");
    }
    let access = match place {
        Place::Folder(_) => String::new(),
        Place::Bucket(settings) => access(settings),
    };
    let files: Vec<_> = files.iter().map(|file| format!("    {}", quoted(file))).collect();
    format!(
        "{head}{access}\
         SELECT CAST(regexp_extract(filename, '/([0-9]+)/[^/]+$', 1) AS INTEGER) AS \"partition\",\n\
         \x20      \"offset\", timestamp_ms, timestamp_type, key, value, headers\n\
         FROM read_parquet([\n{}\n], filename = true)\n\
         ORDER BY \"partition\", \"offset\";\n",
        files.join(",\n")
    )
}

/// How DuckDB gets at the bucket: with the AWS SDK's own credentials, since a secret must not be printed.
fn access(settings: &StorageSettings) -> String {
    let mut options = vec!["TYPE s3".to_owned(), "PROVIDER credential_chain".to_owned()];
    options.extend(settings.region.as_ref().map(|region| format!("REGION {}", quoted(region))));
    if let Some(endpoint) = settings.endpoint_url.as_ref().map(ToString::to_string) {
        let (scheme, host) = endpoint.split_once("://").unwrap_or(("https", &endpoint));
        options.push(format!("ENDPOINT {}", quoted(host.trim_end_matches('/'))));
        options.push(format!("USE_SSL {}", scheme == "https"));
    }
    if settings.is_path_style() {
        options.push("URL_STYLE 'path'".to_owned());
    }
    let note = "-- credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile or the role";
    format!(
        "{note}\nINSTALL httpfs; LOAD httpfs; INSTALL aws; LOAD aws;\nCREATE OR REPLACE SECRET highwater ({});\n",
        options.join(", ")
    )
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Report for Sql {
    const SCHEMA: &'static str = "highwater.sql.v1";

    fn text(&self) -> String {
        self.sql.clone()
    }
}

#[cfg(test)]
mod tests {
    use shared::{archive, ports::objects::Objects as _};

    use super::*;
    use crate::test_backup::TestBackup;

    const FOLDER: &str = "main/orders/1/0/";

    async fn held(test: &TestBackup) -> HeldTopic {
        find::topic(&*test.objects, "orders", None, None).await.unwrap().1
    }

    #[tokio::test]
    async fn a_segment_that_has_expired_is_not_read_although_it_lies_there_still() {
        let test = TestBackup::make().await;
        let topic = held(&test).await;
        let chain = &topic.chains[0];
        let described = segments::listed(&*test.objects, chain).await.unwrap().entries;
        let second = archive::read_metadata(&*test.objects, chain, &described[1]).await.unwrap();
        let floor = archive::read_floor(&*test.objects, chain).await.unwrap();
        assert!(archive::move_floor(&*test.objects, chain, &floor, (second.base, second.before), None).await.unwrap());
        let expected =
            [format!("{FOLDER}00000000000000000006.kan"), "main/orders/1/1/00000000000000000000.kan".to_owned()];
        assert_eq!(keys(&*test.objects, &topic).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn a_hole_is_named_instead_of_a_query_that_reads_less() {
        let test = TestBackup::sealed_with([None; 3]).await;
        let topic = held(&test).await;
        test.objects.delete(&format!("{FOLDER}00000000000000000005.kan")).await.unwrap();
        let hole = keys(&*test.objects, &topic).await.unwrap_err();
        assert!(hole.to_string().contains("no segment holds the offsets from 5 to before 10"), "{hole}");
        assert_eq!(hole.exit_code(), 1);
    }

    #[tokio::test]
    async fn the_query_says_where_the_bucket_is_and_no_secret() {
        let test = TestBackup::make().await;
        let topic = held(&test).await;
        let text = "url = \"s3://bucket/pre'fix\"\nendpoint_url = \"http://127.0.0.1:9001\"\naccess_key_id = \"a\"\n\
                    secret_access_key = \"hunter2\"";
        let settings: StorageSettings = toml::from_str(text).unwrap();
        let place = Place::Bucket(Box::new(settings));
        let sql = query(&topic, &[place.of_key("main/orders/1/0/1.kan")], &place);
        for part in [
            "'s3://bucket/pre''fix/main/orders/1/0/1.kan'",
            "ENDPOINT '127.0.0.1:9001', USE_SSL false",
            "URL_STYLE 'path'",
        ] {
            assert!(sql.contains(part), "{part} is not in {sql}");
        }
        assert!(!sql.contains("hunter2"));
    }
}
