#!/usr/bin/env bash
# Prints which engine and images tests run on, and where the images come from.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/names.env"
docker version --format 'backend: docker {{.Server.Version}} ({{.Server.Os}}/{{.Server.Arch}})'
for image in "$kafka_image" "$redis_image" "$versitygw_image"; do
    origin=$(docker image inspect --format '{{index .Config.Labels "highwater.origin"}}' "$image")
    printf 'backend: %s, %s\n' "$image" "${origin:-the published image}"
done
