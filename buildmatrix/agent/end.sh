# Ends what a command began that is past its deadline: MARK stands in the command line of its shell
# and in the environment of all that this started. It comes in two halves, so that this command has
# it not itself. Each line is a whole statement, as in enter.sh; it runs without the other scripts.
mark=$1$2 all=
for folder in /proc/[0-9]*; do case $(tr "\0" " " 2> /dev/null < "$folder/cmdline"; tr "\0" " " 2> /dev/null < "$folder/environ") in *"$mark"*) all="$all ${folder#/proc/}" ;; esac; done
# shellcheck disable=SC2086 # one word a process
[ -z "$all" ] || { kill $all; sleep 1; kill -9 $all; } 2> /dev/null
