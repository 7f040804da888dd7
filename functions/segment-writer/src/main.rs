//! The entry point of segment-writer on AWS Lambda, which is to come: until then it says so and fails.

fn main() -> std::process::ExitCode {
    eprintln!(
        "segment-writer has no entry point for AWS Lambda yet: run it with `highwater serve --only segment-writer`"
    );
    std::process::ExitCode::from(2)
}
