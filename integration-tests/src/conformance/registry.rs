//! What every schema registry does, whoever it is.

use shared::ports::registry::{IMPORT, Place, Reference, Registry, RegistryError, Schema, Setting};

fn refused(error: &RegistryError) -> u32 {
    match error {
        RegistryError::Refused { code, .. } => *code,
        RegistryError::Unavailable { .. } => panic!("{error}"),
    }
}

/// Runs all of it against an empty registry that knows modes.
pub async fn run(registry: &dyn Registry) {
    versions_and_ids(registry).await;
    soft_deletion(registry).await;
    settings(registry).await;
    import(registry).await;
}

/// Subjects have versions from 1 on; the same schema is registered once and has one id.
pub async fn versions_and_ids(registry: &dyn Registry) {
    assert_eq!(registry.subjects(true).await.expect("an answer"), Vec::<String>::new());
    assert_eq!(registry.versions("a/b ü", true).await.expect("an answer"), Vec::<u32>::new());
    let (first, second) = (Schema::avro("\"string\"", &[]), Schema::avro("\"bytes\"", &[]));
    let one = registry.register("a/b ü", &first, None).await.expect("an answer");
    let two = registry.register("a/b ü", &second, None).await.expect("an answer");
    assert!(one < two);
    assert_eq!(registry.register("a/b ü", &first, None).await.expect("an answer"), one, "again");
    assert_eq!(registry.register("other", &first, None).await.expect("an answer"), one, "the same schema elsewhere");
    assert_eq!(registry.versions("a/b ü", false).await.expect("an answer"), [1, 2]);
    let found = registry.version("a/b ü", 2).await.expect("an answer").expect("a version");
    assert_eq!((found.subject.as_str(), found.version, found.id), ("a/b ü", 2, two));
    assert!(found.schema.is_same(&second), "{found:?}");
    assert_eq!(registry.version("a/b ü", 3).await.expect("an answer"), None);
    assert_eq!(registry.version("nobody", 1).await.expect("an answer"), None);
}

/// What is soft-deleted is seen by who asks for it, and what is referred to is not deleted.
pub async fn soft_deletion(registry: &dyn Registry) {
    let record = r#"{"type":"record","name":"com.R","fields":[{"name":"f","type":"com.E"}]}"#;
    let named = r#"{"type":"enum","name":"com.E","symbols":["A"]}"#;
    registry.register("named", &Schema::avro(named, &[]), None).await.expect("an answer");
    registry.register("refers", &Schema::avro(record, &[("com.E", "named", 1)]), None).await.expect("an answer");
    let found = registry.version("refers", 1).await.expect("an answer").expect("a version");
    assert_eq!(found.schema.references, [Reference { name: "com.E".into(), subject: "named".into(), version: 1 }]);
    assert_eq!(refused(&registry.delete("named", 1).await.expect_err("it is refused")), 42_206);
    registry.delete("refers", 1).await.expect("an answer");
    assert!(!registry.subjects(false).await.expect("an answer").contains(&"refers".to_owned()));
    assert!(registry.subjects(true).await.expect("an answer").contains(&"refers".to_owned()));
    assert_eq!(registry.versions("refers", false).await.expect("an answer"), Vec::<u32>::new());
    assert_eq!(registry.versions("refers", true).await.expect("an answer"), [1]);
    assert!(registry.version("refers", 1).await.expect("an answer").is_some());
    assert!(refused(&registry.delete("nobody", 1).await.expect_err("it is refused")) > 0);
}

/// A subject has a setting of its own, or none.
pub async fn settings(registry: &dyn Registry) {
    assert_eq!(registry.setting(Setting::Compatibility, None).await.expect("an answer").as_deref(), Some("BACKWARD"));
    assert_eq!(registry.setting(Setting::Compatibility, Some("other")).await.expect("an answer"), None);
    registry.set(Setting::Compatibility, Some("other"), Some("FULL"), false).await.expect("an answer");
    assert_eq!(
        registry.setting(Setting::Compatibility, Some("other")).await.expect("an answer").as_deref(),
        Some("FULL")
    );
    for _ in 0..2 {
        registry.set(Setting::Compatibility, Some("other"), None, false).await.expect("an answer");
        assert_eq!(registry.setting(Setting::Compatibility, Some("other")).await.expect("an answer"), None);
    }
}

/// In import mode a schema gets its id and version; a subject that is not empty is set to it only when forced.
pub async fn import(registry: &dyn Registry) {
    let (int, long) = (Schema::avro("\"int\"", &[]), Schema::avro("\"long\"", &[]));
    let place = |id, version| Some(Place { id, version });
    assert!(
        refused(&registry.register("imported", &int, place(90, 4)).await.expect_err("it is refused")) > 0,
        "not in import mode"
    );
    registry.set(Setting::Mode, Some("imported"), Some(IMPORT), false).await.expect("an answer");
    assert_eq!(registry.register("imported", &int, place(90, 4)).await.expect("an answer"), 90);
    assert_eq!(registry.versions("imported", false).await.expect("an answer"), [4]);
    assert!(
        refused(&registry.register("imported", &long, place(90, 5)).await.expect_err("it is refused")) > 0,
        "id 90 is taken"
    );
    assert_eq!(
        refused(&registry.set(Setting::Mode, Some("other"), Some(IMPORT), false).await.expect_err("it is refused")),
        42_205
    );
    registry.set(Setting::Mode, Some("other"), Some(IMPORT), true).await.expect("an answer");
    registry.set(Setting::Mode, Some("other"), None, false).await.expect("an answer");
    assert_eq!(registry.setting(Setting::Mode, Some("other")).await.expect("an answer"), None);
    assert_eq!(
        registry.register("other", &long, None).await.expect("an answer"),
        91,
        "ids go on behind the imported one"
    );
}
