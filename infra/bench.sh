#!/usr/bin/env bash
# Measures (all, or what is named with its arguments): see integration-tests/src/bin/bench/main.rs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
export HIGHWATER_TEST_TOOLS=$tools

"$here/engine.sh"
"$here/images/images.sh"
"$here/tools/versitygw.sh"
"$here/tools/tools.sh"
cargo build --manifest-path "$root/Cargo.toml" --workspace --bins
if [[ $# -gt 0 ]]; then exec "$here/binary.sh" bench "$@"; fi
"$here/binary.sh" bench backup
"$here/binary.sh" bench idle
"$here/binary.sh" bench start
"$here/binary.sh" bench metrics
"$here/binary.sh" bench replication
"$here/binary.sh" bench restore
