# What this board is, in one answer. Every line is key=value, a key may come again, the last line
# is end=1. Busybox is enough; a question that a board cannot answer leaves its value empty. Only
# what device.py reads is asked, and all of it is written at once, because sshd wraps each write.
# `.buildmatrix` is agent.PREFIX.

say() { printf '%s=%s\n' "$1" "$2"; }

each() { sed "s|^|$1=|"; } # stdin: a line of that key for each line

peek() { # FILE: sets $line to its first line, without a process
    line=
    { read -r line < "$1"; } 2> /dev/null || :
}

peeks() { # FOLDER FILE...: sets $lines to the first line of each, with | in between
    folder=$1 lines=
    shift
    for file; do
        peek "$folder/$file"
        lines=$lines$line'|'
    done
}

header() { # FILE: its first 40 bytes, as hexadecimal words
    od -An -v -tx1 -N40 "$1" || hexdump -v -n40 -e '1/1 " %02x"' "$1"
}

elf() { # the header of /bin/sh, and sets $own, for which machine it is: the bytes 18 and 19
    # shellcheck disable=SC2046 # words
    set -- $(header /bin/sh)
    printf elf=
    printf %s "$@"
    echo
    if [ $# -lt 20 ]; then
        own=
        say longbit "$(getconf LONG_BIT)"
        return
    fi
    shift 18
    own="$1 $2"
}

identity() { # what a gate must know; a process for each question would cost more than the question
    tree=/proc/device-tree
    peek $tree/model
    say model "$line"
    peek $tree/compatible
    say compatible "$line"
    set -- $tree/fw-cfg*
    [ ! -e "$1" ] || say fwcfg "$1"
    # shellcheck disable=SC2046 # words
    set -- $(uname -srm)
    say kernel "${1-} ${2-}"
    say machine "${3-}"
    peek /proc/sys/kernel/arch
    say kernelarch "$line"
    peek /proc/kallsyms # as many digits as a kernel address has
    say symbol "${line%%[!0-9a-f]*}"
    elf
    peek "$sys/devices/system/cpu/online"
    if [ "$line" ]; then say online "$line"; else say cores "$(getconf _NPROCESSORS_ONLN || nproc)"; fi
    say home "${HOME-}"
    case ${HOME-} in /*) [ ! -d "$HOME" ] || say homedir yes ;; esac
}

kernel() { # what is told of it, and decides nothing
    say pagesize "$(getconf PAGESIZE || grep -m 1 KernelPageSize /proc/self/smaps)"
    peek /proc/1/comm
    [ "$line" != init ] || line="$line $(readlink -f /sbin/init)"
    say init "$line"
}

highest() { # PREFIX; stdin: a file. The highest PREFIX_1.2.3 in it; busybox' grep has no -z
    # Its -E takes 8 s of CPU on an emulated board for the lines of a libc, and -F less than one.
    tr '\000' '\n' | grep -F "$1_" | grep -E "^$1_[0-9]+(\.[0-9]+)*\$" | {
        most=-1 which=
        while read -r word; do
            rest=${word#*_}.0.0
            rank=${rest%%.*} rest=${rest#*.}
            rank=$((rank * 1000000 + ${rest%%.*} * 1000)) rest=${rest#*.}
            rank=$((rank + ${rest%%.*}))
            [ "$rank" -le "$most" ] || most=$rank which=$word
        done
        echo "$which"
    }
}

library() { # STEM PREFIX: the versions that the userland's own copies of a library define
    for file in /lib/*-linux-*/"$1".so.[0-9] /lib/"$1".so.[0-9] /lib64/"$1".so.[0-9] \
        "$other"/*-linux-*/"$1".so.[0-9] "$other"/"$1".so.[0-9]; do
        [ -f "$file" ] || continue
        # shellcheck disable=SC2046 # words
        set -- "$1" "$2" $(header "$file")
        [ "${21-} ${22-}" = "$own" ] || continue
        say library "$file $(highest "$2" < "$file")"
    done
}

libc() { # by the first way that knows it; a process more is asked only where there is need
    found=$(getconf GNU_LIBC_VERSION)
    case $found in "glibc "[0-9]*) say libc "$found"; return ;; esac
    ldd --version 2>&1 | head -n 2 | each libc
    for file in /lib/*-linux-gnu*/libc.so.6 /lib/libc.so.6 /lib/ld-musl-*.so.1; do
        [ ! -x "$file" ] || "$file" 2>&1 < /dev/null | head -n 2 | each libc
    done
}

libraries() { # the symbol versions of the userland's own
    other=/usr/lib
    [ ! -L /lib ] || other=/usr/local/lib
    library libc GLIBC
    library libstdc++ GLIBCXX
    library libstdc++ CXXABI
    library libgcc_s GCC
    library libgomp GOMP
    library libatomic LIBATOMIC
    library libz ZLIB
}

cores() { # each processor: where it is among its like, and which clocks and zones there are
    for at in "$sys"/devices/system/cpu/cpu[0-9]*; do
        peeks "$at" cpu_capacity regs/identification/midr_el1 cpufreq/cpuinfo_max_freq
        say cpu "${at##*/cpu}|$lines"
    done
    for at in "$sys"/devices/system/cpu/cpufreq/policy* "$sys"/devices/system/cpu/cpu0/cpufreq; do
        [ -d "$at" ] || continue
        peeks "$at" affected_cpus scaling_cur_freq scaling_min_freq scaling_max_freq \
            cpuinfo_max_freq scaling_governor
        say policy "${at##*/}|$lines"
    done
    for at in "$sys"/class/thermal/thermal_zone*; do
        [ -d "$at" ] || continue
        peeks "$at" type temp
        say zone "${at##*/}|$lines"
    done
}

tables() { # what /proc says in lines, by one process; Features are the same on every core
    sed -n -e '1,/^Features/s/^Features/cpuinfo=&/p' -e '1,/^vendor_id/s/^vendor_id/cpuinfo=&/p' \
        -e 's/^processor.*: /cpuinfo=processor:/p' -e 's/^CPU part.*: /cpuinfo=CPU part:/p' \
        -e 's/^Hardware[^A-Z]/cpuinfo=&/p' -e 's/^Model/cpuinfo=&/p' \
        -e 's/^MemTotal: */meminfo=MemTotal:/p' -e 's/^MemFree: */meminfo=MemFree:/p' \
        -e 's/^MemAvailable: */meminfo=MemAvailable:/p' /proc/cpuinfo /proc/meminfo
}

place() { # the disk
    there=${HOME-}/.buildmatrix
    [ -d "$there" ] || there=${HOME:-/}
    # shellcheck disable=SC2046 # words: the last six are the fields of the last line
    set -- $(df -P -k "$there/")
    while [ $# -gt 6 ]; do shift; done
    say disk "$*"
    mounted=
    while read -r device point type rest; do
        [ "$point" != "${6-}" ] || mounted="$device $point $type $rest" # the last one counts
    done < /proc/mounts
    say mount "$mounted"
}

brief() { # what the gate before a deploy must know
    export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin:/opt/vc/bin"
    sys=${BUILDMATRIX_SYS:-/sys}
    identity
    libc
    tables
    cores
    place
    peek /proc/loadavg
    say load "${line%% *}"
    peek "$sys/devices/platform/soc/soc:firmware/get_throttled"
    if command -v vcgencmd > /dev/null && said=$(vcgencmd get_throttled); then line=$said; fi
    say throttled "$line"
    say epoch "${now:-$(date +%s)}" # which `meet` knows already
}

probe() {
    answer=$({
        brief
        kernel
        libraries
    } 2> /dev/null)
    printf '%s\nend=1\n' "$answer"
}
