# The one run a board holds: begin it, look at it, read its journal, extend, cancel or forget it.

total() { # FOLDER of a run: blocks planned
    cat "$1"/plan* 2> /dev/null | grep -c ''
}

current() { # sets $run and $status: none, running, stale, stopped or done
    run=$(readlink runs/current) status=none
    [ -n "$run" ] && [ -d "runs/$run" ] || return 1
    if look "runs/$run"; then
        status=running
        [ "$silent" -le "$TTL" ] || status=stale
    elif [ -f "runs/$run/done" ] && [ "$(reading "runs/$run/done")" = "$(total "runs/$run")" ]; then
        status="done"
    else
        status=stopped
    fi
}

state() { # 'none', or: RUN STATUS DONE TOTAL SILENT and the request
    [ -z "$fresh" ] && current || { echo none; return; }
    case $status in stopped | "done") (cd "runs/$run" && undo) ;; esac
    blocks=$(grep -c '^{"block":' "runs/$run/journal.jsonl")
    echo "$run $status $blocks $(total "runs/$run") $silent"
    cat "runs/$run/request.json"
}

resume() { # starts the agent when a run is unfinished and nobody is heard of; or status is full
    current || return 0
    case $status in stopped | stale) ;; *) return 0 ;; esac
    (cd "runs/$run" && room) || { status=full; return 0; }
    before=$last
    unset BUILDMATRIX_CALL # it outlives this call, see end.sh
    set -- sh "runs/$run/agent.sh" "$run"
    # One of them, and by this shell: what is an applet of it alone, no other program can start.
    if command -v setsid > /dev/null; then
        set -- setsid "$@"
    elif command -v nohup > /dev/null; then
        set -- nohup "$@"
    fi
    (trap '' HUP; exec "$@" < /dev/null >> "runs/$run/log" 2>&1) &
    tries=0 # until the lease is held, so that the next call does not start another
    while [ "$last" = "$before" ] && [ "$tries" -lt 50 ]; do
        pause
        tries=$((tries + 1))
        current
    done
    # it did start: should it be dead again, the next call resumes
    if [ "$last" != "$before" ] && [ "$status" = stopped ]; then status=running; fi
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

extend() { # RUN FIRST; stdin: plan lines from block FIRST on. Of two at once, one is taken
    { claim && cat > "$work/more" && sync; } || exit # content before names
    current
    if [ "$run $status $(total "runs/$1")" = "$1 done $2" ]; then
        ln "$work/more" "runs/$1/plan.$(printf '%06d' "$2")" 2> /dev/null
    fi
    rm -rf "$work"
    resume
    state
}

follow() { # RUN OFFSET: resumes when needed; STATUS TOTAL, then the journal from that byte on
    current
    if [ "$run" != "$1" ] || [ "$status" = none ]; then echo gone 0; return; fi
    resume
    echo "$status $(total "runs/$1")"
    tail -c "+$(($2 + 1))" "runs/$1/journal.jsonl"
}

remove() { # $run. What a power cut leaves of it, the next begin removes
    rm -f runs/current
    rm -rf "runs/$run"
}

forget() { # RUN: after its results are safe elsewhere
    current
    [ "$run" = "$1" ] || return 0
    [ "$status" = "done" ] || return 3
    remove
}

cancel() { # ends who is at work, puts the board right; prints the run, and what stayed changed
    current || return 0
    echo "$run"
    (
        cd "runs/$run" || exit
        TTL=-1 # whoever holds the lease, and however lively
        take || take
        for old in "$holder" "$(reading runner)"; do [ -z "$old" ] || finish "$old"; done
        mend
        restore || cat restore
    )
    remove
}
