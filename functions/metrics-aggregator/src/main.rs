//! The entry point of metrics-aggregator on AWS Lambda, which is to come: until then it says so and fails.

fn main() -> std::process::ExitCode {
    eprintln!(
        "metrics-aggregator has no entry point for AWS Lambda yet: run it with `highwater serve --only metrics-aggregator`"
    );
    std::process::ExitCode::from(2)
}
