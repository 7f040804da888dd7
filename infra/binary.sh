#!/usr/bin/env bash
# binary.sh NAME ARGUMENTS...: builds a binary of this workspace with the features the tests use, so that neither
# rebuilds the other, and becomes it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
name=$1
shift
cd "$root"
cargo build --workspace --bin "$name"
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
exec "$target/debug/$name" "$@"
