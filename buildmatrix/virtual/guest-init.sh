#!/bin/sh
# PID 1 of the virtual Pi: mounts, network, the client's key, sshd.
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

# The public key of this board's client stands on the kernel command line: one image, many boards.
for word in $(cat /proc/cmdline); do
  case $word in
    board.key=*)
      for home in /root /home/pi; do
        echo "ssh-ed25519 ${word#board.key=}" >"$home/.ssh/authorized_keys"
        chmod 600 "$home/.ssh/authorized_keys"
      done
      chown 1000:1000 /home/pi/.ssh/authorized_keys ;;
  esac
done

echo 1 >/proc/sys/kernel/perf_event_paranoid # Debian's 3 forbids users the instruction counter
echo "board: sshd starts" >/dev/console
# linux32: uname -m and /proc/cpuinfo as 32-bit programs see them on a Pi
while :; do
  setarch linux32 /usr/sbin/sshd -D -e
  sleep 1
done
