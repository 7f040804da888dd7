#!/usr/bin/env bash
# Makes sure that the tools which check and build what is deployed are there: a Python environment of their own
# (.tools/deploy), because checkov needs other versions of what the aws CLI needs, and helm and kubeconform (.tools/bin).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../common.sh"
environment=$tools/deploy

main() {
    python_environment
    go_tool helm helm.sh/helm/v3/cmd/helm@v3.22.0
    go_tool kubeconform github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
}

# Made anew when the requirements change.
python_environment() {
    cmp -s "$here/deploy-requirements.txt" "$environment/requirements.txt" && return
    python3 -c 'import venv, ensurepip' 2>/dev/null || debian_packages python3 python3-venv
    python3 -m venv --clear "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check -r "$here/deploy-requirements.txt"
    cp "$here/deploy-requirements.txt" "$environment/requirements.txt"
}

go_tool() {
    [[ ! -x $tools/bin/$1 ]] || return 0
    mkdir -p "$tools/bin"
    if have "$1"; then
        ln -sf "$(command -v "$1")" "$tools/bin/$1"
        return
    fi
    find_go
    CGO_ENABLED=0 GOBIN=$tools/bin "$go" install -trimpath -ldflags '-s -w' "$2"
}

locked "deploy-tools-$(cksum <<<"$root" | cut -d' ' -f1)" main
