#!/usr/bin/env bash
# Copies the S3 server's binary out of its image to .tools/bin/versitygw, for running it as a process of its own.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../common.sh"
source "$here/../images/names.env"

[[ ! -x $tools/bin/versitygw ]] || exit 0
mkdir -p "$tools/bin"
container=$(docker create "$versitygw_image")
trap 'docker rm "$container" >/dev/null' EXIT
for path in /usr/local/bin/versitygw /app/versitygw; do
    docker cp "$container:$path" "$tools/bin/versitygw" 2>/dev/null && exit 0
done
fail "no versitygw in image $versitygw_image"
