# shellcheck shell=sh
# Sourced: one set of words for the three families of package managers.
# Needs trust.sh sourced before. Nothing but packages reaches the layer: lists and
# archives live in the cache mount $XTASK_CACHE.
# shellcheck disable=SC2154 # trust_dir and trust_secrets are trust.sh's

# pkg_family: apt, dnf or apk, by what the image has.
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

# pkg_lock, pkg_unlock: package managers keep one writer in the cache. A lock held
# here, and not the cache mount's own `sharing=locked`, because that one would last
# for a whole step: three interpreters would then be compiled one after the other.
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

# pkg_lock_lists -s|-x: apt reads (-s) or replaces (-x) the lists. Only apt installs without pkg_lock: dnf
# rewrites state files in its cache at each start, and apk is done in seconds.
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

# pkg_needs_url: fails where SNAPSHOT has no SNAPSHOT_URL, which this package manager cannot do without.
pkg_needs_url() {
    [ -n "${SNAPSHOT_URL:-}" ] && return
    echo "error: this distribution's package manager knows no snapshots; set \`snapshot-url\` in \`[[target]]\`" >&2
    return 1
}

# pkg_rewrite PROGRAM FROM TO: runs awk with the template on a file of sources. `{archive}` is filled in by
# the function `at`.
pkg_rewrite() {
    awk -v template="$(pkg_snapshot_url)" '
        function at(archive,    url) {
            url = template
            gsub(/[{]archive[}]/, archive, url)
            return url
        }
        '"$1" "$2" >"$3"
}

# pkg_snapshot_conf: apt's configuration for packages of the time SNAPSHOT. With SNAPSHOT_URL the image's own
# sources with other addresses, else what apt itself knows of the distribution's snapshots.
pkg_snapshot_conf() {
    [ -n "${SNAPSHOT:-}" ] || return 0
    # Lists of old packages are valid for some days only.
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

# pkg_locked_conf: apt's configuration for the versions in LOCKED_PACKAGES, of dependencies, too. A version that
# no source has is ignored: the difference is found afterwards.
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

# pkg_exact SEPARATOR NAME ...: the names, each with its locked version where a source has that. dnf and apk pin
# nothing else: what these packages need comes in the newest version.
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

# pkg_has NAME VERSION: whether a source has this very version.
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

# pkg_dnf_repositories: the image's repositories with the addresses of SNAPSHOT, in $trust_dir/repos; `{archive}`
# is what stands after the release.
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

# pkg_apt COMMAND ...: apt-get or apt-cache with the cache's folders and the host's
# configuration. The official images' clean-up hooks empty apt's usual folders; with
# folders of our own they find nothing to delete and need no switching off.
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
            # Without this apt-get update exits 0 when a list could not be fetched.
            echo 'APT::Update::Error-Mode "any";'
            echo 'Dpkg::Use-Pty "false";'
            echo "Dpkg::Options { \"--log=$trust_dir/dpkg.log\"; };"
            # Nobody is there to be asked.
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

# pkg_native_conf: apt's configuration where native programs (scripts/accelerate) stand in for apt and for
# what dpkg starts. dpkg itself, apt's downloads and the scripts of packages stay emulated.
pkg_native=/xtask-native/packages
pkg_native_conf() {
    if [ -e /xtask-native/accelerate.sh ] && sh /xtask-native/accelerate.sh packages; then
        : >"$trust_dir/native"
        echo "DPkg::Path \"$pkg_native:/usr/sbin:/usr/bin:/sbin:/bin\";"
    fi
}

# pkg_nothing_native: fails where a package wrote down where it found a program of the mount.
pkg_nothing_native() {
    [ -e "$trust_dir/native" ] || return 0
    if "$pkg_native/grep" -rlsF /xtask-native/ /etc; then
        echo "error: a package remembers a program that is only mounted here; use --no-accelerate" >&2
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

# pkg_again COMMAND ...: up to three times, for what downloads and does not retry by itself. apt is
# configured to, pip, uv and cargo do by default; dnf gives up where its only mirror answers 503.
pkg_again() {
    for pkg_pause in 1 3; do
        ! "$@" || return 0
        echo "failed, once more in $pkg_pause s: $1" >&2
        sleep "$pkg_pause"
    done
    "$@"
}

# reached LOG, unreachable LOG: whether the host of a download that failed answered, and whether nobody
# reaches it. A host that refuses (401, 403, 407, 429, a certificate) is a failure to report, and no
# reason to do without it. Addresses do not count: they can hold any word.
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

# pkg_refresh: brings the package lists up to date; within an hour, those of another step are.
pkg_refresh() {
    case $(pkg_family) in
        apt)
            # Other sources in the same cache are other lists.
            pkg_fresh=$XTASK_CACHE/apt/fresh-$({
                cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || :
                echo "${SNAPSHOT:-} ${SNAPSHOT_URL:-}"
            } | cksum | tr ' ' '-')
            if [ -z "$(find "$pkg_fresh" -mmin -60 2>/dev/null)" ]; then
                # Those of other sources vanish with an update.
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
        # `apk policy` knows what is in the cache, and fetches nothing.
        apk)
            if [ ! -f "$trust_dir/apk-updated" ]; then
                pkg_again pkg_apk update --quiet || return
                touch "$trust_dir/apk-updated"
            fi
            ;;
        # dnf looks for itself.
        *) ;;
    esac
}

# pkg_apt_download NAME ...: once more with new lists where those at hand name what is gone.
pkg_apt_download() {
    pkg_refresh || return
    if ! pkg_apt apt-get -q install --yes --download-only "$@"; then
        [ ! -f "$trust_dir/apt-updated" ] || return 1
        rm -f "$pkg_fresh"
        echo "once more, with new package lists"
        pkg_refresh && pkg_apt apt-get -q install --yes --download-only "$@"
    fi
}

# pkg_apt_install NAME ...: gives up the lock after the downloads, since other steps would wait for minutes
# where dpkg is emulated. apt's own lock of the archives would last as long; that of dpkg is not shared.
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

# pkg_install NAME ...: no upgrade of what is already there.
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
            # What cannot be resolved is not asked for again.
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

# pkg_candidate NAME: the version that would be installed; empty when there is none. Fails, with the
# package manager's words, when it cannot tell. Under the lock: another step may write the lists.
pkg_candidate() (
    pkg_lock
    pkg_said=$trust_dir/candidate
    pkg_kind=$(pkg_family) || exit
    case $pkg_kind in
        apt) pkg_apt apt-cache policy "$1" ;;
        dnf)
            # microdnf knows no formats: it says NAME-[EPOCH:]VERSION-RELEASE.ARCH.
            if command -v dnf >/dev/null; then
                pkg_again pkg_dnf repoquery --quiet --latest-limit=1 --qf '%{version}-%{release}\n' "$1"
            else
                pkg_kind=microdnf
                pkg_again pkg_dnf repoquery "$1"
            fi
            ;;
        apk) pkg_apk policy "$1" ;;
    esac >"$pkg_said" 2>"$pkg_said.err" || {
        # An unknown name makes some versions of dnf fail and others print nothing.
        case $pkg_kind in
            *dnf) ! grep -qiE 'no (package|match)|unable to find a match' "$pkg_said.err" || exit 0 ;;
        esac
        redact <"$pkg_said.err" | tail -n 5 >&2
        exit 1
    }
    case $pkg_kind in
        apt) awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }' "$pkg_said" ;;
        dnf) awk 'NF { last = $1 } END { if (last) print last }' "$pkg_said" ;;
        microdnf)
            awk -v name="$1-" '
                index($1, name) == 1 && (rest = substr($1, length(name) + 1)) ~ /^[0-9]/ {
                    sub(/\.[^.]*$/, "", rest)
                    sub(/^[0-9]+:/, "", rest)
                    last = rest
                }
                END { if (last) print last }' "$pkg_said"
            ;;
        apk) awk '/^  [0-9]/ { sub(/:$/, "", $1); print $1; exit }' "$pkg_said" ;;
    esac
)

# pkg_version NAME: the version that is installed.
pkg_version() {
    # shellcheck disable=SC2016 # dpkg-query's own variable
    case $(pkg_family) in
        apt) dpkg-query --show --showformat='${Version}\n' "$1" ;;
        dnf) rpm -q --qf '%{VERSION}-%{RELEASE}\n' "$1" ;;
        apk) apk list --installed "$1" 2>/dev/null | awk -v name="$1-" 'NR == 1 { print substr($1, length(name) + 1) }' ;;
    esac
}

# pkg_owner FILE: the package that installed FILE; fails when none did.
pkg_owner() {
    case $(pkg_family) in
        apt)
            # With /lib merged into /usr/lib the database may know either name.
            { dpkg-query --search "$1" 2>/dev/null ||
                dpkg-query --search "${1#/usr}" 2>/dev/null ||
                dpkg-query --search "/usr$1" 2>/dev/null; } |
                awk -F: 'NR == 1 { print $1; found = 1 } END { exit !found }'
            ;;
        # It says on stdout that there is none, which is no name.
        dnf) pkg_names=$(rpm -qf --qf '%{NAME}\n' "$1") && echo "$pkg_names" ;;
        apk) apk info --quiet --who-owns "$1" | sed 's/-[0-9][^-]*-r[0-9]*$//' ;;
    esac
}

# pkg_runtime FOLDER: names, sorted, of the packages that own the shared libraries
# which the programs and modules under FOLDER load, those in FOLDER itself aside.
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

# image_python: the newest CPython, from 3.9 on and with pip, that the base image has outside of its packages;
# fails where it has none. No newer one: what is not released yet may lack a module.
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

# py_config FILE ...: provides the first program that is there as `python3-config` of the interpreter in
# PY_HOME. Not as a link: it looks for headers and libraries beside the folder that it was called in.
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
