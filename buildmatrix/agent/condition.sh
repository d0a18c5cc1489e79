# What a measurement wants of the board and only root may change: a governor that keeps the clock
# up, and silence on the air. Only files below /sys are written, so that a reboot undoes all of it;
# rfkill would not do, because systemd keeps its state over a reboot. In the folder of a run, by
# the holder of its lease:
#   settings   what the request says: 'owner NAME', 'governor performance|keep', 'wireless off|keep'
#   restore    a line for each file that was changed: boot id, file, old value
SYS=${BUILDMATRIX_SYS:-/sys}
PATH=$PATH:/usr/sbin:/sbin

setting() { # NAME
    sed -n "s/^$1 //p" settings
}

governor() {
    reading "$SYS/devices/system/cpu/cpu0/cpufreq/scaling_governor"
}

rights() { # sets $rights: root, sudo or none
    rights=none
    if [ "$(id -u)" = 0 ]; then
        rights=root
    elif command -v sudo > /dev/null && sudo -n true < /dev/null 2> /dev/null; then
        rights=sudo
    fi
}

put() { # VALUE FILE
    case $rights in
        root) { echo "$1" > "$2"; } 2> /dev/null ;;
        sudo) echo "$1" | sudo -n tee "$2" > /dev/null 2>&1 ;;
        *) return 1 ;;
    esac
}

change() { # VALUE FILE: first the old value is written down, then the new one is set
    old=$(reading "$2")
    [ "$old" = "$1" ] || { echo "$boot $2 $old" >> restore && put "$1" "$2"; }
}

radio() { # FOLDER of an interface: is it wireless?
    [ -e "$1/wireless" ] || [ -e "$1/phy80211" ]
}

wired() { # did the session that began this surely come by wire? A tunnel may hide a radio
    # shellcheck disable=SC2086 # client, its port, our address, our port
    set -- ${SSH_CONNECTION-}
    [ $# = 4 ] || return 1
    address=${3#::ffff:} # an IPv4 address, as a server for both writes it
    for wire in "$SYS"/class/net/*; do
        if radio "$wire" || [ ! -e "$wire/device" ]; then continue; fi
        case " $(ip -o addr show dev "${wire##*/}" 2> /dev/null)" in
            *" ${address%%%*}/"*) return 0 ;;
        esac
    done
    return 1
}

silence() { # sets $wireless: takes wireless interfaces down, but never the way of the session
    wireless=kept
    [ "$(setting wireless)" = off ] || return 0
    wireless=
    for folder in "$SYS"/class/net/*; do
        radio "$folder" || continue
        name=${folder##*/}
        if [ "$rights" = none ]; then
            said="kept: no right to change $name"
        elif ! wired; then
            said="kept: the session may have come in over $name"
        elif change "$(printf '0x%x' $(($(reading "$folder/flags") & ~1)))" "$folder/flags"; then
            said="off: $name"
        else
            said="kept: $name cannot be taken down"
        fi
        wireless="$wireless${wireless:+; }$said"
    done
    [ -n "$wireless" ] || wireless='none found'
}

condition() { # what was found and what was done about it, in one event
    rights
    was=$(governor)
    if [ "$(setting governor)" = performance ] && [ "$rights" != none ]; then
        for file in "$SYS"/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor; do
            [ ! -f "$file" ] || change performance "$file"
        done
    fi
    silence
    event conditions "$(printf '"rights":"%s","governor":"%s","was":"%s","wireless":"%s"' \
        "$rights" "$(governor)" "$was" "$wireless")"
}

restore() { # what a reboot or an unplugged interface has undone is left alone
    [ -f restore ] || return 0
    rights
    left=0
    while read -r when file value; do
        if [ "$when" != "$boot" ] || [ ! -e "$file" ]; then continue; fi
        put "$value" "$file" || left=$((left + 1))
    done < restore
    if [ "$left" -gt 0 ]; then
        event unrestored "\"files\":$left"
        return 1
    fi
    rm -f restore
    event restored
}

undo() { # what an agent left that died
    [ -f restore ] && take && mend && restore
}
