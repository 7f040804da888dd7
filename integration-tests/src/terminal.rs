//! A command on a pseudo terminal, and what it writes there.

use std::process::Command;

use crate::programs::python_tool;

const PSEUDO_TERMINAL: &str = include_str!("../fixtures/pseudo_terminal.py");

/// What a command wrote on a terminal.
pub struct OnTerminal {
    /// Its exit code.
    pub code: Option<i32>,
    /// All of it, as the terminal got it.
    pub text: String,
}

/// Runs a command, with the environment that it has, on a terminal of so many columns.
pub async fn on_a_terminal(columns: u16, command: &Command) -> OnTerminal {
    let mut python = Command::new(python_tool("python"));
    python.args(["-c", PSEUDO_TERMINAL, &columns.to_string()]).arg(command.get_program()).args(command.get_args());
    python.env("TERM", "xterm-256color").env_remove("NO_COLOR");
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => python.env(name, value),
            None => python.env_remove(name),
        };
    }
    let output = tokio::task::spawn_blocking(move || python.output()).await.expect("no panic").expect("python starts");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    OnTerminal { code: output.status.code(), text: String::from_utf8_lossy(&output.stdout).into_owned() }
}

/// The sequences that change colour, weight or another look of text.
pub fn looks(text: &str) -> Vec<&str> {
    let sequences = text.split("\u{1b}[").skip(1);
    let look =
        |rest: &str| rest.find(|sign: char| sign.is_ascii_alphabetic()).filter(|end| rest[*end..].starts_with('m'));
    sequences.filter_map(|rest| Some(&rest[..=look(rest)?])).collect()
}
