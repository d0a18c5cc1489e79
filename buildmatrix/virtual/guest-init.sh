#!/bin/sh
# PID 1 of the virtual Pi, under Debian's tools or busybox: mounts, network, SSH, and a loop that
# obeys the serial line. What differs between kinds stands on the kernel command line; what
# differs between boards of a kind comes over the line, because a snapshot has no board's key.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs -o mode=755,size=64m tmpfs /run
mount -t tmpfs -o mode=1777,size=128m tmpfs /tmp
mkdir -p /run/sshd /run/lock /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm

hostname raspberrypi
ip link set lo up
tries=0
while [ ! -e /sys/class/net/eth0 ] && [ $tries -lt 150 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2

obey() { # lines `board KEY SECONDS-SINCE-1970`
  until grep -q ':0016 .* 0A ' /proc/net/tcp; do sleep 0.1; done # port 22 listens
  echo 'board: up'
  while read -r word key now; do
    [ "$word" = board ] || continue
    date -s "@$now" >/dev/null
    for home in /root /home/pi; do echo "ssh-ed25519 $key" >$home/.ssh/authorized_keys; done
    sync # the key must outlive a power cut
    echo 'board: ready'
  done
}

echo 1 >/proc/sys/kernel/perf_event_paranoid # Debian's 3 forbids users the instruction counter
personality= # linux32: uname -m and /proc/cpuinfo as 32-bit programs see them on a 32-bit kernel
read -r words </proc/cmdline
case $words in *board.personality=linux32*) personality=linux32 ;; esac
obey </dev/console >/dev/console 2>&1 &
while :; do
  $personality /usr/lib/board/serve
  sleep 1
done
