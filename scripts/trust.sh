# shellcheck shell=sh
# Sourced by every step with a network: exports the optional build secrets, so that the container uses the host's
# certificates and indexes.
#
# A step that sources this mounts a tmpfs on /tmp. Values from secrets stay in the environment or in /tmp, never in a
# layer. Nothing here prints a value: do not `set -x` in a script that sources this.

trust_secrets=/run/secrets
trust_dir=/tmp/xtask-trust
mkdir -p "$trust_dir"
chmod 700 "$trust_dir"

# The cache mount, whose files are in no layer. Builds work without it, only slower.
XTASK_CACHE=${XTASK_CACHE:-/var/cache/xtask}
export XTASK_CACHE

# Exports the values without shell expansion, and only these names: a settings file can neither run code nor change PATH
# or LD_PRELOAD. xtask sends exactly these names (`engine::host::names`), with pip's indexes copied to uv and the
# reverse.
if [ -f "$trust_secrets/settings" ]; then
    # `|| [ -n ... ]` also reads a last line without a newline.
    while IFS= read -r trust_line || [ -n "$trust_line" ]; do
        case ${trust_line%%=*} in
            http_proxy | https_proxy | ftp_proxy | no_proxy | all_proxy | HTTP_PROXY | \
                HTTPS_PROXY | FTP_PROXY | NO_PROXY | ALL_PROXY | PIP_INDEX_URL | \
                PIP_EXTRA_INDEX_URL | PIP_TRUSTED_HOST | PIP_FIND_LINKS | PIP_NO_INDEX | \
                PIP_PROXY | PIP_DEFAULT_TIMEOUT | PIP_TIMEOUT | PIP_RETRIES | \
                UV_DEFAULT_INDEX | UV_INDEX | UV_INDEX_* | UV_EXTRA_INDEX_URL | UV_FIND_LINKS | \
                UV_INSECURE_HOST | UV_NO_INDEX | UV_OFFLINE | UV_HTTP_TIMEOUT | \
                UV_HTTP_CONNECT_TIMEOUT | UV_HTTP_RETRIES | UV_PYTHON_INSTALL_MIRROR | \
                UV_PYPY_INSTALL_MIRROR | UV_PYTHON_DOWNLOADS_JSON_URL | PYTHON_SOURCE_MIRROR | \
                RUSTUP_DIST_SERVER | RUSTUP_UPDATE_ROOT | CARGO_HTTP_PROXY | \
                CARGO_HTTP_TIMEOUT | CARGO_HTTP_MULTIPLEXING | CARGO_HTTP_CHECK_REVOKE | \
                CARGO_HTTP_LOW_SPEED_LIMIT | CARGO_NET_RETRY | CARGO_NET_OFFLINE | \
                CARGO_REGISTRIES_*_INDEX | CARGO_REGISTRIES_*_PROTOCOL | \
                CARGO_REGISTRIES_*_TOKEN)
                export "${trust_line%%=*}=${trust_line#*=}"
                ;;
        esac
    done <"$trust_secrets/settings"
    unset trust_line
fi

if [ -f "$trust_secrets/ca" ]; then
    XTASK_CA=$trust_secrets/ca
    export XTASK_CA
    # One variable for each library that opens connections: OpenSSL (uv included), pip and requests, curl, git, cargo,
    # node, and apk's libfetch.
    export SSL_CERT_FILE="$XTASK_CA" PIP_CERT="$XTASK_CA" REQUESTS_CA_BUNDLE="$XTASK_CA" \
        CURL_CA_BUNDLE="$XTASK_CA" GIT_SSL_CAINFO="$XTASK_CA" CARGO_HTTP_CAINFO="$XTASK_CA" \
        NODE_EXTRA_CA_CERTS="$XTASK_CA" SSL_CA_CERT_FILE="$XTASK_CA"
fi

if [ -f "$trust_secrets/netrc" ]; then
    export NETRC="$trust_secrets/netrc"
fi

# An option for `uv build`, which has no variable for it.
XTASK_NO_INDEX=
case ${PIP_NO_INDEX:-} in
    1 | [Tt]* | [Yy]* | [Oo][Nn]) XTASK_NO_INDEX=--no-index ;;
esac
export XTASK_NO_INDEX

export PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
export PIP_PROGRESS_BAR=off UV_NO_PROGRESS=1
export PIP_CACHE_DIR="$XTASK_CACHE/pip" UV_CACHE_DIR="$XTASK_CACHE/uv"
# The cache and the layer are different file systems: links between them fail.
export UV_LINK_MODE=copy
# Only the `managed` provider overrides this.
export UV_PYTHON_DOWNLOADS=never

# A new cargo home for each step: its configuration can contain tokens. Downloads stay in the cache mount.
export CARGO_HOME="$trust_dir/cargo"
mkdir -p "$CARGO_HOME" "$XTASK_CACHE/cargo-registry"
ln -sfn "$XTASK_CACHE/cargo-registry" "$CARGO_HOME/registry"
if [ -f "$trust_secrets/cargo_config" ]; then
    cp "$trust_secrets/cargo_config" "$CARGO_HOME/config.toml"
fi

# redact: removes the user information from every URL of the standard input.
redact() {
    sed 's#://[^/@ ]*@#://****@#g'
}

# pip_home: prints the folder of the pinned pip in the cache. The cache keeps its bytecode, unlike the read-only
# /opt/toolchain: an emulated pip would spend most of its time compiling itself.
pip_home() {
    pip_kept=$XTASK_CACHE/pip-home-$(cat /opt/toolchain/pip-*.dist-info/RECORD | cksum | tr ' ' '-')
    if [ ! -d "$pip_kept" ]; then
        mkdir -p "$XTASK_CACHE"
        # mktemp, because the process has the same number in every container.
        pip_new=$(mktemp -d "$pip_kept.XXXXXX") || return
        if ! cp -R /opt/toolchain/pip /opt/toolchain/pip-*.dist-info "$pip_new"; then
            rm -rf "$pip_new"
            return 1
        fi
        # Another step can have created the folder meanwhile.
        mv -T "$pip_new" "$pip_kept" 2>/dev/null || rm -rf "$pip_new"
    fi
    echo "$pip_kept"
}
