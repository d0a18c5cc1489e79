# Objects, trees and the switch. 'mv THING FOLDER/' is one rename(2) that replaces a link or
# a file of that name and refuses a folder: all that is needed, in coreutils and in busybox alike.

locate() { # NAME: sets $path to the object's place
    path=objects/${1%"${1#??}"}/$1
}

hashed() { # paths on stdin: 'good PATH' or 'bad PATH' for each
    xargs -r sha256sum | while read -r sum file; do
        name=${file##*/}
        if [ "$sum" = "${name%.x}" ]; then echo "good $file"; else echo "bad $file"; fi
    done
}

adopt() { # FOLDER: its files become objects when their names are true
    find "$1" -type f | hashed > "$work/verdicts"
    sync # content before names: a power cut must not leave an empty file under a good name
    while read -r verdict file; do
        name=${file##*/}
        if [ "$verdict" = good ]; then
            locate "$name"
            mkdir -p "${path%/*}" && mv -f "$file" "$path" && echo "stored $name"
        else
            echo "damaged $name"
        fi
    done < "$work/verdicts"
}

rescue() { # what dead pushes left: whole files are kept, the rest goes
    for folder in tmp/*; do
        if [ ! -d "$folder" ] || alive "${folder#tmp/}"; then continue; fi
        mv "$folder" "$work/rescued" 2> /dev/null || continue # another rescuer was quicker
        [ ! -d "$work/rescued/in" ] || adopt "$work/rescued/in"
        rm -rf "$work/rescued"
    done
}

verify() { # names on stdin: objects that are not what they are called are removed
    while read -r name; do
        locate "$name"
        [ ! -f "$path" ] || echo "$path"
    done | hashed | while read -r verdict file; do
        [ "$verdict" = good ] || { rm -f "$file" && echo "corrupt ${file##*/}"; }
    done
}

survey() { # names on stdin; with 'verify' their content is read too: what this board has
    { mkdir -p objects bundles cells runs && claim; } || exit
    rescue
    cat > "$work/names"
    [ "${1-}" != verify ] || verify < "$work/names"
    while read -r name; do
        locate "$name"
        [ ! -f "$path" ] || echo "have $name"
    done < "$work/names"
    listing
    rm -rf "$work"
}

listing() {
    for tree in bundles/*; do
        [ ! -d "$tree" ] || echo "bundle ${tree#bundles/}"
    done
    for link in cells/*; do
        [ ! -L "$link" ] || echo "cell ${link#cells/} $(basename "$(readlink "$link")")"
    done
    for link in runs/*/cells/*; do
        [ ! -L "$link" ] || echo "held $(basename "$(readlink "$link")")"
    done
    [ ! -f history ] || sed 's/^/switch /' history
}

receive() { # a tar.gz of objects on stdin
    { claim && mkdir "$work/in"; } || exit
    tar -xzf - -C "$work/in"
    status=$?
    adopt "$work/in"
    rm -rf "$work"
    return $status
}

plant() { # 'tree', 'dir', 'file' and 'link' lines on stdin: builds the trees in $work
    while read -r verb one two; do
        case $verb in
            tree) tree=$work/trees/$one && mkdir -p "$tree" ;;
            dir) mkdir -p "$tree/$one" ;;
            link) ln -s "$one" "$tree/$two" ;;
            file)
                locate "$one"
                ln "$path" "$tree/$two" || echo "missing $one"
                ;;
        esac
    done
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
    point "$1" "$2" && echo "$(date +%s) $1 $2" >> history && echo "switched $1"
}

install() { # plant lines, then 'switch CELL DIGEST' lines, on stdin
    claim || exit
    cat > "$work/lines"
    plant < "$work/lines" > "$work/missing"
    if [ -s "$work/missing" ]; then
        cat "$work/missing"
        rm -rf "$work"
        return 0
    fi
    sync
    grep '^tree ' "$work/lines" | while read -r _ tree; do settle "$tree"; done
    grep '^switch ' "$work/lines" | while read -r _ cell digest; do
        if [ -d "bundles/$digest" ]; then switch "$cell" "$digest"; else echo "missing $digest"; fi
    done
    sync
    rm -rf "$work"
}

rollback() { # CELL: change places with the previous one
    now=$(readlink "cells/$1") && then=$(readlink "cells/$1.previous") || return 3
    claim || exit
    point "$1" "${then##*/}" && point "$1.previous" "${now##*/}"
    echo "$(date +%s) $1 ${then##*/}" >> history
    rm -rf "$work"
    echo "cell $1 ${then##*/}"
}

discard() { # 'cell NAME' and 'bundle DIGEST' lines on stdin, then objects that nothing links to
    claim || exit
    while read -r kind name; do
        case $kind in
            cell) rm -f "cells/$name" ;;
            bundle) # out of bundles/ in one step: half a tree must never stand under its name
                listing | grep -q -e "^cell .* $name\$" -e "^held $name\$" || mv "bundles/$name" "$work/"
                ;;
        esac
    done
    rm -rf "$work"
    find objects -type f -links 1 | while read -r path; do rm -f "$path" && echo "removed $path"; done
}
