# Out of memory is a result, but one that costs minutes of swapping and may take the board down:
# a block that cannot fit is not begun. The file 'memory' has a line for each block that ran:
# cell, batch, and its peak in KiB or 'oom'.

remember() { # CELL BATCH EXIT
    peak=
    case $3 in
        0) peak=$(sed -n 's/^{.*"peak_rss_kib":\([0-9][0-9]*\).*/\1/p' out | tail -n 1) ;;
        3 | 137) peak=oom ;; # the runner's own word; the kernel's kill
    esac
    [ -z "$peak" ] || echo "$1 $2 $peak" >> memory
}

fits() { # CELL BATCH: if it does not, sets $why
    why='' ran='' low='' high=''
    while read -r its size peak; do
        if [ "$its" != "$1" ] || [ "$size" -gt "$2" ]; then
            continue
        elif [ "$peak" = oom ]; then
            why="\"out_of_memory\":$size"
        elif [ "$size" = "$2" ]; then
            ran=yes
        elif [ "$peak" -gt 0 ] 2> /dev/null; then # a power cut may leave half a line
            rank "$size" "$peak"
        fi
    done < memory
    [ -z "$why" ] || return 1
    # what ran in an earlier round is known to fit; two points make a line
    [ -z "$ran" ] && [ -n "$low" ] || return 0
    free=$(available)
    extrapolate $((high_peak - low_peak)) $(($2 - high)) $((high - low))
    [ -n "$free" ] && [ "$needs" -gt "$free" ] || return 0
    why="\"needs_kib\":$needs,\"available_kib\":$free,\"by\":[$low,$high]"
    return 1
}

extrapolate() { # RISE STEPS OVER: sets $needs; at most what the shell can count to, mksh 32 bits
    needs=2147483647
    [ $((needs + 1)) -lt 0 ] || needs=9223372036854775807
    [ "$1" -gt 0 ] || { needs=$high_peak; return; }
    rise=$(($1 / $3)) rest=$(($1 % $3))
    [ $((rise + 1)) -gt $(((needs - high_peak) / $2)) ] ||
        needs=$((high_peak + rise * $2 + rest * $2 / $3))
}

rank() { # BATCH PEAK: among the two largest, $low and $high
    if [ -z "$high" ] || [ "$1" -gt "$high" ]; then
        low=$high low_peak=${high_peak-} high=$1 high_peak=$2
    elif [ "$1" = "$high" ]; then
        [ "$2" -le "$high_peak" ] || high_peak=$2
    elif [ -z "$low" ] || [ "$1" -gt "$low" ]; then
        low=$1 low_peak=$2
    elif [ "$1" = "$low" ]; then
        [ "$2" -le "$low_peak" ] || low_peak=$2
    fi
}
