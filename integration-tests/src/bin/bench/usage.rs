//! What a Redis server and this process used. What Redis used depends neither on how our own code is compiled nor on what else the
//! machine does, as a rate does.

use integration_tests::redis_server::Database;

/// Of the times in `/proc`.
const TICKS_PER_S: f64 = 100.0;

/// What a server and this process used since they started.
#[derive(Clone, Copy)]
pub struct Usage {
    cpu_s: f64,
    own_cpu_s: f64,
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
            own_cpu_s: own_cpu_s(),
            commands: calls.sum(),
            memory: number("used_memory"),
        }
    }

    /// What it used since then.
    pub fn since(self, before: Usage) -> Usage {
        Usage {
            cpu_s: self.cpu_s - before.cpu_s,
            own_cpu_s: self.own_cpu_s - before.own_cpu_s,
            commands: self.commands - before.commands,
            memory: self.memory - before.memory,
        }
    }

    /// CPU and commands for each of so many.
    pub fn per(self, count: usize, what: &str) -> String {
        let count = count.max(1) as f64;
        let us = |seconds: f64| seconds * 1e6 / count;
        let (redis, own) = (us(self.cpu_s), us(self.own_cpu_s));
        format!("{redis:.1} us of redis with {:.2} commands, and {own:.1} us here an {what}", self.commands / count)
    }
}

/// User and system time, of all threads.
fn own_cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("linux tells of the process");
    // Behind the name, which is in brackets and may hold anything, the 12th and the 13th field.
    let fields = stat.rsplit_once(')').expect("a name").1.split_whitespace().skip(11).take(2);
    fields.map(|ticks| ticks.parse::<f64>().expect("a number")).sum::<f64>() / TICKS_PER_S
}
