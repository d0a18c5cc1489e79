#!/usr/bin/env bash
# A trapped signal ends `wait`; POSIX (sh, 2.11) wants a status above 128 then, so that it cannot be
# taken for a program's own. dash says 138 for SIGUSR1, yash 394, ksh93 u+m 1.0.4 says 1: a
# heartbeat by signal looks like a program that failed. Debian bookworm's packages.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq dash=0.5.12-2 ksh93u+m=1.0.4-3 yash=2.52-2 >/dev/null 2>&1
for package in *.deb; do dpkg-deb -x "$package" root; done
cat >program <<'END'
trap : USR1
me=$$
(sleep 1; kill -USR1 $me) &
(sleep 2; exit 5) & child=$!
wait $child; first=$?
wait $child; echo "$first $?"
END
failed=0
expect() { # SHELL ANSWER
  answer=$("$1" program)
  echo "${1##*/}: interrupted wait and the program's own status: $answer"
  [ "$answer" = "$2" ] || failed=1
}
expect root/bin/dash '138 5'
expect "$(find root -path '*bin/yash' | head -n 1)" '394 5'
expect "$(find root -path '*bin/ksh93' | head -n 1)" '1 5'
exit "$failed"
