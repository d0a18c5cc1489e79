# Every command begins so: MARK DIGEST PREFIX MODE LINE are its arguments. It frames the answer, so
# that what a start-up file of the user's shell prints is never taken for it, and goes to the
# prefix. Each line is a whole statement, because the lines are joined by ';': csh, which may be
# the shell that we are called from, takes no line break in a word, and expands an exclamation mark before a letter.
# MODE: work makes the prefix; keep only puts the scripts into one that is there; look writes nothing;
# meet is keep, see alone.sh.
mark=$1 digest=$2 prefix=$3 mode=$4 line=$5
# shellcheck disable=SC2064 # the mark as it is now
trap "exit=\$?; printf \"\\n>%s %s\\n\" $mark \$exit" 0
printf "\n<%s\n" "$mark"
printf "\n<%s\n" "$mark" >&2
# shellcheck disable=SC3045 # a shell that has none of it goes on; one that can open nothing says nothing
case $(ulimit -n || echo unknown) in "" | ? | [12]? | 3[01]) ulimit -n; exit 95 ;; esac
unset CDPATH TAR_OPTIONS GZIP
agent=agent/$digest fresh=
case ${HOME-} in /*) cd "$HOME" 2> /dev/null ;; *) false ;; esac || { [ "$mode" != work ] && cd /proc || { echo "${HOME-}"; exit 91; }; }
[ "$mode" != work ] || [ -d "$prefix" ] || mkdir -p "$prefix/agent" || exit 92
cd "$prefix" 2> /dev/null || { fresh=yes; cd /proc || exit 92; }
