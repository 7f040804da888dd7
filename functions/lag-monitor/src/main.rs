//! The entry point of lag-monitor on AWS Lambda, which is to come: until then it says so and fails.

fn main() -> std::process::ExitCode {
    eprintln!("lag-monitor has no entry point for AWS Lambda yet: run it with `highwater serve --only lag-monitor`");
    std::process::ExitCode::from(2)
}
