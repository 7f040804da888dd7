#!/usr/bin/env bash
# Checks what is deployed: the template, and what its functions are told. The binary `highwater` must be built.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../common.sh"
cd "$root"
"$here/../tools/deploy.sh"
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
export HIGHWATER_BINARY=$target/debug/highwater PATH=$tools/deploy/bin:$PATH PYTHONDONTWRITEBYTECODE=1
exec "$tools/deploy/bin/python3" -m unittest discover --buffer --start-directory infra/deploy
