#!/usr/bin/env bash
# What Podman gives to a client of Docker's API that follows the log of a container which has ended:
# not all of it. `GET /containers/ID/logs?follow=1` on a log file (k8s-file, Podman's own format)
# watches the file, hears of the end of the container, and stops where it is by then. The same
# request without `follow` has every line. Docker's own engine ends a followed log behind the last one.
#
# Seen on 2026-11-29 with Podman 4.3.1 of Debian 12: of 60,000 lines 11,802 to 27,270 came, in 12 of 12
# containers; logs of 5,000 lines were whole most times. Podman 5.4.2 of Debian 13, asked by docker-py
# 7.2, gave as few as 685 of 5,000. Upstream knows it as its issue 21914. A build that waits for the end
# and reads then what was printed loses the lines that say why it failed, so buildmatrix attaches before
# the start (buildmatrix/container).
set -euo pipefail

folder=$(mktemp -d)
service=
stop() {
  if [ -n "$service" ]; then kill "$service" 2>/dev/null && wait "$service" || true; fi
  umount -l "$folder/root/overlay" 2>/dev/null || true
  rm -rf "$folder"
}
trap stop EXIT

# Debian 12's packages, unpacked: nothing is installed. Root, a kernel with overlayfs and curl are needed.
packages=(podman conmon runc busybox-static libsubid4 libgpgme11 libassuan0 libseccomp2
  libdevmapper1.02.1 golang-github-containers-common)
(cd "$folder" && apt-get download "${packages[@]}" >/dev/null 2>&1)
for package in "$folder"/*.deb; do dpkg-deb -x "$package" "$folder"; done
export PATH="$folder/usr/bin:$folder/usr/sbin:$PATH" HOME="$folder" XDG_CONFIG_HOME="$folder/config"
LD_LIBRARY_PATH=$(printf '%s:' "$folder"/{usr/lib,lib}/*-linux-gnu)
export LD_LIBRARY_PATH
version=$(podman --version)
echo "$version"
[ "$version" = "podman version 4.3.1" ] || { echo "not the version of this script"; exit 1; }

mkdir -p "$folder/config/containers" "$folder/files/bin"
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$folder/config/containers/policy.json"
printf '%s\n' '[storage]' 'driver = "overlay"' "runroot = \"$folder/run\"" \
  "graphroot = \"$folder/root\"" >"$folder/storage.conf"
printf '%s\n' '[containers]' 'default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]' 'log_driver = "k8s-file"' \
  '[engine]' 'cgroup_manager = "cgroupfs"' 'events_logger = "file"' 'runtime = "runc"' \
  "conmon_path = [\"$folder/usr/bin/conmon\"]" '[engine.runtimes]' \
  "runc = [\"$folder/usr/sbin/runc\"]" >"$folder/containers.conf"
export CONTAINERS_STORAGE_CONF="$folder/storage.conf" CONTAINERS_CONF="$folder/containers.conf"
podman system service --time=0 "unix://$folder/socket" >"$folder/log" 2>&1 &
service=$!
for _ in $(seq 100); do [ -S "$folder/socket" ] && break || sleep 0.1; done

ask() { # $1: path; the rest: curl's
  local path=$1
  shift
  curl -sS --unix-socket "$folder/socket" "http://d/v1.40$path" "$@"
}

cp "$folder/bin/busybox" "$folder/files/bin/"
ln -s busybox "$folder/files/bin/sh"
ln -s busybox "$folder/files/bin/seq"
tar -C "$folder/files" -c . | podman import - lines:1 >/dev/null 2>&1

LINES=60000 short=0 whole=0
for turn in $(seq 6); do
  id=$(ask /containers/create -H 'Content-Type: application/json' -d "{\"Image\": \"lines:1\",
    \"Cmd\": [\"/bin/sh\", \"-c\", \"seq $LINES\"], \"HostConfig\": {\"NetworkMode\": \"none\"}}" |
    sed 's/.*"Id":"\([0-9a-f]*\)".*/\1/')
  ask "/containers/$id/start" -X POST >/dev/null
  ask "/containers/$id/wait" -X POST >/dev/null
  followed=$(ask "/containers/$id/logs?stdout=1&follow=1" -o - | grep -a -c '[0-9]' || true)
  read_whole=$(ask "/containers/$id/logs?stdout=1" -o - | grep -a -c '[0-9]' || true)
  echo "container $turn has ended: $followed lines followed, $read_whole read without follow"
  if [ "$followed" -lt "$LINES" ]; then short=$((short + 1)); fi
  if [ "$read_whole" -eq "$LINES" ]; then whole=$((whole + 1)); fi
done
echo "of 6 logs of $LINES lines $short came short when they were followed, $whole came whole without"
[ "$short" -ge 1 ] && [ "$whole" -eq 6 ]
