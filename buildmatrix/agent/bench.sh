# Runs the blocks of one plan, one after the other, detached from whoever started it.
# Called inside the prefix as: sh runs/RUN/agent.sh RUN. The files of a run, besides those of
# lease.sh, journal.sh, condition.sh and memory.sh:
#   request.json   what was asked, so that whoever collects needs nothing else
#   plan           a line for each block, see plan_lines; plan.<n> go on from block n
#   cells/<cell>   link to the bundle that is measured, whatever is deployed meanwhile
#   runner         the token of the runner at work; tries: a line for each start of a block
#   journal.jsonl  a line for each block done, and for each event
#   readings       what the device's meter read beside the runner, [UPTIME,WATTS] a line
#   done           how many blocks the plan had when all of them were done

companion() { # beside the agent: has it beat, and puts the board right should it die
    agent=$self
    read -r pid _ < /proc/self/stat # of this subshell; $$ is the agent's
    token "$pid" && self=$token
    while alive "$agent"; do
        kill -USR1 "${agent%%.*}"
        sleep "$(((TTL + 11) / 12))"
    done
    undo
}

signals() { # sets $signals, to which this shell adds a signal's number: 128, ksh 256, yash 384
    { sh -c 'kill -KILL $$'; } 2> /dev/null
    signals=$(($? - 9))
}

hearing() { # sets $deaf where no signal may interrupt this shell: of ksh93 a wait loses the status
    # then, and a command substitution what was still to be said; in busybox' ash of 1.38.0 a read
    # after it may never end (1.35 and 1.37 read on), and who knows when that is mended
    deaf=
    [ "$signals" != 256 ] || deaf=yes
    case $(sh --help 2>&1) in "BusyBox v1.3"[89]* | "BusyBox v1."[4-9]*) deaf=yes ;; esac
}

deaf() {
    [ -n "$deaf" ]
}

await() { # PID: sets $status to its exit status, 128 and more for a signal
    status=
    if deaf && token "$1"; then
        while alive "$token"; do
            sleep 1
            beat
        done
    fi
    while :; do
        beaten= # a beat ends a wait too, with any status: 138, yash 394
        wait "$1"
        ended=$?
        if [ "$ended" = 127 ] && [ -n "$status" ]; then break; fi # over at the last turn
        status=$ended
        [ -n "$beaten" ] || break
    done
    [ "$status" -le "$signals" ] || status=$((status - signals + 128))
}

moved() { # was the date set since $began? Told, because no other line of the journal would show it
    clock
    seconds=$((now - start))
    jump=$(($(date +%s) - began - seconds))
    case $jump in -[12] | [012]) ;; *) event clock "\"seconds\":$jump,\"block\":$index" ;; esac
}

text() { # stdin as the inside of a JSON string
    tr '\200-\377' '?' | tr -cd '\11\12\40-\176' | tr '\11' ' ' |
        sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e ':a' -e '$!N;$!ba' -e 's/\n/\\n/g'
}

record() { # the rest of the line, as JSON
    case $role in sentinel) sentinel=true ;; *) sentinel=false ;; esac
    printf '{"block":%s,"round":%s,"sentinel":%s,"cell":"%s","batch":%s,"started":%s,%s}\n' \
        "$index" "$round" "$sentinel" "$cell" "$batch" "$began" "$1" > line && commit
}

outcome() { # EXIT
    printf '"exit":%s,"seconds":%s,"before":{%s},"after":{%s},' \
        "$1" "$seconds" "$before" "$after"
    printf '"stdout":"%s","stderr_tail":"%s"' \
        "$(sed -n '/^{/p' out | tail -n 1 | text)" "$(tail -c 2000 err | text)"
    readings
}

watts() { # TEXT: itself when it is a JSON number of a few digits, else null
    case $1 in
        '' | *[!0-9.]* | *.*.* | .* | *. | 0[0-9]* | ?????????????*) echo null ;;
        *) echo "$1" ;;
    esac
}

gauge() { # METER AGENT: a reading [UPTIME,WATTS] twice a second, for as long as the agent is there
    while alive "$2"; do
        read_out=$(sh -c "$1" 2> /dev/null < /dev/null)
        read -r up _ < /proc/uptime
        echo "[$up,$(watts "$read_out")]" >> readings
        sleep 0.5 2> /dev/null || sleep 1
    done
}

readings() { # what the meter read beside the runner, as JSON; nothing where none reads
    [ -s readings ] || return 0
    printf ',"power":[%s]' "$(tail -n 1000 readings | tr '\n' ',' | sed 's/,$//')"
}

launch() { # becomes the runner
    echo 1000 > /proc/self/oom_score_adj || : # short of memory, the runner dies and not the agent
    export OMP_NUM_THREADS="$threads" OPENBLAS_NUM_THREADS="$threads"
    set -- "cells/$cell/bin/runner" --model "cells/$cell/model" --batch "$batch" \
        --passes "$passes" --warmup "$warmup" --threads "$threads"
    cores=$(setting cores)
    [ -z "$cores" ] || set -- "$@" --cores "$cores"
    # What does not change from round to round is asked once; the sentinel is there for its time.
    if [ "$round $role" = '0 cell' ]; then
        pictures=cells/$cell/model/held-out.f32
        [ ! -f "$pictures" ] || set -- "$@" --pictures "$pictures"
        [ -z "$(setting layers)" ] || set -- "$@" --layers
    fi
    command -v timeout > /dev/null && set -- timeout "$limit" "$@"
    exec "$@"
}

measure() { # sets $status, $before and $after
    seen=$(board)
    : > out
    : > err
    stamp
    before=$stamp,$seen
    launch > out 2> err < /dev/null &
    child=$!
    token "$child" && echo "$token" > runner
    gauging=
    # a deaf shell sees the end of the runner too late to say which readings are of its passes
    if [ -n "$meter" ] && ! deaf; then
        gauge "$meter" "$self" &
        gauging=$!
    fi
    await "$child"
    stamp
    [ -z "$gauging" ] || kill "$gauging" 2> /dev/null
    after=$stamp,$(board)
}

cool() { # waits until the board is as cool as was asked for, ten minutes at most, and tells it
    goal=$(setting cool_down)
    [ "${goal:-0}" -gt 0 ] || return 0
    clock
    idle=$now
    hottest
    [ "${heat:-0}" -gt "$((goal * 1000))" ] || return 0
    while [ "${heat:-0}" -gt "$((goal * 1000))" ] && [ "$((now - idle))" -lt 600 ]; do
        sleep 2
        beat
        hottest
        clock
    done
    event cooled "\"block\":$index,\"seconds\":$((now - idle)),\"millicelsius\":$heat"
}

block() { # fails when it cannot be written down: the block is not done, the agent stops
    began=$(date +%s)
    clock
    start=$now
    if [ "$role" = cell ] && ! fits "$cell" "$batch"; then
        stamp
        record "\"before\":{$stamp,$(board)},\"skipped\":{$why}"
        return
    fi
    room && echo "$index" >> tries || return
    rm -f readings
    if [ "$(grep -c "^$index\$" tries)" -gt 3 ]; then
        stamp
        before=$stamp,$(board) after=$before status=70
        : > out
        echo "the agent or the board went down in each of three tries" > err
    else
        measure
        room || return # the runner may have had no room for its answer
    fi
    moved
    remember "$cell" "$batch" "$status" && record "$(outcome "$status")"
}

blocks() {
    for part in plan*; do
        while read -r index round role cell batch passes warmup threads limit; do
            grep -q "^{\"block\":$index," journal.jsonl && continue
            beat
            cool
            block || return
        done < "$part"
    done
}

inherit() { # after an agent that died or fell silent: its runner goes, and what it left half done
    stale=
    if [ -n "$holder" ] && alive "$holder"; then
        stale=$silent
        finish "$holder" || return
    fi
    old=$(reading runner)
    [ -z "$old" ] || finish "$old" || return
    mend || return
    restore || :
    if [ -n "$stale" ]; then
        event takeover "\"owner\":\"$(setting owner)\",\"silent\":$stale"
    elif [ "$mine" -gt 1 ] && [ ! -f "done" ]; then
        event resumed
    fi
}

agent() { # RUN
    cd "runs/$1" && take || return 0
    signals
    hearing
    if deaf; then trap '' USR1; else trap beat USR1; fi
    beat
    companion &
    : >> memory
    meter=$(setting power)
    inherit && condition && blocks
    ended=$?
    restore || :
    if [ "$ended" = 0 ]; then
        cat plan* | grep -c '' > finished && mv finished "done"
        sync
    fi
}
