# shellcheck shell=sh
# Sourced after trust.sh: one set of functions for three families of package managers. Only packages reach the layer.
# Lists and archives live in the cache mount $XTASK_CACHE.
# shellcheck disable=SC2154 # trust_dir and trust_secrets are trust.sh's

# pkg_family: the first of apt, dnf and apk that the image has.
pkg_family() {
    if command -v apt-get >/dev/null; then
        echo apt
    elif command -v dnf >/dev/null || command -v microdnf >/dev/null; then
        echo dnf
    elif command -v apk >/dev/null; then
        echo apk
    else
        echo "error: the image has none of apt-get, dnf, microdnf, apk" >&2
        return 1
    fi
}

# pkg_lock, pkg_unlock: one writer in the cache. The cache mount's own `sharing=locked` would last for a whole step, so
# that three interpreters would be compiled one after the other.
pkg_lock() {
    mkdir -p "$XTASK_CACHE"
    exec 9>"$XTASK_CACHE/packages.lock"
    if command -v flock >/dev/null; then
        flock 9
    fi
}
pkg_unlock() {
    exec 9>&-
}

# pkg_lock_lists -s|-x: apt reads (-s) or replaces (-x) the lists. Only apt installs without pkg_lock: dnf rewrites state
# files in its cache at each start, and apk takes seconds.
pkg_lock_lists() {
    mkdir -p "$XTASK_CACHE"
    exec 8>"$XTASK_CACHE/lists.lock"
    if command -v flock >/dev/null; then
        flock "$1" 8
    fi
}
pkg_unlock_lists() {
    exec 8>&-
}

# pkg_snapshot_url: SNAPSHOT_URL with the time SNAPSHOT filled in.
pkg_snapshot_url() {
    printf '%s\n' "$SNAPSHOT_URL" | sed "s/{time}/$SNAPSHOT/g"
}

# pkg_needs_url: fails if SNAPSHOT_URL, which this package manager requires, is empty.
pkg_needs_url() {
    [ -n "${SNAPSHOT_URL:-}" ] && return
    echo "error: this distribution's package manager knows no snapshots; set \`snapshot-url\` in \`[[target]]\`" >&2
    return 1
}

# pkg_rewrite PROGRAM FROM TO: runs awk with the template on a file of sources. The function `at` replaces `{archive}`.
pkg_rewrite() {
    awk -v template="$(pkg_snapshot_url)" '
        function at(archive,    url) {
            url = template
            gsub(/[{]archive[}]/, archive, url)
            return url
        }
        '"$1" "$2" >"$3"
}

# pkg_snapshot_conf: apt's configuration for packages of the time SNAPSHOT. With SNAPSHOT_URL it changes the addresses of
# the image's sources. Without it, apt uses the snapshots that it knows for the distribution.
pkg_snapshot_conf() {
    [ -n "${SNAPSHOT:-}" ] || return 0
    # Lists are valid for a few days only, and these are old.
    echo 'Acquire::Check-Valid-Until "false";'
    if [ -n "${SNAPSHOT_URL:-}" ]; then
        mkdir -p "$trust_dir/sources.list.d"
        for pkg_file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
            [ -f "$pkg_file" ] || continue
            # shellcheck disable=SC2016 # fields of awk
            pkg_rewrite '{
                line = ""
                while (match($0, /https?:[^] \t]+/)) {
                    archive = substr($0, RSTART, RLENGTH)
                    line = line substr($0, 1, RSTART - 1)
                    $0 = substr($0, RSTART + RLENGTH)
                    sub(/\/+$/, "", archive)
                    sub(/.*\//, "", archive)
                    line = line at(archive)
                }
                print line $0
            }' "$pkg_file" "$trust_dir/${pkg_file#/etc/apt/}"
        done
        echo "Dir::Etc::SourceList \"$trust_dir/sources.list\";"
        echo "Dir::Etc::SourceParts \"$trust_dir/sources.list.d\";"
    elif apt-config dump | grep -q '^Acquire::Snapshots'; then
        echo "APT::Snapshot \"$SNAPSHOT\";"
    else
        pkg_needs_url
    fi
}

# pkg_locked_conf: apt's configuration for the versions in LOCKED_PACKAGES, including dependencies. apt ignores a version
# that no source has. The comparison after the build reports it.
pkg_locked_conf() {
    [ -n "${LOCKED_PACKAGES:-}" ] || return 0
    {
        [ ! -f /etc/apt/preferences ] || cat /etc/apt/preferences
        printf '%s\n' "$LOCKED_PACKAGES" | awk '!/^#/ && (at = index($0, "=")) {
            printf "\nPackage: %s\nPin: version %s\nPin-Priority: 1001\n", substr($0, 1, at - 1), substr($0, at + 1)
        }'
    } >"$trust_dir/preferences"
    echo "Dir::Etc::Preferences \"$trust_dir/preferences\";"
}

# pkg_locked NAME: the version in LOCKED_PACKAGES; empty when there is none.
pkg_locked() {
    printf '%s\n' "${LOCKED_PACKAGES:-}" | awk -v name="$1=" 'index($0, name) == 1 { print substr($0, length(name) + 1) }'
}

# pkg_exact SEPARATOR NAME ...: the names, each with its locked version if a source has it. dnf and apk pin only these:
# dependencies come in their newest versions.
pkg_exact() {
    pkg_separator=$1
    shift
    for pkg_name; do
        pkg_wanted=$(pkg_locked "$pkg_name")
        if [ -n "$pkg_wanted" ] && pkg_has "$pkg_name" "$pkg_wanted"; then
            pkg_name=$pkg_name$pkg_separator$pkg_wanted
        fi
        echo "$pkg_name"
    done
}

# pkg_has NAME VERSION: whether a source has this version.
pkg_has() {
    case $(pkg_family) in
        dnf) pkg_dnf repoquery --quiet "$1-$2" 2>/dev/null | grep -qF -- "$2" ;;
        apk) pkg_apk policy "$1" | grep -qxF "  $2:" ;;
    esac
}

# pkg_apk COMMAND ...: apk with the cache, and the repositories of SNAPSHOT.
pkg_apk() {
    mkdir -p "$XTASK_CACHE/apk"
    pkg_command=$1
    shift
    if [ -n "${SNAPSHOT:-}" ]; then
        pkg_needs_url || return
        # shellcheck disable=SC2016 # fields of awk
        pkg_rewrite '/^(@[^ ]+ )?https?:/ {
            archive = $NF
            sub(/\/+$/, "", archive)
            if (match(archive, /[^\/]+\/[^\/]+$/)) archive = substr(archive, RSTART)
            $NF = at(archive)
        }
        { print }' /etc/apk/repositories "$trust_dir/repositories"
        set -- --repositories-file "$trust_dir/repositories" "$@"
    fi
    apk "$pkg_command" --cache-dir "$XTASK_CACHE/apk" "$@"
}

# pkg_dnf_repositories: the image's repositories with the addresses of SNAPSHOT, in $trust_dir/repos. `{archive}` is the part
# after the release.
pkg_dnf_repositories() {
    [ ! -d "$trust_dir/repos" ] || return 0
    mkdir -p "$trust_dir/repos"
    for pkg_file in /etc/yum.repos.d/*.repo; do
        # shellcheck disable=SC2016 # fields of awk, and variables of dnf
        pkg_rewrite '/^(mirrorlist|metalink)=/ { next }
        /^#?baseurl=.*[$]releasever\// {
            sub(/.*[$]releasever\//, "")
            $0 = "baseurl=" at($0)
        }
        { print }' "$pkg_file" "$trust_dir/repos/${pkg_file##*/}"
    done
}

# pkg_apt COMMAND ...: apt-get or apt-cache with the cache's folders and the host's configuration. Hooks of the official
# images empty apt's usual folders. They find nothing in these.
pkg_apt() {
    if [ ! -f "$trust_dir/apt.conf" ]; then
        mkdir -p "$XTASK_CACHE/apt/archives/partial" "$XTASK_CACHE/apt/lists/partial"
        {
            echo "Dir::Cache \"$XTASK_CACHE/apt\";"
            echo "Dir::Cache::Archives \"$XTASK_CACHE/apt/archives\";"
            echo "Dir::State::Lists \"$XTASK_CACHE/apt/lists\";"
            echo "Dir::Log \"$trust_dir/apt-log\";"
            echo 'Acquire::Retries "3";'
            echo 'Acquire::Languages "none";'
            echo 'APT::Install-Recommends "false";'
            # Without this, apt-get update exits with 0 if a list could not be fetched.
            echo 'APT::Update::Error-Mode "any";'
            echo 'Dpkg::Use-Pty "false";'
            echo "Dpkg::Options { \"--log=$trust_dir/dpkg.log\"; };"
            # Nobody can answer questions.
            echo '#clear DPkg::Pre-Install-Pkgs;'
            pkg_native_conf
            pkg_locked_conf
            pkg_snapshot_conf || exit
            if [ -n "${XTASK_CA:-}" ]; then
                echo "Acquire::https::CAInfo \"$XTASK_CA\";"
            fi
            if [ -f "$trust_secrets/apt_auth" ]; then
                echo "Dir::Etc::netrc \"$trust_secrets/apt_auth\";"
            fi
            if [ -f "$trust_secrets/apt_conf" ]; then
                cat "$trust_secrets/apt_conf"
            fi
        } >"$trust_dir/apt.conf"
        mkdir -p "$trust_dir/apt-log"
    fi
    pkg_command=$1
    shift
    if [ -e "$trust_dir/native" ] && [ -x "$pkg_native/$pkg_command" ]; then
        pkg_command=$pkg_native/$pkg_command
    fi
    DEBIAN_FRONTEND=noninteractive "$pkg_command" -c "$trust_dir/apt.conf" "$@"
}

# pkg_native_conf: apt's configuration where native programs (scripts/accelerate) replace apt and the programs that dpkg
# starts. dpkg itself, apt's downloads and the scripts of packages stay emulated.
pkg_native=/xtask-native/packages
pkg_native_conf() {
    if [ -e /xtask-native/accelerate.sh ] && sh /xtask-native/accelerate.sh packages; then
        : >"$trust_dir/native"
        echo "DPkg::Path \"$pkg_native:/usr/sbin:/usr/bin:/sbin:/bin\";"
    fi
}

# pkg_nothing_native: fails if a package recorded the path of a program in the mount.
pkg_nothing_native() {
    [ -e "$trust_dir/native" ] || return 0
    if "$pkg_native/grep" -rlsF /xtask-native/ /etc; then
        echo "error: a package recorded the path of a program that is only mounted during the build
hint: use --no-accelerate" >&2
        return 1
    fi
}

pkg_dnf() {
    pkg_tool=dnf
    command -v dnf >/dev/null || pkg_tool=microdnf
    # The cache keeps the archives; weak dependencies and documents would double the layer.
    set -- --setopt=keepcache=1 --setopt="cachedir=$XTASK_CACHE/dnf" \
        --setopt=install_weak_deps=0 --setopt=tsflags=nodocs "$@"
    if [ -n "${XTASK_CA:-}" ]; then
        set -- --setopt="sslcacert=$XTASK_CA" "$@"
    fi
    if [ -n "${SNAPSHOT:-}" ]; then
        pkg_needs_url || return
        pkg_dnf_repositories
        set -- --setopt="reposdir=$trust_dir/repos" "$@"
    fi
    "$pkg_tool" -y "$@"
}

# pkg_again COMMAND ...: runs a download up to three times. apt (as configured), pip, uv and cargo retry by themselves. dnf
# fails if its only mirror answers 503.
pkg_again() {
    for pkg_pause in 1 3; do
        ! "$@" || return 0
        echo "failed, retry in $pkg_pause s: $1" >&2
        sleep "$pkg_pause"
    done
    "$@"
}

# reached LOG, unreachable LOG: whether the host of a failed download answered, and whether it is unreachable. A host that
# refuses (401, 403, 407, 429, a certificate) is an error and not skipped. URLs are ignored: they can contain any word.
without_urls() {
    sed 's#[a-z+]*://[^ )`]*#URL#g' "$1"
}
reached() {
    without_urls "$1" | grep -qiE '(^|[^0-9])(40[137]|429) +[a-z]|proxy auth|certificate|GPG error|not signed'
}
unreachable() {
    ! reached "$1" && without_urls "$1" | grep -qiE "error sending request|(tcp connect|dns|dns lookup|network) error|\
timed out|network connectivity is disabled|(could not|couldn't|unable to|failed to) (connect|resolve)|\
temporary (failure|error)|cannot initiate the connection|connection (failed|refused)|network is unreachable|\
curl error \((6|7|28)\)|no answer within|name or service not known|no route to host"
}

# pkg_refresh: updates the package lists, unless another step did within the last hour.
pkg_refresh() {
    case $(pkg_family) in
        apt)
            # Other sources in the same cache have other lists.
            pkg_fresh=$XTASK_CACHE/apt/fresh-$({
                cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || :
                echo "${SNAPSHOT:-} ${SNAPSHOT_URL:-}"
            } | cksum | tr ' ' '-')
            if [ -z "$(find "$pkg_fresh" -mmin -60 2>/dev/null)" ]; then
                # An update removes the lists of other sources.
                rm -f "$XTASK_CACHE"/apt/fresh-*
                pkg_lock_lists -x
                pkg_apt apt-get -q update || {
                    pkg_unlock_lists
                    return 1
                }
                pkg_unlock_lists
                touch "$pkg_fresh" "$trust_dir/apt-updated"
            fi
            ;;
        # `apk policy` reads the cache and fetches nothing.
        apk)
            if [ ! -f "$trust_dir/apk-updated" ]; then
                pkg_again pkg_apk update --quiet || return
                touch "$trust_dir/apk-updated"
            fi
            ;;
        # dnf refreshes by itself.
        *) ;;
    esac
}

# pkg_apt_download NAME ...: retries with new lists if the lists name files that the mirror no longer has.
pkg_apt_download() {
    pkg_refresh || return
    if ! pkg_apt apt-get -q install --yes --download-only "$@"; then
        [ ! -f "$trust_dir/apt-updated" ] || return 1
        rm -f "$pkg_fresh"
        echo "retry with new package lists"
        pkg_refresh && pkg_apt apt-get -q install --yes --download-only "$@"
    fi
}

# pkg_apt_install NAME ...: releases the lock after the downloads, because other steps would wait for minutes where dpkg is
# emulated. apt's own lock of the archives would last as long. dpkg's lock is not shared.
pkg_apt_install() {
    pkg_apt_download "$@" || return
    pkg_lock_lists -s
    pkg_unlock
    pkg_apt apt-get -q -o Debug::NoLocking=true install --yes "$@" || {
        pkg_unlock_lists
        return 1
    }
    pkg_unlock_lists
}

# pkg_install NAME ...: upgrades no installed package.
pkg_install() {
    [ $# -gt 0 ] || return 0
    pkg_lock
    pkg_status=0
    case $(pkg_family) in
        apt)
            { pkg_apt_install "$@" && pkg_nothing_native; } || pkg_status=$?
            # dpkg and ldconfig leave dated logs and caches: noise in a layer.
            rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/cache/ldconfig/aux-cache
            ;;
        dnf)
            # shellcheck disable=SC2046 # words on purpose
            set -- $(pkg_exact - "$@")
            pkg_again pkg_dnf install "$@" || pkg_status=$?
            rm -rf /var/log/dnf* /var/log/hawkey.log
            ;;
        apk)
            # A name that does not resolve needs no retry.
            # shellcheck disable=SC2046 # words on purpose
            {
                pkg_refresh &&
                    set -- $(pkg_exact "=" "$@") &&
                    pkg_apk add --simulate --quiet "$@" &&
                    pkg_again pkg_apk add --no-progress "$@"
            } || pkg_status=$?
            ;;
    esac
    pkg_unlock
    return "$pkg_status"
}

# pkg_candidate NAME: the version that would be installed, or nothing. Fails with the package manager's message if it fails.
# Holds the lock, because another step may write the lists.
pkg_candidate() (
    pkg_lock
    pkg_output=$trust_dir/candidate
    pkg_kind=$(pkg_family) || exit
    case $pkg_kind in
        apt) pkg_apt apt-cache policy "$1" ;;
        dnf)
            # microdnf has no --qf: it prints NAME-[EPOCH:]VERSION-RELEASE.ARCH.
            if command -v dnf >/dev/null; then
                pkg_again pkg_dnf repoquery --quiet --latest-limit=1 --qf '%{version}-%{release}\n' "$1"
            else
                pkg_kind=microdnf
                pkg_again pkg_dnf repoquery "$1"
            fi
            ;;
        apk) pkg_apk policy "$1" ;;
    esac >"$pkg_output" 2>"$pkg_output.err" || {
        # An unknown name makes some versions of dnf fail and others print nothing.
        case $pkg_kind in
            *dnf) ! grep -qiE 'no (package|match)|unable to find a match' "$pkg_output.err" || exit 0 ;;
        esac
        redact <"$pkg_output.err" | tail -n 5 >&2
        exit 1
    }
    case $pkg_kind in
        apt) awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }' "$pkg_output" ;;
        dnf) awk 'NF { last = $1 } END { if (last) print last }' "$pkg_output" ;;
        microdnf)
            awk -v name="$1-" '
                index($1, name) == 1 && (rest = substr($1, length(name) + 1)) ~ /^[0-9]/ {
                    sub(/\.[^.]*$/, "", rest)
                    sub(/^[0-9]+:/, "", rest)
                    last = rest
                }
                END { if (last) print last }' "$pkg_output"
            ;;
        apk) awk '/^  [0-9]/ { sub(/:$/, "", $1); print $1; exit }' "$pkg_output" ;;
    esac
)

# pkg_version NAME: the installed version.
pkg_version() {
    # shellcheck disable=SC2016 # dpkg-query's own variable
    case $(pkg_family) in
        apt) dpkg-query --show --showformat='${Version}\n' "$1" ;;
        dnf) rpm -q --qf '%{VERSION}-%{RELEASE}\n' "$1" ;;
        apk) apk list --installed "$1" 2>/dev/null | awk -v name="$1-" 'NR == 1 { print substr($1, length(name) + 1) }' ;;
    esac
}

# pkg_owner FILE: the package that installed FILE. Fails if none did.
pkg_owner() {
    case $(pkg_family) in
        apt)
            # With /lib merged into /usr/lib the database may know either name.
            { dpkg-query --search "$1" 2>/dev/null ||
                dpkg-query --search "${1#/usr}" 2>/dev/null ||
                dpkg-query --search "/usr$1" 2>/dev/null; } |
                awk -F: 'NR == 1 { print $1; found = 1 } END { exit !found }'
            ;;
        # Without an owner, rpm prints a sentence on stdout.
        dnf) pkg_names=$(rpm -qf --qf '%{NAME}\n' "$1") && echo "$pkg_names" ;;
        apk) apk info --quiet --who-owns "$1" | sed 's/-[0-9][^-]*-r[0-9]*$//' ;;
    esac
}

# pkg_runtime FOLDER: sorted names of the packages with the shared libraries that programs and modules under FOLDER load,
# except libraries in FOLDER.
pkg_runtime() {
    find "$1" -type f \( -name '*.so*' -o -path '*/bin/*' \) -exec ldd {} \; 2>/dev/null |
        awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' |
        sort -u | while read -r pkg_library; do
        pkg_library=$(readlink -f "$pkg_library")
        case $pkg_library in
            "$1"/*) ;;
            *) pkg_owner "$pkg_library" || echo "note: no package owns $pkg_library" >&2 ;;
        esac
    done | sort -u
}

# image_python: the newest CPython from 3.9 to 3.14 with pip that the base image has outside of its packages. Fails without
# one. Unreleased versions are left out, because modules may be missing.
image_python() {
    for py_minor in 14 13 12 11 10 9; do
        set -- "$@" "/opt/python/cp3$py_minor-cp3$py_minor/bin/python"
    done
    for py_program in "$@" /usr/local/bin/python3; do
        [ -x "$py_program" ] || continue
        if "$py_program" -c 'import sys
from importlib.util import find_spec
sys.exit(sys.version_info < (3, 9) or find_spec("pip") is None)' 2>/dev/null; then
            echo "$py_program"
            return
        fi
    done
    return 1
}

# py_config FILE ...: provides the first existing program as `python3-config` of the interpreter in PY_HOME. Not as a link:
# the program searches headers and libraries beside the folder of its own path.
py_config() {
    for py_program in "$@"; do
        [ -x "$py_program" ] || continue
        for py_name in python3-config "python$PY_SERIES-config"; do
            printf '#!/bin/sh\nexec %s "$@"\n' "$py_program" >"$PY_HOME/bin/$py_name"
            chmod 755 "$PY_HOME/bin/$py_name"
        done
        return
    done
}
