# How content comes to this board, is put together to bundles and switched on, and goes.
# An object's name is its sha256, with '.x' when it is executable. No process is started for each
# object: on a small board they would take longer than the content.

is_sum() { # WORD: can it be a sha256?
    case $1 in *[!0-9a-f]*) return 1 ;; esac
    [ "${#1}" = 64 ]
}

object() { # FILE: is it one, by its name?
    stem=${1##*/}
    stem=${stem%.x}
    is_sum "$stem" && [ -f "$1" ] && [ ! -L "$1" ]
}

judge() { # FOLDER SUM PATH...: sets $good and $bad, by whether its objects are what they are called
    folder=$1 good='' bad='' odd=''
    shift
    while [ $# -gt 1 ]; do
        if [ "${2%/*}" = "$folder" ] && object "$2"; then
            if [ "$1" = "$stem" ]; then good="$good $2"; else bad="$bad $2"; fi
        else
            odd="$odd $2"
        fi
        shift 2
    done
}

size() { # FILE
    if [ -f "$1" ]; then wc -c < "$1"; else echo 0; fi
}

beginning() { # NAME OFFSET FILE: the first bytes of an object, from where the survey saw them
    [ "$(size "parts/$1")" -eq "$2" ] && mv "parts/$1" "$3" 2> /dev/null && return
    for part in tmp/*/in/objects/"$1"; do
        [ "$(size "$part")" -ge "$2" ] && head -c "$2" "$part" > "$3" && return
    done
    echo "the first $2 bytes of $1 are gone" >&2
}

join() { # FOLDER: each rest NAME.OFFSET in it is put behind what it goes on from; sets $joined
    joined=
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
        ! object "$whole" || joined="$joined $whole"
    done
}

keep() { # FOLDER: what a cut stream brought, to go on from
    mkdir -p objects parts
    join "$1"
    for file in "$1"/*; do
        if object "$file"; then set -- "$@" "$file"; fi
    done
    shift
    [ $# = 0 ] || mv -f "$@" parts/
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
        [ ! -d "$work/dead/in" ] || keep "$work/dead/in/objects"
        rm -rf "$work/dead"
    done
    [ ! -d "$work" ] || rm -rf "$work"
}

verify() { # objects that are not what they are called are removed
    set --
    for name in $names; do
        [ ! -f "objects/$name" ] || set -- "$@" "objects/$name"
    done
    [ $# -gt 0 ] || return 0
    # shellcheck disable=SC2046 # words: no object's path has a space
    judge objects $(sha256sum "$@")
    for file in $bad; do
        rm -f "$file" && echo "corrupt ${file##*/}"
    done
}

present() { # of the objects named: which are here, and what there is of the others
    set --
    for name in $names; do
        if [ -f "objects/$name" ]; then echo "have $name"; continue; fi
        [ ! -f "parts/$name" ] || set -- "$@" "parts/$name"
        # a living push's too: when its link is dead, sshd may not know for hours
        for part in tmp/*/in/objects/"$name"; do
            [ ! -f "$part" ] || growing "$part"
        done
    done
    [ $# -gt 0 ] || return 0
    wc -c "$@" | sed 's/^ */size /'
    sha256sum "$@" | sed 's/^/sum /'
}

growing() { # FILE: its size, and the sum of just as much of it
    bytes=$(size "$1")
    echo "size $((bytes)) $1"
    head -c "$((bytes))" "$1" | sha256sum | sed "s|^\\([0-9a-f]*\\) .*|sum \\1  $1|"
}

survey() { # names on stdin; 'dry' writes nothing, 'verify' reads all content that is here
    names=$(cat)
    if [ -n "$fresh" ]; then
        glance
        return
    fi
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

arrive() { # names on stdin, as tar begins with each: hashes what is whole, where a member `sum` says so
    last=''
    set --
    while read -r name; do
        ! object "$last" || set -- "$@" "$last"
        last=$work/in/$name
        if [ $# -gt 0 ] && { [ "$name" = sum ] || [ $# -ge 64 ]; }; then
            sha256sum "$@"
            set --
            [ "$name" != sum ] || sync > /dev/null & # what has come is written while more comes
        fi
    done
    ! object "$last" || set -- "$@" "$last"
    sync > /dev/null & # content before names: a power cut must not leave an empty file under a good name
    [ $# = 0 ] || sha256sum "$@"
    wait
}

# shellcheck disable=SC2046,SC2086 # words: no object's path has a space
weigh() { # sets $good and $bad, of all that was brought
    join "$work/in/objects"
    [ -z "$joined" ] || { sums="$sums $(sha256sum $joined)"; sync; }
    judge "$work/in/objects" $sums
}

promised() { # is all there that the orders speak of?
    while read -r order digest cell; do
        case $order/$cell in
            */*/*) return 1 ;;
            tree/) is_sum "$digest" && [ -d "$work/in/bundles/$digest" ] || return 1 ;;
            switch/*) [ -L "$work/in/cells/$cell" ] || return 1 ;;
        esac
    done < "$work/in/orders"
}

# shellcheck disable=SC2086 # words
rise() { # where nothing is yet, all takes its place by one program, the cells last; else fails
    for name in objects bundles cells; do
        if [ -e "$name" ] || [ ! -d "$work/in/$name" ]; then return 1; fi
    done
    set -- $good
    brought=$#
    set -- "$work/in/objects"/*
    [ -z "$bad$odd" ] && [ $# -le "$brought" ] && promised || return 1
    for file; do
        object "$file" || return 1
    done
    set -- "$work/in/objects" "$work/in/bundles"
    if [ -d "$work/in/agent" ] && [ ! -e agent ]; then set -- "$@" "$work/in/agent"; fi
    mv "$@" "$work/in/cells" . || return 1
    while read -r order digest cell; do
        [ "$order" != switch ] || { echo "switched $cell" && echo "$now $cell $digest" >> history; }
    done < "$work/in/orders"
    return 0
}

adopt() { # what was brought whole becomes objects; fails, and says what, when something is not
    [ -d objects ] && [ -d bundles ] && [ -d cells ] || mkdir -p objects bundles cells
    if [ -d "$work/in/agent" ]; then mkdir -p agent && mv -f "$work/in/agent"/* agent/; fi
    set --
    for file in $good; do
        [ ! -f "$file" ] || set -- "$@" "$file"
    done
    [ $# = 0 ] || mv -f "$@" objects/
    for part in parts/*; do
        [ ! -f "objects/${part##*/}" ] || rm -f "$part"
    done
    for file in $bad; do
        echo "bad ${file##*/}"
    done
    [ -z "$bad" ]
}

untar() {
    tar -xvf - -C "$work/in" || : > "$work/torn"
}

unpack() { # CODEC: gzip, zstd, plain, or deb: a package whose size is not known and too large by far
    case $1 in
        plain) untar ;;
        deb) /usr/bin/dpkg-deb --fsys-tarfile - 2> "$work/said" | untar ;; # always says that it ended early
        *) { "$1" -dc || : > "$work/torn"; } | untar ;;
    esac
}

ground() { # where a stream is unpacked; one that is the first makes the other folders itself
    if [ -d objects ]; then set -- bundles cells; else set --; fi
    mkdir -p "$@" parts runs "$work/in/objects"
}

receive() { # CODEC; stdin: a tar of objects and rests, then of trees and orders.
    # What is done before the stream is read costs little: it comes on. What follows it is waited for.
    [ -d "$work/in" ] || ground || exit
    [ "${now-}" ] || now=$(date +%s)
    export TAR_OPTIONS=--blocking-factor=128 # GNU tar reads a pipe in pieces of 10 KiB else
    sums=$(unpack "$1" | arrive)
    if [ -e "$work/torn" ] || [ ! -f "$work/in/orders" ]; then # tar may take a cut for the end
        [ ! -f "$work/said" ] || cat "$work/said" >&2
        keep "$work/in/objects"
        rm -rf "$work"
        return 1
    fi
    weigh
    rise || { adopt && install; }
    rm -rf "$work" &
    sync
    wait
    echo end
}

meet() { # what `greet` says, and where nothing of ours is, `receive` beside it. See alone.sh
    if [ -z "$alone" ]; then greet plain; return; fi
    now=$(date +%s)
    greet plain &
    cd "$HOME" && mkdir -p "$prefix/parts" "$prefix/runs" "$prefix/$work/in/objects" "$prefix/$work/in/agent" &&
    cd "$prefix" || exit 92
    printf %s "$text" > "$work/in/agent/$digest" || rm -rf "$work/in/agent"
    receive "$alone"
}

abandon() { # what a meeting left that came to nothing
    rescue
    rm -f parts/* "$agent"
    rmdir tmp parts objects bundles cells runs agent
    cd "$HOME" && rmdir "$prefix"
    echo end
} 2> /dev/null # what is not empty is another's

plant() { # builds the trees that did not come whole: of links to objects, some of which were here
    mv "$work/in/trees" "$work/in/objects" "$work/"
    ln -s ../../../objects "$work/in/objects"
    tar -xf "$work/trees" -C "$work/in" 2> "$work/refused" && [ ! -s "$work/refused" ] && sync
}

settle() { # DIGEST: the tree takes its place; one that stands gets only what differs
    mv "$work/in/bundles/$1" bundles/ 2> "$work/refused" && return
    if [ ! -d "bundles/$1" ]; then cat "$work/refused" >&2; return; fi
    (cd "$work/in/bundles/$1" && find . ! -type d) | while read -r file; do
        new=$work/in/bundles/$1/$file old=bundles/$1/$file
        # shellcheck disable=SC3013 # -ef: dash, busybox and bash have it
        [ "$new" -ef "$old" ] || { mkdir -p "${old%/*}" && mv -f "$new" "${old%/*}/"; }
    done
}

point() { # CELL DIGEST: by the link that came with the trees, where one did
    if [ -L "$work/in/cells/$1" ]; then mv -f "$work/in/cells/$1" cells/; return; fi
    ln -s "../bundles/$2" "$work/$1" && mv -f "$work/$1" cells/
}

switch() { # CELL DIGEST: the way back first, then the step
    old=
    [ ! -L "cells/$1" ] || old=$(readlink "cells/$1")
    old=${old##*/}
    [ "$old" != "$2" ] || return 0
    [ -z "$old" ] || point "$1.previous" "$old"
    point "$1" "$2" && echo "switched $1" && echo "$now $1 $2" >> history
}

install() { # by the orders 'tree DIGEST', then 'switch DIGEST CELL'
    if [ -f "$work/in/trees" ] && ! plant; then
        echo missing # what a prune beside us took
        cat "$work/refused" >&2
        return
    fi
    while read -r order digest cell; do
        is_sum "$digest" || continue
        case $order/$cell in
            */*/*) ;;
            tree/) settle "$digest" ;;
            switch/*) if [ -d "bundles/$digest" ]; then switch "$cell" "$digest"; else echo missing; fi ;;
        esac
    done < "$work/in/orders"
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
    rescue
    claim || exit
    while read -r kind name; do
        case $kind/$name in
            */*/*) ;;
            cell/*) rm -f "cells/$name" ;;
            parts/)
                rm -f parts/*
                for file in agent/* agent/.[!.]*; do # those of other versions
                    [ "$file" = "$agent" ] || rm -f "$file"
                done
                ;;
            bundle/*) # out of bundles/ in one step: half a tree must never stand under its name
                listing | grep -q -e "^cell .* $name\$" -e "^held $name\$" ||
                    { mv "bundles/$name" "$work/" && echo "removed $name"; }
                ;;
        esac
    done
    rm -rf "$work"
    find objects -type f -links 1 -exec rm -f {} +
    echo end
}
