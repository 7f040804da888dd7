//! The entry point of metrics-query on AWS Lambda, which is to come: until then it says so and fails.

fn main() -> std::process::ExitCode {
    eprintln!(
        "metrics-query has no entry point for AWS Lambda yet: run it with `highwater serve --only metrics-query`"
    );
    std::process::ExitCode::from(2)
}
