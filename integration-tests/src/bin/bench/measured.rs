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
}

/// Runs a program to its end, and gives what it printed.
pub fn run(command: &mut Command) -> (Measured, String) {
    let since = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program starts");
    let output = std::io::read_to_string(child.stdout.take().expect("standard output is piped")).expect("text");
    let ended = child.wait4().expect("the program ends");
    let wall = since.elapsed();
    assert!(ended.status.success(), "{command:?} ended with {}: {output}", ended.status);
    let rusage = ended.rusage;
    (Measured { wall, cpu: rusage.utime + rusage.stime, peak_bytes: rusage.maxrss }, output)
}

/// The run with the median wall time.
pub fn median(runs: &[Measured]) -> Measured {
    let mut runs = runs.to_vec();
    runs.sort_by_key(|run| run.wall);
    runs[runs.len() / 2]
}

impl fmt::Display for Measured {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Measured { wall, cpu, peak_bytes } = self;
        write!(out, "{:.2} s, {:.2} s of CPU, {} MB at most", wall.as_secs_f64(), cpu.as_secs_f64(), peak_bytes >> 20)
    }
}
