# Runs the blocks of one plan, one after the other, detached from whoever started it.
# Called inside the prefix as: sh runs/RUN/agent.sh RUN. The files of a run:
#   request.json   what was asked, so that whoever collects needs nothing else
#   plan           a line for each block: index cell batch passes warmup threads seconds-limit
#   cells/<cell>   link to the bundle that is measured, whatever is deployed meanwhile
#   leases/<n>     link that names a process; the highest n is the agent, if it lives
#   runner         the token of the runner at work; tries: a line for each start of a block
#   journal.jsonl  a line for each block done; done: there is no more to do

lease() { # numbered, never removed: of two agents that find the last one dead, one can go on
    mkdir -p leases
    last=$(newest leases)
    if [ "$last" -gt 0 ] && alive "$(readlink "leases/$last")"; then return 1; fi
    mine=$((last + 1))
    ln -s "$token" "leases/$mine" && [ "$(newest leases)" = "$mine" ]
}

number() { # VALUE: itself when it is a JSON number, else null
    case $1 in '' | *[!0-9.]*) echo null ;; *) echo "$1" ;; esac
}

reading() { # FILE: its first line, or nothing
    line=
    { read -r line < "$1"; } 2> /dev/null || :
    echo "$line"
}

throttle() { # bits of the firmware: in sysfs, else by its own tool, else unknown
    bits=$(reading /sys/devices/platform/soc/soc:firmware/get_throttled)
    if [ -n "$bits" ]; then
        echo "0x$bits"
    elif command -v vcgencmd > /dev/null; then
        vcgencmd get_throttled 2> /dev/null | sed -n 's/^throttled=\(0x[0-9a-f]*\)$/\1/p'
    fi
}

board() { # what may move while a block runs
    load=$(reading /proc/loadavg)
    swapped=0
    while read -r name count; do
        case $name in pswpin | pswpout) swapped=$((swapped + count)) ;; esac
    done < /proc/vmstat
    printf '{"max_khz":%s,"millicelsius":%s,"throttled":"%s","load1":%s,"swapped":%s}' \
        "$(number "$(reading /sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq)")" \
        "$(number "$(reading /sys/class/thermal/thermal_zone0/temp)")" \
        "$(throttle)" "$(number "${load%% *}")" "$swapped"
}

text() { # stdin as the inside of a JSON string
    tr '\200-\377' '?' | tr -cd '\11\12\40-\176' | tr '\11' ' ' |
        sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e ':a' -e '$!N;$!ba' -e 's/\n/\\n/g'
}

record() { # INDEX CELL BATCH EXIT: one line, written in one go
    printf '{"block":%s,"cell":"%s","batch":%s,"exit":%s,"started":%s,"seconds":%s,' \
        "$1" "$2" "$3" "$4" "$began" "$(($(date +%s) - began))" > line
    printf '"before":%s,"after":%s,"stdout":"%s","stderr_tail":"%s"}\n' "$before" "$(board)" \
        "$(sed -n '/^{/p' out | tail -n 1 | text)" "$(tail -c 2000 err | text)" >> line
    cat line >> journal.jsonl
    sync
}

launch_runner() { # CELL BATCH PASSES WARMUP THREADS LIMIT: becomes the runner
    echo 1000 > /proc/self/oom_score_adj || : # short of memory, the runner dies and not the agent
    export OMP_NUM_THREADS="$5" OPENBLAS_NUM_THREADS="$5"
    limit=$6 cell=cells/$1
    set -- "$cell/bin/runner" --model "$cell/model" --batch "$2" --passes "$3" --warmup "$4" --threads "$5"
    command -v timeout > /dev/null && set -- timeout "$limit" "$@"
    exec "$@"
}

block() { # INDEX CELL BATCH PASSES WARMUP THREADS LIMIT
    index=$1
    shift
    echo "$index" >> tries
    began=$(date +%s) before=$(board)
    : > out
    : > err
    if [ "$(grep -c "^$index\$" tries)" -gt 3 ]; then
        echo "the agent or the board went down in each of three tries" > err
        record "$index" "$1" "$2" 70
        return
    fi
    launch_runner "$@" > out 2> err < /dev/null &
    child=$!
    token "$child" && echo "$token" > runner
    wait "$child"
    record "$index" "$1" "$2" "$?"
}

tidy() { # after an agent that died: its runner, and the half line it may have left
    old=$(reading runner)
    if [ -n "$old" ] && alive "$old"; then
        kill "${old%%.*}"
        sleep 1
        ! alive "$old" || kill -KILL "${old%%.*}"
    fi
    if [ -n "$(tail -c 1 journal.jsonl)" ]; then
        sed '$d' journal.jsonl > whole && mv whole journal.jsonl
    fi
}

agent() { # RUN
    cd "runs/$1" && lease || return 0
    tidy
    while read -r index rest; do
        grep -q "^{\"block\":$index," journal.jsonl && continue
        # shellcheck disable=SC2086 # the plan's columns
        block "$index" $rest
    done < plan
    : > "done"
    sync
}
