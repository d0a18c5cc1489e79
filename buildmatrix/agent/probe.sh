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

elf() { # FILE: its ELF header in hexadecimal
    { od -An -v -tx1 -N40 "$1" || hexdump -v -n40 -e '1/1 "%02x"' "$1"; } | tr -d ' \n'
}

identity() {
    tree=/proc/device-tree
    say model "$(tr -d '\000' < $tree/model)"
    say compatible "$(tr '\000' ' ' < $tree/compatible)"
    say fwcfg "$(ls -d $tree/fw-cfg*)"
    say kernel "$(uname -sr)"
    say machine "$(uname -m)"
    say kernelarch "$(cat /proc/sys/kernel/arch)"
    say symbol "$(head -n 1 /proc/kallsyms)" # as many digits as a kernel address has
    say elf "$(elf /bin/sh)"
    say longbit "$(getconf LONG_BIT)"
    say cores "$(getconf _NPROCESSORS_ONLN || nproc)"
    say pagesize "$(getconf PAGESIZE || grep -m 1 KernelPageSize /proc/self/smaps)"
    peek /proc/1/comm
    say init "$line $(readlink -f /sbin/init)"
    say home "${HOME-}"
    case ${HOME-} in /*) [ ! -d "$HOME" ] || say homedir yes ;; esac
}

machine() { # FILE: for which machine it is, the bytes 18 and 19 of its ELF header
    od -An -v -tx1 -j18 -N2 "$1" || hexdump -v -s18 -n2 -e '1/1 " %02x"' "$1"
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
        if [ ! -f "$file" ] || [ "$(machine "$file")" != "$own" ]; then continue; fi
        say library "$file $(highest "$2" < "$file")"
    done
}

software() { # its libc, by every way that may answer, and the symbol versions of its libraries
    getconf GNU_LIBC_VERSION | each libc
    ldd --version 2>&1 | head -n 2 | each libc
    for file in /lib/*-linux-gnu*/libc.so.6 /lib/libc.so.6 /lib/ld-musl-*.so.1; do
        [ ! -x "$file" ] || "$file" 2>&1 < /dev/null | head -n 2 | each libc
    done
    own=$(machine /bin/sh) other=/usr/lib
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
        peeks "$at" cpu_capacity regs/identification/midr_el1 cpufreq/cpuinfo_max_freq online
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

places() { # memory and disk
    grep -E '^Mem(Total|Free|Available)' /proc/meminfo | each meminfo
    there=${HOME-}/.buildmatrix
    [ -d "$there" ] || there=${HOME:-/}
    df -P -k "$there/" | each disk
    # shellcheck disable=SC2046 # the fields of its last line
    set -- $(df -P -k "$there/" | tail -n 1)
    say mount "$(grep -F " ${6-} " /proc/mounts | tail -n 1)"
}

probe() {
    export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin:/opt/vc/bin"
    sys=${BUILDMATRIX_SYS:-/sys}
    answer=$({
        identity
        software
        grep -m 1 ^Features /proc/cpuinfo | each cpuinfo # the same on every core
        grep -m 1 ^vendor_id /proc/cpuinfo | each cpuinfo
        grep -E '^(processor|CPU part|Hardware|Model)' /proc/cpuinfo | each cpuinfo
        cores
        places
        say load "$(cat /proc/loadavg)"
        say throttled "$(vcgencmd get_throttled ||
            cat "$sys/devices/platform/soc/soc:firmware/get_throttled")"
        say epoch "$(date +%s)"
    } 2> /dev/null)
    printf '%s\nend=1\n' "$answer"
}
