//! A program that ran, and what it took.

use std::{
    fmt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use wait4::Wait4 as _;

/// What a run took, as the kernel counts it.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// From start to end.
    pub wall: Duration,
    /// Of all its threads.
    pub cpu: Duration,
    /// The most memory it held at any moment (VmHWM).
    pub peak_bytes: u64,
    /// Cores of the machine that were busy on average, with whatever: near all of them means that the servers beside the
    /// program were the limit as much as itself.
    pub cores_busy: f64,
}

/// Runs a program to its end, and gives what it printed.
pub fn run(command: &mut Command) -> (Measured, String) {
    let (since, busy_before) = (Instant::now(), busy());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program starts");
    let output = std::io::read_to_string(child.stdout.take().expect("standard output is piped")).expect("text");
    let ended = child.wait4().expect("the program ends");
    let wall = since.elapsed();
    assert!(ended.status.success(), "{command:?} ended with {}: {output}", ended.status);
    let rusage = ended.rusage;
    let cores_busy = (busy() - busy_before).as_secs_f64() / wall.as_secs_f64();
    (Measured { wall, cpu: rusage.utime + rusage.stime, peak_bytes: rusage.maxrss, cores_busy }, output)
}

/// What all processes took since the machine started: the first line of `/proc/stat` less the times idle and waiting, in
/// its ticks of 10 ms.
fn busy() -> Duration {
    let stat = std::fs::read_to_string("/proc/stat").expect("a Linux machine");
    let ticks = stat.lines().next().into_iter().flat_map(|all| all.split_whitespace().skip(1).take(7));
    let ticks = ticks.map(|ticks| ticks.parse::<u64>().expect("a number"));
    let busy: u64 = ticks.enumerate().filter(|(column, _)| ![3, 4].contains(column)).map(|(_, ticks)| ticks).sum();
    Duration::from_millis(busy * 10)
}

/// The run with the median wall time.
pub fn median(runs: &[Measured]) -> Measured {
    let mut runs = runs.to_vec();
    runs.sort_by_key(|run| run.wall);
    runs[runs.len() / 2]
}

impl fmt::Display for Measured {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Measured { wall, cpu, peak_bytes, cores_busy } = self;
        let (wall, cpu) = (wall.as_secs_f64(), cpu.as_secs_f64());
        write!(out, "{wall:.2} s, {cpu:.2} s of CPU, {} MB at most, {cores_busy:.1} cores busy", peak_bytes >> 20)
    }
}
