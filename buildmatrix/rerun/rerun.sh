# Repeats what was measured, on this board, and prints it beside the record above.
# Needs sh, tar and sha256sum; with awk and od, times are computed and answers checked.
set -u
umask 022
export LC_ALL=C
unset CDPATH
newline='
'

say() { printf '%s\n' "$*"; }

fail() { # STATUS TEXT
    say "rerun.sh: $2" >&2
    exit "$1"
}

help() {
    say "usage: sh rerun.sh [--batch LIST] [--passes N]"
    say
    say "Repeats what $cell did in run $run: checks every"
    say "file, runs the turns in the recorded order, checks every answer, and prints the recorded"
    say "figures and those seen here side by side."
    say
    say "  --batch LIST  only these batch sizes, as 1,2 (recorded, in order: $order)"
    say "  --passes N    timed passes of a turn (recorded: $passes)"
    say
    say "Exit status: 0 fine, 1 a wrong answer or a failure, 2 usage, 3 damaged files."
}

number() { # TEXT: a whole number that the runner takes
    case $1 in
        '' | 0* | *[!0-9]* | ???????*) fail 2 "'$1' is not a whole number from 1 to 999999" ;;
    esac
}

choose() { # LIST: keeps the turns of these batch sizes
    rest=$1,
    while [ -n "$rest" ]; do
        number "${rest%%,*}"
        case " $order " in
            *" ${rest%%,*} "*) rest=${rest#*,} ;;
            *) fail 2 "no turn of batch ${rest%%,*} is recorded, see --help" ;;
        esac
    done
    chosen=
    for batch in $order; do
        case ",$1," in *",$batch,"*) chosen="$chosen $batch" ;; esac
    done
    order=${chosen# }
}

parse() {
    while [ $# -gt 0 ]; do
        case $1 in
            --help) help && exit ;;
            --batch | --passes) [ $# -gt 1 ] || fail 2 "$1 needs a value" ;;
            *) fail 2 "'$1' is not known, see --help" ;;
        esac
        if [ "$1" = --batch ]; then choose "$2"; else number "$2" && passes=$2; fi
        shift 2
    done
}

verify() { # every file against its sum; no line of the list may be missing either
    checked=0 damaged=0
    while read -r sum file; do
        found=$({ sha256sum < "$file"; } 2> /dev/null)
        [ "${found%% *}" = "$sum" ] || { say "damaged or missing: $file" >&2 && damaged=1; }
        checked=$((checked + 1))
    done < SHA256SUMS
    [ "$damaged" = 0 ] && [ "$checked" = "$files" ]
}

emulator() { # as buildmatrix knows one: QEMU's firmware interface, or ARM on another processor
    for sign in /proc/device-tree/fw-cfg*; do [ ! -e "$sign" ] || return 0; done
    case $elf in EM_ARM | EM_AARCH64) ;; *) return 1 ;; esac
    while read -r line; do
        case $line in vendor_id* | Hardware*[Qq][Ee][Mm][Uu]*) return 0 ;; esac
    done < /proc/cpuinfo
    return 1
}

launch() { # BATCH: becomes the runner
    { echo 1000 > /proc/self/oom_score_adj; } 2> /dev/null || : # short of memory, it dies first
    export OMP_NUM_THREADS="$threads" OPENBLAS_NUM_THREADS="$threads"
    set -- --model model --batch "$1" --passes "$passes" --warmup "$warmup" --threads "$threads"
    [ "$cores" = all ] || set -- "$@" --cores "$cores"
    exec bin/runner "$@"
}

turn() { # BATCH: one process; its JSON line is kept, or null when it gave none
    line=$(launch "$1" 2>> "$kept.err" < /dev/null)
    ended=$?
    line=${line##*"$newline"}
    case $line in '{'*'}') ;; *) line=null ;; esac
    printf '{"batch":%s,"exit":%s,"result":%s}\n' "$1" "$ended" "$line" >> "$kept.jsonl"
}

table() { # the record and the results side by side
    { od -A n -v -t f8 model/expected.f64; } 2> /dev/null |
        per=$per recorded=$recorded emulated=$emulated here=$here tolerance=$tolerance step=$step \
            awk -f table.awk part=expected - part=results "$kept.jsonl"
}

raw() { # without awk: the runner's own words
    failed=0
    while read -r line; do
        batch=${line#*:} times=${line#*'"samples_ns":['}
        case $line in
            *',"exit":0,"result":{'*'"status":"ok"'*)
                say "batch ${batch%%,*}${here:+, $here}: ns of each whole batch: ${times%%]*}"
                ;;
            *) say "batch ${batch%%,*}: failed" && failed=1 ;;
        esac
    done < "$kept.jsonl"
    say "not checked: without awk, answers are not compared and times of $per not computed"
    say "recorded${emulated:+, emulated}: batch, status, ms $per, instructions $per"
    say "$recorded"
    return $failed
}

main() {
    parse "$@"
    case $0 in */*) cd -- "${0%/*}/" || exit 1 ;; esac
    command -v sha256sum > /dev/null || fail 1 "there is no sha256sum here"
    verify || fail 3 "not as it was packed: nothing was run; unpack the archive again"
    count=1
    while [ -e "results-$count.jsonl" ]; do count=$((count + 1)); done
    kept=results-$count here=
    : > "$kept.jsonl" || exit 1
    ! emulator || here=emulated
    say "$cell, run $run, bundle $bundle"
    say "recorded on $board; all $files files are as they were packed"
    say "batch sizes: $order; passes of each turn: $passes after $warmup untimed; threads: $threads; cores: $cores"
    for batch in $order; do
        say "running batch $batch" >&2
        turn "$batch"
    done
    if command -v awk > /dev/null; then table; else raw; fi
    status=$?
    say "kept beside rerun.sh: $kept.jsonl, and what the runner said, $kept.err"
    exit $status
}

main "$@"
