#!/usr/bin/env bash
# Makes sure that the tools which check and build what is deployed are there, in a Python environment of their own
# (.tools/deploy): checkov needs other versions of what the aws CLI needs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../common.sh"
environment=$tools/deploy

main() {
    cmp -s "$here/deploy-requirements.txt" "$environment/requirements.txt" && return
    python3 -c 'import venv, ensurepip' 2>/dev/null || debian_packages python3 python3-venv
    python3 -m venv --clear "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check -r "$here/deploy-requirements.txt"
    cp "$here/deploy-requirements.txt" "$environment/requirements.txt"
}

locked "deploy-tools-$(cksum <<<"$root" | cut -d' ' -f1)" main
