#!/bin/sh
# enter.sh ROOT SHELL ROW COMMAND...: in namespaces of its own for mounts and processes, COMMAND
# below ROOT, where SHELL is /bin/sh, ROW/passwd the users, and ROW/home the home of pi.
set -eu
root=$1 shell=$2 row=$3
shift 3
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/run/sshd" "$root/run/row"
mount --bind "$row" "$root/run/row"
mount --bind "$row/passwd" "$root/etc/passwd"
mount --bind "$row/home" "$root/home/pi"
mount --bind "$root/usr/bin/$shell" "$root/usr/bin/sh"
exec chroot "$root" "$@"
