#!/usr/bin/env bash
# mksh (Android's shell too) begins with aliases of its own, in scripts as well, and an alias comes
# before a function: one called hash, r, login, type or history is defined without a word and never
# called, and the status is that of something else. POSIX (sh, 2.9.1) finds the function, as dash,
# yash and ksh93u+m do. Met when a script for boards named a function hash: under mksh alone nothing
# was hashed. Debian bookworm's mksh 59c.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq mksh=59c-28+deb12u1 dash=0.5.12-2 yash=2.52-2 ksh93u+m=1.0.4-3 >/dev/null 2>&1
for package in *.deb; do dpkg-deb -x "$package" root; done
cat >program <<'END'
hash() { echo function; }
hash x
echo "status $?"
END
failed=0
expect() { # SHELL ANSWER
  answer=$("$(find root -path "*bin/$1" | head -n 1)" program | tr '\n' ' ')
  echo "$1: a function called hash says: $answer"
  [ "$answer" = "$2 " ] || failed=1
}
expect mksh 'status 0'
expect dash 'function status 0'
expect yash 'function status 0'
expect ksh93 'function status 0'
names=$("$(find root -path '*bin/mksh' | head -n 1)" -c alias | sed 's/=.*//' | tr '\n' ' ')
echo "mksh's names: $names"
[ "$names" = 'autoload functions hash history integer local login nameref nohup r type ' ] || failed=1
exit "$failed"
