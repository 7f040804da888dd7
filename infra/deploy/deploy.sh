#!/usr/bin/env bash
# deploy.sh [--dry-run] STACK [PARAMETER=VALUE]...: deploys the packages in dist/ with infra/template.yaml into the account
# and region that the environment names (AWS_PROFILE, AWS_REGION). --dry-run makes a change set, shows it, and leaves it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../common.sh"
readonly usage="usage: ./just deploy [--dry-run] STACK [PARAMETER=VALUE]..."
packages=$root/dist/lambda

# `sam` of the machine, or one in an environment of its own: it pins other versions than the checks use.
find_sam() {
    if have sam; then
        sam=sam
        return
    fi
    sam=$tools/sam/bin/sam
    [[ -x $sam ]] || { python3 -m venv "$tools/sam" && quietly sam "$tools/sam/bin/pip" install --quiet aws-sam-cli==1.170.0; }
}

# The template names the packages without the processor: a path there cannot have a parameter in it.
select_packages() {
    local processor=arm64 parameter
    for parameter; do [[ $parameter != Architecture=* ]] || processor=${parameter#*=}; done
    [[ -d $packages/$processor ]] || fail "no packages for $processor: run ./just package $processor first"
    ln -sfn "$processor" "$packages/selected"
}

main() {
    local options=(--no-fail-on-empty-changeset)
    if [[ ${1:-} == --dry-run ]]; then
        options=(--no-execute-changeset)
        shift
    fi
    case ${1:-} in "" | -* | *=*) fail "$usage" ;; esac
    local stack=$1 parameter
    shift
    for parameter; do [[ $parameter == *=* ]] || fail "$parameter is no PARAMETER=VALUE; $usage"; done
    select_packages "$@"
    [[ $# -eq 0 ]] || options+=(--parameter-overrides "$@")
    find_sam
    exec "$sam" deploy --template-file "$root/infra/template.yaml" --stack-name "$stack" --resolve-s3 \
        --capabilities CAPABILITY_IAM "${options[@]}"
}

main "$@"
