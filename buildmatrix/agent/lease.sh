# The right to work on a run, held by one process at a time. Whoever holds it may write the run's
# journal and change the board's settings; nobody else does. It ends with its process, and it can
# be taken from one that lives but has not been heard of for TTL seconds: stopped, or stuck.
#   leases/<n>   link that reads 'TOKEN UPTIME': who took it and when; the highest n counts
#   heartbeat    'n UPTIME', written over in place by the holder of lease n
# Time is the board's uptime: a Pi has no clock of its own, and its date jumps when it finds one.
TTL=${BUILDMATRIX_TTL:-60}

self=$token # the caller's; token() is also asked about others

reading() { # FILE: its first line, or nothing
    line=
    { read -r line < "$1"; } 2> /dev/null || :
    echo "$line"
}

clock() { # sets $now
    read -r now _ < /proc/uptime
    now=${now%.*}
}

newest() { # FOLDER of a run: sets $last to the highest lease, or 0. Asked at every look: no fork
    last=0
    for link in "$1"/leases/*; do
        [ "${link##*/}" -le "$last" ] 2> /dev/null || [ ! -L "$link" ] || last=${link##*/}
    done
}

look() { # FOLDER of a run: sets $last, $holder and $silent; fails when nobody holds the lease
    newest "$1"
    silent=0
    lease=$(readlink "$1/leases/$last") || lease=
    holder=${lease% *} heard=${lease##* }
    [ -n "$holder" ] && alive "$holder" || return 1
    { read -r number beat < "$1/heartbeat"; } 2> /dev/null && [ "$number" = "$last" ] && heard=$beat
    case $heard in '' | *[!0-9]*) return 0 ;; esac # by a buildmatrix that had no heartbeat
    clock
    silent=$((now - heard))
}

take() { # in the folder of a run. Numbered, never removed: of two that try, one gets it
    mkdir -p leases || return
    if look . && [ "$silent" -le "$TTL" ]; then return 1; fi
    clock
    mine=$((last + 1))
    ln -s "$self $now" "leases/$mine" 2> /dev/null
}

beat() { # one write of a fixed size over the old one: no fork, no new block on a full disk
    beaten=yes
    read -r beats _ < /proc/uptime # a trap: it must not touch anybody's variables
    printf '%6d %12d\n' "$mine" "${beats%.*}" 1<> heartbeat
}

pause() { # a moment; not every busybox can sleep for less than a second
    sleep 0.1 2> /dev/null || sleep 1
}

finish() { # TOKEN: ends that process and the group it leads; asks before it kills
    for signal in TERM KILL; do
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            alive "$1" || return 0
            kill "-$signal" "-${1%%.*}" 2> /dev/null || kill "-$signal" "${1%%.*}" 2> /dev/null
            pause
        done
    done
    ! alive "$1"
}
