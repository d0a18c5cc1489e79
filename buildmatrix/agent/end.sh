# Ends what a command began that is past its deadline. PATTERN finds its mark in the command line of
# its shell and in the environment of all that this started, and does not find itself. One process
# looks at all of them: two for each took an emulated board more than 4 s. Each line is a whole
# statement, as in enter.sh; it runs without the other scripts.
all=
# shellcheck disable=SC2013 # no path below /proc has a blank
for file in $(grep -ls "$1" /proc/[0-9]*/cmdline /proc/[0-9]*/environ); do file=${file#/proc/}; all="$all ${file%/*}"; done
# shellcheck disable=SC2086 # one word a process
[ -z "$all" ] || { kill $all; { sleep 2; kill -9 $all; } < /dev/null > /dev/null & } 2> /dev/null
