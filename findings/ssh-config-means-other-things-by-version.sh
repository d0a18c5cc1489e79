#!/usr/bin/env bash
# One ssh_config, three clients of OpenSSH: another user is logged in, another block holds.
# `User u-%h` is taken as it stands by 9.2 and expanded from 10 on. `Match !final` makes 9.2 and
# 10.0 read all files a second time, in which `Match canonical` holds and Host is held against what
# HostName says; 10.6 reads once. `ConnectTimeout none` counts as not set in all of them, so a later
# line still applies. Asked of `ssh -G`; nothing is connected to. Debian's openssh-client
# 1:9.2p1-2+deb12u10 (bookworm), 1:10.0p1-7+deb13u4 (trixie), 1:10.6p1-1 (sid).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
cat >config <<'END'
User u-%h
ConnectTimeout none
ConnectTimeout 7
Match canonical
  HostKeyAlias second-reading
Match !final host elsewhere
  Port 2
END
failed=0
expect() { # SUITE VERSION ANSWER
  mkdir -p "$1"/{lists/partial,archives/partial,root}
  touch "$1/status"
  echo "deb [arch=amd64 signed-by=$keys] $mirror $1 main" >"$1/list"
  options=(-o "Dir::State=$folder/$1" -o "Dir::State::status=$folder/$1/status"
    -o "Dir::Cache=$folder/$1" -o "Dir::Etc::sourcelist=$folder/$1/list"
    -o Dir::Etc::sourceparts=- -o APT::Install-Recommends=false -o APT::Sandbox::User=root
    -o Acquire::Check-Valid-Until=false)
  apt-get "${options[@]}" update -qq >/dev/null 2>&1
  apt-get "${options[@]}" install -qq -y -d "openssh-client=$2" >/dev/null 2>&1
  for package in "$1"/archives/*.deb; do dpkg-deb -x "$package" "$1/root"; done
  loader=$(find "$1/root" -name 'ld-linux-x86-64.so.2' | head -n 1)
  libraries=$(find "$folder/$1/root" -type d -name x86_64-linux-gnu | paste -sd :)
  answer=$("$loader" --library-path "$libraries" "$1/root/usr/bin/ssh" -G -F config board |
    grep -E '^(user|hostkeyalias|connecttimeout) ' | sort | paste -sd ' ')
  echo "$1, $2: $answer"
  [ "$answer" = "$3" ] || failed=1
}
expect bookworm 1:9.2p1-2+deb12u10 'connecttimeout 7 hostkeyalias second-reading user u-%h'
expect trixie 1:10.0p1-7+deb13u4 'connecttimeout 7 hostkeyalias second-reading user u-board'
expect sid 1:10.6p1-1 'connecttimeout 7 user u-board'
exit "$failed"
