# What the board says of itself around a block.

number() { # VALUE: itself when it is a JSON number, else null
    case $1 in '' | *[!0-9.]*) echo null ;; *) echo "$1" ;; esac
}

throttle() { # bits of the firmware: in sysfs, else by its own tool, else unknown
    bits=$(reading "$SYS/devices/platform/soc/soc:firmware/get_throttled")
    if [ -n "$bits" ]; then
        echo "0x$bits"
    elif command -v vcgencmd > /dev/null; then
        vcgencmd get_throttled 2> /dev/null | sed -n 's/^throttled=\(0x[0-9a-f]*\)$/\1/p'
    fi
}

available() { # KiB that a process may have; nothing on a kernel that does not say
    while read -r name kib _; do
        [ "$name" != MemAvailable: ] || echo "$kib"
    done < /proc/meminfo
}

stamp() { # sets $stamp: what is read directly beside the runner. It starts no process, because the
    # time of all that runs between two stamps, the runner's apart, counts as disturbance
    read -r _ user nice system _ _ irq softirq _ < /proc/stat
    read -r up _ < /proc/uptime
    stamp="\"busy_ticks\":$((user + nice + system + irq + softirq)),\"uptime\":$up"
}

hottest() { # sets $heat to the temperature of the hottest zone, 1000 a degree; empty: unknown
    heat=''
    for at in "$SYS"/class/thermal/thermal_zone*; do
        here=$(reading "$at/temp")
        [ "${here:-x}" -gt "${heat:--1}" ] 2> /dev/null && [ "$here" -lt 200000 ] && heat=$here
    done
}

board() { # what takes longer to find out
    load=$(reading /proc/loadavg)
    swapped=0
    while read -r name count; do
        case $name in pswpin | pswpout) swapped=$((swapped + count)) ;; esac
    done < /proc/vmstat
    cpu=$SYS/devices/system/cpu/cpu0/cpufreq limits='' clocks=''
    for at in "$SYS"/devices/system/cpu/cpufreq/policy*; do
        [ -d "$at" ] || continue
        limits="$limits $(number "$(reading "$at/scaling_max_freq")")"
        clocks="$clocks $(number "$(reading "$at/scaling_cur_freq")")"
    done
    hottest
    printf '"cur_khz":%s,"max_khz":%s,"governor":"%s","millicelsius":%s,"throttled":"%s",' \
        "$(number "$(reading "$cpu/scaling_cur_freq")")" \
        "$(number "$(reading "$cpu/scaling_max_freq")")" "$(governor)" \
        "$(number "$heat")" "$(throttle)"
    printf '"limits_khz":"%s","clocks_khz":"%s",' "${limits# }" "${clocks# }"
    printf '"load1":%s,"swapped":%s,"available_kib":%s' \
        "$(number "${load%% *}")" "$swapped" "$(number "$(available)")"
}
