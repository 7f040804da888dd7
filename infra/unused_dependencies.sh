#!/usr/bin/env bash
# Fails when a manifest names a dependency that no Rust file of its crate names.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

dependencies_of() {
    sed -nE '/^\[(dev-|build-)?dependencies\]/,/^\[[^d]/ s/^([a-z0-9_-]+)[ .=].*/\1/p' "$1"
}

unused=()
while IFS= read -r manifest; do
    crate=$(dirname "$manifest")
    for dependency in $(dependencies_of "$manifest"); do
        grep -rqwE --include='*.rs' "${dependency//-/_}" "$crate" || unused+=("$crate: $dependency")
    done
done < <(git ls-files 'shared/Cargo.toml' 'functions/*/Cargo.toml' 'integration-tests/Cargo.toml')
[[ ${#unused[@]} == 0 ]] || fail "dependencies that nothing uses; remove them from the manifests:"$'\n'"$(printf '  %s\n' "${unused[@]}")"
