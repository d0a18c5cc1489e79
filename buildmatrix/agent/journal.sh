# The journal of a run: a line joins it whole, or not at all. In the folder of a run, by the
# holder of its lease.

room() { # to write down a block? Asked before it, so that no hour is measured for nothing
    printf '%65536s' '' 2> /dev/null > room
    fits=$?
    rm -f room
    return $fits
}

shorten() { # SIZE: the journal's first bytes stay. Needs no room, as a copy would
    dd if=/dev/null of=journal.jsonl bs=1 seek="$1" 2> /dev/null
}

mend() { # what a power cut may have left: half a line at the end
    if [ -s journal.jsonl ] && [ "$(tail -c 1 journal.jsonl | tr '\n' .)" != . ]; then
        shorten $(($(wc -c < journal.jsonl) - $(tail -n 1 journal.jsonl | wc -c)))
    fi
}

commit() { # the file 'line'; on a full disk, what was written of it is taken back
    size=$(($(wc -c < journal.jsonl)))
    if cat line >> journal.jsonl; then sync; else shorten "$size" && return 1; fi
}

event() { # NAME FIELDS: what happened to the run, beside its blocks
    printf '{"event":"%s","at":%s%s}\n' "$1" "$(date +%s)" "${2:+,$2}" > line && commit
}
