# shellcheck shell=sh
# Sourced by every step that reaches the network: turns the optional build
# secrets into environment, so that the container trusts what the host trusts
# and uses the indexes the host uses.
#
# A step that sources this mounts a tmpfs on /tmp. Whatever is derived from a
# secret lives in the environment or there, so that no layer can hold it, and
# nothing here prints a value: do not `set -x` in a script that sources this.

trust_secrets=/run/secrets
trust_dir=/tmp/xtask-trust
mkdir -p "$trust_dir"
chmod 700 "$trust_dir"

# Everything that may be kept between builds but not in a layer lies in this
# cache mount; a build without it works too, only slower.
XTASK_CACHE=${XTASK_CACHE:-/var/cache/xtask}
export XTASK_CACHE

# The values are taken as they stand, without any shell expansion, and only for
# names that the tools in here are known to read: a settings file can neither run
# code nor change PATH or LD_PRELOAD. The host sends exactly these (`engine::host::names`),
# and has already told pip and uv of each other's indexes.
if [ -f "$trust_secrets/settings" ]; then
    # `|| [ -n ... ]` also reads a last line that has no newline.
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
                # The name is one of the above, so `export` sees no surprise.
                export "${trust_line%%=*}=${trust_line#*=}"
                ;;
        esac
    done <"$trust_secrets/settings"
    unset trust_line
fi

if [ -f "$trust_secrets/ca" ]; then
    XTASK_CA=$trust_secrets/ca
    export XTASK_CA
    # One variable for each library that might open a connection: OpenSSL and
    # everything on it (uv included), pip and requests, curl, git, cargo, node's
    # build tools, and apk's libfetch.
    export SSL_CERT_FILE="$XTASK_CA" PIP_CERT="$XTASK_CA" REQUESTS_CA_BUNDLE="$XTASK_CA" \
        CURL_CA_BUNDLE="$XTASK_CA" GIT_SSL_CAINFO="$XTASK_CA" CARGO_HTTP_CAINFO="$XTASK_CA" \
        NODE_EXTRA_CA_CERTS="$XTASK_CA" SSL_CA_CERT_FILE="$XTASK_CA"
fi

if [ -f "$trust_secrets/netrc" ]; then
    export NETRC="$trust_secrets/netrc"
fi

# For uv, whose builds have no variable for it: an option, or nothing.
XTASK_NO_INDEX=
case ${PIP_NO_INDEX:-} in
    1 | [Tt]* | [Yy]* | [Oo][Nn]) XTASK_NO_INDEX=--no-index ;;
esac
export XTASK_NO_INDEX

# Nothing asks questions in a build, and pip's advice about root or newer versions
# is noise there.
export PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
export PIP_PROGRESS_BAR=off UV_NO_PROGRESS=1
export PIP_CACHE_DIR="$XTASK_CACHE/pip" UV_CACHE_DIR="$XTASK_CACHE/uv"
# The cache is another file system than the layer: links cannot work.
export UV_LINK_MODE=copy
# uv may install an interpreter only where the `managed` provider says so itself.
export UV_PYTHON_DOWNLOADS=never

# cargo's home is made anew for each step, so that the configuration and its
# tokens vanish with it; what it downloads stays in the cache mount.
export CARGO_HOME="$trust_dir/cargo"
mkdir -p "$CARGO_HOME" "$XTASK_CACHE/cargo-registry"
ln -sfn "$XTASK_CACHE/cargo-registry" "$CARGO_HOME/registry"
if [ -f "$trust_secrets/cargo_config" ]; then
    cp "$trust_secrets/cargo_config" "$CARGO_HOME/config.toml"
fi

# redact: takes out the user information of every URL that passes through.
redact() {
    sed 's#://[^/@ ]*@#://****@#g'
}

# pip_home: the folder of the pinned pip, in the cache: its bytecode can stay there, which a read-only
# /opt/toolchain cannot hold. An emulated pip spends most of its time on compiling itself otherwise.
pip_home() {
    pip_kept=$XTASK_CACHE/pip-home-$(cat /opt/toolchain/pip-*.dist-info/RECORD | cksum | tr ' ' '-')
    if [ ! -d "$pip_kept" ]; then
        mkdir -p "$XTASK_CACHE"
        # Not named after the process: in every container it has the same number.
        pip_new=$(mktemp -d "$pip_kept.XXXXXX") || return
        if ! cp -R /opt/toolchain/pip /opt/toolchain/pip-*.dist-info "$pip_new"; then
            rm -rf "$pip_new"
            return 1
        fi
        # Another step may have been faster.
        mv -T "$pip_new" "$pip_kept" 2>/dev/null || rm -rf "$pip_new"
    fi
    echo "$pip_kept"
}
