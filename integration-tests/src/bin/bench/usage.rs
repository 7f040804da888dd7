//! What a Redis server used. Unlike a rate it depends neither on how our own code is compiled nor on what else the machine does.

use integration_tests::redis_server::Database;

/// What a server used since it started.
#[derive(Clone, Copy)]
pub struct Usage {
    cpu_s: f64,
    /// Commands, those of scripts too.
    commands: f64,
    /// What it holds now.
    pub memory: f64,
}

impl Usage {
    /// What the database's server used.
    pub async fn of(database: &Database) -> Usage {
        let mut connection = database.connect().await;
        let info: String = redis::cmd("INFO").arg("all").query_async(&mut connection).await.expect("redis answers");
        let number = |name: &str| -> f64 {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|text| text.trim().parse().ok()).unwrap_or_else(|| panic!("redis tells no {name}"))
        };
        let calls = info.lines().filter_map(|line| {
            line.strip_prefix("cmdstat_")?.split_once("calls=")?.1.split(',').next()?.parse::<f64>().ok()
        });
        Usage {
            cpu_s: number("used_cpu_user_main_thread") + number("used_cpu_sys_main_thread"),
            commands: calls.sum(),
            memory: number("used_memory"),
        }
    }

    /// What it used since then.
    pub fn since(self, before: Usage) -> Usage {
        Usage {
            cpu_s: self.cpu_s - before.cpu_s,
            commands: self.commands - before.commands,
            memory: self.memory - before.memory,
        }
    }

    /// CPU and commands for each of so many.
    pub fn per(self, count: usize, what: &str) -> String {
        let count = count.max(1) as f64;
        format!("{:.1} us of redis and {:.2} commands an {what}", self.cpu_s * 1e6 / count, self.commands / count)
    }
}
