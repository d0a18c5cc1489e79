# What stands on this board. It only looks; all of it is one answer, which ends with 'end'.

# shellcheck disable=SC2012 # the names in the folders that are listed are ours
listing() {
    for tree in bundles/*; do
        [ ! -d "$tree" ] || echo "bundle ${tree#bundles/}"
    done
    ls -l cells runs/*/cells runs/current/leases 2> /dev/null | sed -n \
        -e 's|.* \([^ ]*\) -> \.\./bundles/|cell \1 |p' \
        -e 's|.* -> \.\./\.\./\.\./bundles/|held |p' \
        -e 's|.* [0-9]* -> \([0-9.a-f-]* [0-9.]*\)$|lease \1|p' |
        while read -r kind rest; do
            if [ "$kind" = lease ] && alive "${rest% *}"; then # a benchmark is at work, and whose
                kind=busy rest=$(sed -n 's/^owner //p' runs/current/settings 2> /dev/null)
            fi
            echo "$kind $rest"
        done
    echo end
}

glance() { # what a deploy asks first; nothing is looked at where nothing was ever deployed
    if [ -z "$fresh" ] && [ -d objects ]; then
        listing
        return
    fi
    echo fresh
    command -v zstd > /dev/null && echo zstd
    echo end
}
