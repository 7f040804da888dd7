//! Both stores under the port's one suite.

mod memory {
    use std::sync::Arc;

    use async_trait::async_trait;
    use integration_tests::conformance::store::Subject;
    use shared::{
        adapters::memory::{clock::ManualClock, store::MemoryStore},
        ports::{
            clock::Clock as _,
            store::{Operation, Store},
        },
        record::Millis,
    };

    struct Memory {
        clock: Arc<ManualClock>,
        store: MemoryStore,
    }

    async fn memory() -> Memory {
        let clock = Arc::new(ManualClock::at(Millis(1_531_432_000_000)));
        Memory { store: MemoryStore::new(clock.clone()), clock }
    }

    #[async_trait]
    impl Subject for Memory {
        fn store(&self) -> &dyn Store {
            &self.store
        }
        fn now(&self) -> Millis {
            self.clock.now()
        }
        async fn wait_until(&self, at: Millis) {
            self.clock.set(at);
        }
        async fn set_text(&self, key: &str, text: &str) {
            self.store.set(key, text);
        }
        async fn set_field(&self, key: &str, field: &str, text: &str) {
            let (key, field) = (key.to_owned(), field.to_owned());
            let remove = Operation::Remove { key: key.clone(), fields: vec![field.clone()] };
            let foreign = Operation::Max { key, field, order: vec![], value: text.to_owned() };
            self.store.apply(&[], &[remove, foreign]).await.unwrap();
        }
    }

    integration_tests::store_conformance!(memory());
}

mod redis {
    use std::time::Duration;

    use async_trait::async_trait;
    use integration_tests::{
        conformance::store::Subject,
        redis_server::{Database, RedisServer},
    };
    use shared::{
        adapters::{redis::RedisStore, system_clock::SystemClock},
        config::redis::RedisSettings,
        ports::{clock::Clock as _, store::Store},
        record::Millis,
    };

    struct Redis {
        database: Database,
        store: RedisStore,
    }

    async fn redis() -> Redis {
        let database = RedisServer::shared().await.new_database();
        let store = RedisStore::open(&RedisSettings::at(&database.url)).unwrap();
        Redis { database, store }
    }

    #[async_trait]
    impl Subject for Redis {
        fn store(&self) -> &dyn Store {
            &self.store
        }
        fn now(&self) -> Millis {
            SystemClock.now()
        }
        async fn wait_until(&self, at: Millis) {
            while SystemClock.now() <= at {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        async fn set_text(&self, key: &str, text: &str) {
            let mut connection = self.database.connect().await;
            let () = redis::cmd("SET").arg(key).arg(text).query_async(&mut connection).await.unwrap();
        }
        async fn set_field(&self, key: &str, field: &str, text: &str) {
            let mut connection = self.database.connect().await;
            let () = redis::cmd("HSET").arg(key).arg(field).arg(text).query_async(&mut connection).await.unwrap();
        }
    }

    integration_tests::store_conformance!(redis());
}
