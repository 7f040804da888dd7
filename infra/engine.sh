#!/usr/bin/env bash
# Makes sure that a container engine answers: starts Debian's Docker when this is a machine without one and we are root.
# The engine stays in the background afterwards. Safe to run twice and at once.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

how="install Docker, start it, and run this as a user who may use it (or set DOCKER_HOST)"

answers() { have docker && docker info >/dev/null 2>&1; }

start() {
    answers && return
    [[ -z ${DOCKER_HOST:-} ]] || fail "no container engine answers at DOCKER_HOST=$DOCKER_HOST: start it, or unset DOCKER_HOST"
    [[ $UID == 0 ]] || fail "no container engine answers, and only root can start one: $how"
    have dockerd && have iptables || { have apt-get && debian_packages docker.io iptables; } ||
        fail "no container engine here: $how"
    say "starting dockerd, its log is $log"
    launch
    for _ in {1..300}; do
        answers && return
        sleep 0.2
    done
    tail -n 15 "$log" >&2
    fail "dockerd does not answer within a minute; the end of $log is above: $how"
}

launch() {
    if [[ -d /run/systemd/system ]]; then
        systemctl start docker
    else
        # Its own session and no inherited descriptor: it outlives this script, and nobody waits for it.
        # Ports are published on the loopback only.
        setsid dockerd --ip 127.0.0.1 >>"$log" 2>&1 </dev/null &
    fi
}

log=/var/log/highwater-dockerd.log
answers || locked engine start
docker version --format 'docker engine {{.Server.Version}} ({{.Server.Os}}/{{.Server.Arch}})'
