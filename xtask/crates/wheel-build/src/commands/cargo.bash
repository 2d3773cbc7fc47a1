# Bash completes `cargo xtask` as words of `cargo`: send those of `xtask` here, and the others to cargo's own completion.
declare -F _cargo > /dev/null || source "$(rustc --print sysroot 2> /dev/null)/etc/bash_completion.d/cargo" 2> /dev/null
_xtask_or_cargo() {
    if [[ "${COMP_WORDS[1]}" == xtask && "${COMP_CWORD}" -gt 1 ]]; then
        _xtask "$@"
    elif declare -F _cargo > /dev/null; then
        _cargo "$@"
    fi
}
complete -F _xtask_or_cargo -o bashdefault -o default cargo
