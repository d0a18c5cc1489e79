# How content comes to this board, is put together to bundles and switched on, and goes.
# An object's name is its sha256, with '.x' when it is executable. No process is started for each
# object: on a small board they would take longer than the content.

brought() { # FOLDER: sets $brought to its files that are named like objects; the rest stays there
    brought=
    for file in "$1"/*; do
        name=${file##*/}
        stem=${name%.x}
        case $stem in *[!0-9a-f]*) continue ;; esac
        if [ "${#stem}" = 64 ] && [ -f "$file" ] && [ ! -L "$file" ]; then
            brought="$brought $file"
        fi
    done
}

judge() { # FILES: sets $good and $bad, by whether they are what they are called
    good='' bad=''
    [ $# -gt 0 ] || return 0
    # shellcheck disable=SC2046 # 'SUM PATH' again and again
    set -- $(sha256sum "$@")
    while [ $# -gt 1 ]; do
        name=${2##*/}
        if [ "$1" = "${name%.x}" ]; then good="$good $2"; else bad="$bad $2"; fi
        shift 2
    done
}

size() { # FILE
    if [ -f "$1" ]; then wc -c < "$1"; else echo 0; fi
}

beginning() { # NAME OFFSET FILE: the first bytes of an object, from where the survey saw them
    [ "$(size "parts/$1")" -eq "$2" ] && mv "parts/$1" "$3" 2> /dev/null && return
    for part in tmp/*/in/"$1"; do
        [ "$(size "$part")" -ge "$2" ] && head -c "$2" "$part" > "$3" && return
    done
    echo "the first $2 bytes of $1 are gone" >&2
}

join() { # FOLDER: each rest NAME.OFFSET in it is put behind what it goes on from
    for rest in "$1"/*.[0-9]*; do
        if [ ! -f "$rest" ] || [ -L "$rest" ]; then continue; fi
        name=${rest##*/}
        offset=${name##*.} name=${name%.*}
        whole=$1/$name
        [ -f "$whole" ] || beginning "$name" "$offset" "$whole"
        # Killed in the middle and called again, it finds another size and leaves it.
        if [ "$(size "$whole")" -eq "$offset" ]; then
            chmod u+w "$whole" && cat "$rest" >> "$whole"
            case $name in *.x) chmod 555 "$whole" ;; *) chmod 444 "$whole" ;; esac
        fi
        rm -f "$rest"
    done
}

# shellcheck disable=SC2086 # words: no path that 'brought' lets through has a space
keep() { # FOLDER: what a cut stream brought, to go on from
    join "$1"
    brought "$1"
    [ -z "$brought" ] || mv -f $brought parts/
}

working() { # OWNER: is that push still at it? One whose stream was cut ends by itself in a moment
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        alive "$1" || return 1
        [ -e "tmp/$1/torn" ] || return 0
        sleep 1
    done
}

rescue() { # what dead pushes left
    for folder in tmp/*; do
        if [ ! -d "$folder" ] || working "${folder#tmp/}"; then continue; fi
        claim || exit
        mv "$folder" "$work/dead" 2> /dev/null || continue # another rescuer was quicker
        [ ! -d "$work/dead/in" ] || keep "$work/dead/in"
        rm -rf "$work/dead"
    done
    [ ! -d "$work" ] || rm -rf "$work"
}

verify() { # objects that are not what they are called are removed
    set --
    for name in $names; do
        [ ! -f "objects/$name" ] || set -- "$@" "objects/$name"
    done
    judge "$@"
    for file in $bad; do
        rm -f "$file" && echo "corrupt ${file##*/}"
    done
}

present() { # of the objects named: which are here, and what there is of the others
    set --
    for name in $names; do
        if [ -f "objects/$name" ]; then echo "have $name"; continue; fi
        # a living push's too: when its link is dead, sshd may not know for hours
        for part in "parts/$name" tmp/*/in/"$name"; do
            [ ! -f "$part" ] || set -- "$@" "$part"
        done
    done
    [ $# -gt 0 ] || return 0
    wc -c "$@" | sed 's/^ */size /'
    sha256sum "$@" | sed 's/^/sum /'
}

survey() { # names on stdin; 'dry' writes nothing, 'verify' reads all content that is here
    names=$(cat)
    if [ "${1-}" != dry ]; then
        mkdir -p objects parts bundles cells runs || exit
        rescue
    fi
    [ "${1-}" != verify ] || verify
    present
    echo "used $(du -sk .)"
    command -v zstd > /dev/null && echo zstd
    listing
}

# shellcheck disable=SC2086 # as above
adopt() { # what was brought whole becomes objects; fails, and says what, when something is not
    join "$work/in"
    brought "$work/in"
    judge $brought
    sync # content before names: a power cut must not leave an empty file under a good name
    [ -z "$good" ] || mv -f $good objects/
    for part in parts/*; do
        [ ! -f "objects/${part##*/}" ] || rm -f "$part"
    done
    for file in $bad; do
        echo "bad ${file##*/}"
    done
    [ -z "$bad" ]
}

receive() { # gzip or zstd; stdin: a compressed tar of objects and rests, then of trees and orders
    mkdir -p "$work/in" || exit
    { "$1" -dc || : > "$work/torn"; } | tar -xf - -C "$work/in" || : > "$work/torn"
    if [ -e "$work/torn" ]; then
        keep "$work/in"
        rm -rf "$work"
        return 1
    fi
    adopt && install
    rm -rf "$work"
    echo end
}

plant() { # builds the trees in $work, of links to objects
    ln -s ../../objects "$work/objects"
    tar -xf "$work/in/trees" -C "$work" 2> "$work/refused" && [ ! -s "$work/refused" ]
}

settle() { # DIGEST: the tree takes its place; one that stands gets only what differs
    mv "$work/trees/$1" bundles/ 2> "$work/refused" && return
    if [ ! -d "bundles/$1" ]; then cat "$work/refused" >&2; return; fi
    (cd "$work/trees/$1" && find . ! -type d) | while read -r file; do
        new=$work/trees/$1/$file old=bundles/$1/$file
        # shellcheck disable=SC3013 # -ef: dash, busybox and bash have it
        [ "$new" -ef "$old" ] || { mkdir -p "${old%/*}" && mv -f "$new" "${old%/*}/"; }
    done
}

point() { # CELL DIGEST
    ln -s "../bundles/$2" "$work/$1" && mv -f "$work/$1" cells/
}

switch() { # CELL DIGEST: the way back first, then the step
    old=$(readlink "cells/$1")
    old=${old##*/}
    [ "$old" != "$2" ] || return 0
    [ -z "$old" ] || point "$1.previous" "$old"
    point "$1" "$2" && echo "switched $1" && echo "$now $1 $2" >> history
}

install() { # by the orders 'tree DIGEST', then 'switch CELL DIGEST'
    if [ -f "$work/in/trees" ] && ! plant; then
        echo missing # what a prune beside us took
        cat "$work/refused" >&2
        return
    fi
    sync
    now=$(date +%s)
    while read -r order one two; do
        case $order in
            tree) settle "$one" ;;
            switch) if [ -d "bundles/$two" ]; then switch "$one" "$two"; else echo missing; fi ;;
        esac
    done < "$work/in/orders"
    sync
}

rollback() { # CELL: change places with the previous one
    here=$(readlink "cells/$1") && there=$(readlink "cells/$1.previous") || return 3
    claim || exit
    point "$1" "${there##*/}" && point "$1.previous" "${here##*/}"
    echo "$(date +%s) $1 ${there##*/}" >> history
    rm -rf "$work"
    echo "cell $1 ${there##*/}"
    echo end
}

past() {
    [ ! -f history ] || sed 's/^/switch /' history
}

discard() { # 'cell NAME', 'bundle DIGEST' and 'parts' on stdin, then objects that nothing links to
    claim || exit
    while read -r kind name; do
        case $kind in
            cell) rm -f "cells/$name" ;;
            parts) rm -f parts/* ;;
            bundle) # out of bundles/ in one step: half a tree must never stand under its name
                listing | grep -q -e "^cell .* $name\$" -e "^held $name\$" ||
                    { mv "bundles/$name" "$work/" && echo "removed $name"; }
                ;;
        esac
    done
    rm -rf "$work"
    find objects -type f -links 1 -exec rm -f {} +
    echo end
}
