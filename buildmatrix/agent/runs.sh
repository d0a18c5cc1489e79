# The one run a board holds: begin it, look at it, read its journal, forget it.

newest() { # FOLDER: the highest number in it, or 0
    # shellcheck disable=SC2012 # our own numbers, no strange names
    last=$(ls "$1" 2> /dev/null | sort -n | tail -n 1)
    echo "${last:-0}"
}

current() { # sets $run and $status: none, running, stopped or done
    run=$(readlink runs/current) status=none
    [ -n "$run" ] && [ -d "runs/$run" ] || return 1
    last=$(newest "runs/$run/leases")
    if [ -f "runs/$run/done" ]; then
        status="done"
    elif [ "$last" -gt 0 ] && alive "$(readlink "runs/$run/leases/$last")"; then
        status=running
    else
        status=stopped
    fi
}

state() { # 'none', or: RUN STATUS DONE TOTAL and the request
    current || { echo none; return; }
    echo "$run $status $(grep -c '' < "runs/$run/journal.jsonl") $(grep -c '' < "runs/$run/plan")"
    cat "runs/$run/request.json"
}

resume() { # starts the agent when a run is unfinished and none is at work
    current && [ "$status" = stopped ] || return 0
    dead=$last
    set -- sh "runs/$run/agent.sh" "$run"
    if command -v setsid > /dev/null; then set -- setsid "$@"; fi
    if command -v nohup > /dev/null; then set -- nohup "$@"; fi
    (trap '' HUP; exec "$@" < /dev/null >> "runs/$run/log" 2>&1) &
    tries=0 # until the lease is held, so that the next call does not start another
    while [ "$last" = "$dead" ] && [ "$tries" -lt 50 ]; do
        sleep 0.1 2> /dev/null || sleep 1
        tries=$((tries + 1))
        current
    done
    # it did start: should it be dead again, the next call resumes
    if [ "$last" != "$dead" ] && [ "$status" = stopped ]; then status=running; fi
}

absent() { # FOLDER: names a cell whose bundle is not here
    for link in "$1/cells/"*; do
        if [ ! -x "bundles/$(basename "$(readlink "$link")")/bin/runner" ]; then
            echo "absent ${link##*/}"
            return 0
        fi
    done
    return 1
}

publish() { # RUN: from $work into runs/, and current if there is none
    mv "$work/$1" runs/
    [ -z "$run" ] || [ -d "runs/$run" ] || rm -f runs/current # named a run that is gone
    ln -sn "$1" runs/current 2> /dev/null # at most one wins
    for folder in runs/*/; do
        [ "$folder" = "runs/$(readlink runs/current)/" ] || [ -L "${folder%/}" ] || rm -rf "$folder"
    done
}

begin() { # RUN; stdin: its files in a tar. Attaches to the run that is there, if any
    if ! current; then
        { claim && mkdir -p runs "$work/$1" && tar -xf - -C "$work/$1"; } || exit
        if absent "$work/$1"; then rm -rf "$work"; return; fi
        publish "$1"
        rm -rf "$work"
    fi
    cat > /dev/null
    resume
    state
}

follow() { # RUN OFFSET: resumes when needed; status, then the journal from that byte on
    current
    if [ "$run" != "$1" ] || [ "$status" = none ]; then echo gone; return; fi
    resume
    echo "$status"
    tail -c "+$(($2 + 1))" "runs/$1/journal.jsonl"
}

forget() { # RUN: after its results are safe elsewhere
    current
    [ "$run" = "$1" ] || return 0
    [ "$status" = "done" ] || return 3
    rm -f runs/current
    { claim && mv "runs/$1" "$work/"; } || exit
    rm -rf "$work"
}
