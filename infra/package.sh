#!/usr/bin/env bash
# package.sh [arm64|x86_64]...: builds every function for AWS Lambda and the binary `highwater`, for the given processors
# or both. The results are in dist/: lambda/<processor>/<function>.zip and highwater-<processor>.tar.gz. They run wherever
# there is a glibc of 2.34 or newer, as Amazon Linux 2023 has it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
cd "$root"
readonly glibc=2.34 zipped_bytes_max=8000000
# What Kafka's logins and TLS need nothing of: a fifteenth of a package.
readonly openssl_without=(aria argon2 bf blake2 cast cmp cms ct dtls ec2m engine gost mdc2 ml-dsa ocb ocsp quic rc2 rc4 rmd160 scrypt
    siphash siv slh-dsa sm2 sm3 sm4 srp srtp ts whirlpool)
export PATH=$tools/deploy/bin:$PATH

functions() { grep -l 'runtime::run' functions/*/src/main.rs | cut -d/ -f2; }

triple() {
    case $1 in
        arm64) printf 'aarch64-unknown-linux-gnu' ;;
        x86_64) printf 'x86_64-unknown-linux-gnu' ;;
        *) fail "unknown processor $1: name arm64 or x86_64" ;;
    esac
}

# Makefiles and configure scripts of C libraries take CC as it is, so it must be the compiler for the target. librdkafka also
# links a shared library, which nothing uses, and whose list of symbols names one that is not there.
# What is never called is left out by the linker, and what only a debugger or an exception needs is not made.
# compiler cc|c++ TARGET
compiler() {
    local compiler=$tools/deploy/zig-$1-$2
    cat >"$compiler" <<END
#!/bin/sh
case "\$*" in *-shared*) set -- "\$@" -Wl,--undefined-version ;; esac
exec "$tools/deploy/bin/python3" -m ziglang $1 -target ${2/-unknown/}.$glibc "\$@" -ffunction-sections -fdata-sections -fno-unwind-tables
END
    chmod +x "$compiler"
    printf '%s' "$compiler"
}

# OpenSSL is configured by a program of Perl; what it may leave out can be told nowhere else. It would write down where it was built,
# as the folders of modules that there are none of: without that the same source gives the same bytes anywhere.
openssl_perl() {
    local perl=$tools/deploy/openssl-perl
    cat >"$perl" <<END
#!/bin/sh
[ "\$1" = ./Configure ] || exec perl "\$@"
perl "\$@" ${openssl_without[*]/#/no-} -Os -fno-unwind-tables &&
    sed -i 's,^ENGINESDIR=.*,ENGINESDIR=/usr/local/lib/engines-3,; s,^MODULESDIR=.*,MODULESDIR=/usr/local/lib/ossl-modules,' Makefile
END
    chmod +x "$perl"
    printf '%s' "$perl"
}

# build TARGET PROFILE FLAGS -p PACKAGE...: what cargo-lambda has built it moves to lambda-<target>/<name>/bootstrap.
build() {
    local target=$1 profile=$2 flags=$3
    shift 3
    # Paths of this machine would be in the binaries; then the same source would give other bytes elsewhere.
    # So would today's date, which OpenSSL writes down.
    SOURCE_DATE_EPOCH=315532800 CC=$(compiler cc "$target") CXX=$(compiler c++ "$target") HOST_CC=cc HOST_CXX=c++ \
        CARGO_TARGET_DIR=$target_dir OPENSSL_SRC_PERL=$(openssl_perl) \
        RUSTFLAGS="--remap-path-prefix=$root=highwater --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo $flags" \
        cargo lambda build --locked --profile "$profile" --target "$target.$glibc" --lambda-dir "$target_dir/lambda-$target" \
        --features shared/vendored-openssl "$@"
}

main() {
    local processor target packages name
    "$here/tools/deploy.sh"
    target_dir=${HIGHWATER_PACKAGE_TARGET:-$root/target/package}
    [[ $# -gt 0 ]] || set -- arm64 x86_64
    for processor; do triple "$processor" >/dev/null; done
    for processor; do
        target=$(triple "$processor")
        rustup target add "$target" 2>/dev/null || :
        packages=()
        for name in $(functions); do packages+=(-p "$name"); done
        say "building the functions for $target"
        build "$target" functions "-C force-unwind-tables=no" "${packages[@]}"
        say "building highwater for $target"
        build "$target" packaged "" -p local-runner
        # shellcheck disable=SC2046 # names have no blanks
        "$tools/deploy/bin/python3" "$here/deploy/archive.py" "$target" "$target_dir/lambda-$target" "dist" "$processor" "$zipped_bytes_max" $(functions)
    done
}

main "$@"
