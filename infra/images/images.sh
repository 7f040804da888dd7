#!/usr/bin/env bash
# Makes sure that the images of the tests are there. Those that cannot be pulled are built here, under the same names
# and tags, from the same published artefacts (Debian, Maven Central, the Go module proxy).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../common.sh"
source "$here/names.env"

base=highwater/base:bookworm
build=$tools/build

main() {
    local folder missing=()
    for folder in kafka redis versitygw; do
        there "$(name_of $folder)" || pull "$(name_of $folder)" || missing+=("$folder")
    done
    [[ ${#missing[@]} == 0 ]] || build_all "${missing[@]}"
}

name_of() {
    local variable=${1}_image
    printf '%s' "${!variable}"
}
there() { docker image inspect "$1" >/dev/null 2>&1; }
pull() { timeout 600 docker pull --quiet "$1"; }

# The base and what goes into the images are gathered side by side, then the images are built.
build_all() {
    local folder job jobs=()
    say "building from packages, because they cannot be pulled: $*"
    build_base &
    jobs+=($!)
    for folder; do
        mkdir -p "$build/$folder"
        cp -r "$here/$folder/." "$build/$folder"
        "gather_$folder" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job"; done
    for folder; do
        docker build --network host --tag "$(name_of "$folder")" "$build/$folder"
    done
    rm -rf "$build"
}

build_base() {
    there $base && return
    [[ $UID == 0 ]] || fail "images can neither be pulled nor built: building them needs root (debootstrap)"
    have debootstrap || debian_packages debootstrap
    rm -rf "$build/base"
    debootstrap --variant=minbase bookworm "$build/base"
    rm -f "$build"/base/var/cache/apt/archives/*.deb
    tar -C "$build/base" -c . | docker import - $base
}

gather_kafka() {
    have mvn || debian_packages maven
    mvn -B -q -f "$build/kafka/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$build/kafka/libs"
}

gather_redis() { :; }

gather_versitygw() {
    find_go
    CGO_ENABLED=0 GOBIN=$build/versitygw "$go" install -trimpath -ldflags '-s -w' \
        "github.com/versity/versitygw/cmd/versitygw@${versitygw_image##*:}"
}

locked images main
