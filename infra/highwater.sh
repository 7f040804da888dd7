#!/usr/bin/env bash
# Builds the binary `highwater` with the features the tests use, so that neither rebuilds the other, and becomes it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
manifest=$root/Cargo.toml
cargo build --manifest-path "$manifest" --workspace --bin highwater
target=$(cargo metadata --manifest-path "$manifest" --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
exec "$target/debug/highwater" "$@"
