# What stands on this board. It only looks; all of it is one answer, which ends with 'end'.

# shellcheck disable=SC2012 # the names in the folders that are listed are ours
listing() {
    for tree in bundles/*; do
        [ ! -d "$tree" ] || echo "bundle ${tree#bundles/}"
    done
    ls -ln cells runs/*/cells 2> /dev/null | sed -n \
        -e 's|.* \([^ ]*\) -> \.\./bundles/|cell \1 |p' \
        -e 's|.* -> \.\./\.\./\.\./bundles/|held |p'
    [ ! -d runs/current/leases ] || leases
    echo end
}

leases() { # is a benchmark at work, and whose
    ls -ln runs/current/leases 2> /dev/null | sed -n 's|.* [0-9]* -> \([0-9.a-f-]* [0-9.]*\)$|\1|p' |
        while read -r holder rest; do
            ! alive "$holder" || echo "busy $(sed -n 's/^owner //p' runs/current/settings 2> /dev/null)"
        done
}

glance() { # what a deploy asks first; nothing is looked at where nothing was ever deployed
    if [ -z "$fresh" ] && { [ -d objects ] || [ -d tmp ]; }; then
        listing
        return
    fi
    echo fresh
    command -v zstd > /dev/null && echo zstd
    echo end
}

hello() {
    brief 2> /dev/null
    echo end=1
    glance
}

greet() { # what a deploy asks first: what the board is, and what stands there; plain where SSH packs
    if [ "${1-}" = plain ]; then
        answer=$(hello)
        printf '%s\n' "$answer" # at once: sshd wraps each write
    else
        hello | gzip -c
    fi
}
