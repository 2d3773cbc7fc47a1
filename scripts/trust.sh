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
# code nor change PATH or LD_PRELOAD.
if [ -f "$trust_secrets/settings" ]; then
    # `|| [ -n ... ]` also reads a last line that has no newline.
    while IFS= read -r trust_line || [ -n "$trust_line" ]; do
        case ${trust_line%%=*} in
            http_proxy | https_proxy | ftp_proxy | no_proxy | all_proxy | \
                HTTP_PROXY | HTTPS_PROXY | FTP_PROXY | NO_PROXY | ALL_PROXY | \
                PIP_INDEX_URL | PIP_EXTRA_INDEX_URL | PIP_TRUSTED_HOST | PIP_FIND_LINKS | \
                PIP_NO_INDEX | PIP_PROXY | PIP_DEFAULT_TIMEOUT | PIP_TIMEOUT | PIP_RETRIES | \
                UV_DEFAULT_INDEX | UV_INDEX | UV_INDEX_* | UV_EXTRA_INDEX_URL | UV_FIND_LINKS | \
                UV_INSECURE_HOST | UV_NO_INDEX | UV_OFFLINE | \
                UV_HTTP_TIMEOUT | UV_HTTP_RETRIES | \
                UV_PYTHON_INSTALL_MIRROR | UV_PYPY_INSTALL_MIRROR | UV_PYTHON_DOWNLOADS_JSON_URL | \
                PYTHON_SOURCE_MIRROR | \
                RUSTUP_DIST_SERVER | RUSTUP_UPDATE_ROOT | \
                CARGO_HTTP_* | CARGO_NET_* | CARGO_REGISTRIES_* | CARGO_REGISTRY_* | CARGO_SOURCE_*)
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

# pip_setting NAME: the value of NAME in the host's pip.conf, several lines joined
# by blanks. [install] and [download] outrank [global], as in pip.
trust_pip_setting() {
    awk -v want="$1" '
        /^[ \t]*[#;]/ { next }
        /^\[/ { section = $0; gsub(/[][ \t\r]/, "", section); key = ""; next }
        /^[ \t]/ { if (key == want) { sub(/^[ \t]+/, ""); found[section] = found[section] " " $0 } next }
        {
            split_at = match($0, /[=:]/)
            if (!split_at) next
            key = substr($0, 1, split_at - 1)
            gsub(/[ \t]/, "", key); gsub(/_/, "-", key)
            if (key != want) next
            value = substr($0, split_at + 1)
            sub(/^[ \t]+/, "", value); sub(/[ \t\r]+$/, "", value)
            found[section] = value
        }
        END {
            out = ("install" in found) ? found["install"] : ("download" in found) ? found["download"] : found["global"]
            sub(/^[ \t]+/, "", out)
            print out
        }' "$trust_secrets/pip_conf"
}

if [ -f "$trust_secrets/pip_conf" ]; then
    export PIP_CONFIG_FILE="$trust_secrets/pip_conf"
    : "${PIP_INDEX_URL:=$(trust_pip_setting index-url)}"
    : "${PIP_EXTRA_INDEX_URL:=$(trust_pip_setting extra-index-url)}"
    : "${PIP_TRUSTED_HOST:=$(trust_pip_setting trusted-host)}"
    : "${PIP_FIND_LINKS:=$(trust_pip_setting find-links)}"
    : "${PIP_NO_INDEX:=$(trust_pip_setting no-index)}"
fi

# uv reads neither pip.conf nor pip's variables, and an index that only pip knows
# would make the two disagree about where a package comes from.
if [ -n "${PIP_INDEX_URL:-}" ]; then
    export PIP_INDEX_URL
    if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
        export UV_DEFAULT_INDEX="$PIP_INDEX_URL"
    fi
else
    unset PIP_INDEX_URL
fi
if [ -n "${PIP_EXTRA_INDEX_URL:-}" ]; then
    export PIP_EXTRA_INDEX_URL
    if [ -z "${UV_INDEX:-}${UV_EXTRA_INDEX_URL:-}" ]; then
        export UV_INDEX="$PIP_EXTRA_INDEX_URL"
        # pip takes the best version of all indexes; uv's default would stop at the
        # first index that knows the name at all.
        export UV_INDEX_STRATEGY="${UV_INDEX_STRATEGY:-unsafe-best-match}"
    fi
else
    unset PIP_EXTRA_INDEX_URL
fi
if [ -n "${PIP_TRUSTED_HOST:-}" ]; then
    export PIP_TRUSTED_HOST
    : "${UV_INSECURE_HOST:=$PIP_TRUSTED_HOST}"
    export UV_INSECURE_HOST
else
    unset PIP_TRUSTED_HOST
fi
if [ -n "${PIP_FIND_LINKS:-}" ]; then
    export PIP_FIND_LINKS
    # pip separates them by blanks, uv by commas.
    : "${UV_FIND_LINKS:=$(printf '%s' "$PIP_FIND_LINKS" | tr -s ' \t\n' ',')}"
    export UV_FIND_LINKS
else
    unset PIP_FIND_LINKS
fi

# For uv, which has no variable for it: an option, or nothing.
XTASK_NO_INDEX=
case ${PIP_NO_INDEX:-} in
    1 | [Tt]* | [Yy]* | [Oo][Nn])
        export PIP_NO_INDEX
        XTASK_NO_INDEX=--no-index
        ;;
    *) unset PIP_NO_INDEX ;;
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
