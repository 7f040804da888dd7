#!/usr/bin/env bash
# packaged.sh PROCESSOR: the tests of functions (under both emulations of Lambda), of logins and of the container image, with the
# binaries of the packages in dist/ in the place of those that were built for tests. Engine, images and tools must be ready
# (`./just prepare`).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../common.sh"
cd "$root"
packages=dist/lambda/${1:-x86_64}
[[ -d $packages ]] || fail "no packages in $packages: run ./just package ${1:-x86_64} first"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for package in "$packages"/*.zip; do
    name=$(basename "$package" .zip)
    "$tools/deploy/bin/python3" -m zipfile -e "$package" "$folder"
    mv "$folder/bootstrap" "$folder/$name"
    chmod +x "$folder/$name"
done
tar xzf "dist/highwater-${1:-x86_64}.tar.gz" -C "$folder" --strip-components=1
export HIGHWATER_TEST_BINARIES=$folder HIGHWATER_TEST_TOOLS=$tools HIGHWATER_BINARY=$folder/highwater
cargo test --workspace --test integration -- lambda_ kafka_login canaries container_image
