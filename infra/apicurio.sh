#!/usr/bin/env bash
# Restores schemas with a map of ids from one real registry into another: Apicurio's, fetched by Maven (140 MB) and run in memory.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
cd "$root"

version=2.5.11.Final
folder=$tools/apicurio-$version
runner=apicurio-registry-app-$version-runner.jar
if [[ ! -e $folder/$runner ]]; then
    mkdir -p "$folder"
    mvn -q -B dependency:copy "-Dartifact=io.apicurio:apicurio-registry-app:$version:tar.gz:all" "-DoutputDirectory=$folder"
    tar -xzf "$folder"/*.tar.gz -C "$folder"
    rm "$folder"/*.tar.gz
fi

pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true' EXIT
start() {
    (cd "$folder" && exec java "-Dquarkus.http.host=127.0.0.1" "-Dquarkus.http.port=$1" -jar "$runner") >"$folder/$1.log" 2>&1 &
    pids+=($!)
}
start 18765
start 18766
for port in 18765 18766; do
    timeout 120 bash -c "until curl -sf http://127.0.0.1:$port/apis/ccompat/v7/subjects >/dev/null; do sleep 0.5; done" ||
        fail "no registry answers at port $port: see $folder/$port.log"
done
export HIGHWATER_TEST_REGISTRIES="http://127.0.0.1:18765/apis/ccompat/v7 http://127.0.0.1:18766/apis/ccompat/v7"
cargo build --workspace --all-targets
cargo test -p integration-tests --test integration -- --ignored schemas::
