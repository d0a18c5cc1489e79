#!/bin/sh
# assemble.sh DEBS DATA HOSTKEY ROOT DISK SIZE, under fakeroot: armhf packages -> ext4 image.
# The packages are only unpacked. What their maintainer scripts would have done that matters
# to a board with sshd is written here, so that no armhf code runs and no binfmt is needed.
set -eu
debs=$1 data=$2 hostkey=$3 root=$4 disk=$5 size=$6
export PATH="$PATH:/usr/sbin:/sbin"

mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib"
for dir in bin sbin lib; do ln -s "usr/$dir" "$root/$dir"; done
for deb in "$debs"/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -C "$root" -xf - --keep-directory-symlink -p \
    --numeric-owner --no-overwrite-dir --delay-directory-restore
done

# base-passwd, openssh-server, and the user of Raspberry Pi OS
etc=$root/etc
cp "$root/usr/share/base-passwd/passwd.master" "$etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$etc/group"
cat >>"$etc/passwd" <<END
sshd:x:100:65534::/run/sshd:/usr/sbin/nologin
pi:x:1000:1000:,,,:/home/pi:/bin/bash
END
echo 'pi:x:1000:' >>"$etc/group"
# '*' and not '!': sshd without PAM refuses a locked account even with a key
awk -F: '{print $1 ":*:19700:0:99999:7:::"}' "$etc/passwd" >"$etc/shadow"
chmod 640 "$etc/shadow"
chown 0:42 "$etc/shadow"

# dash, mawk, libc-bin
[ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
ln -sf mawk "$root/usr/bin/awk"
printf '/bin/sh\n/bin/bash\n' >"$etc/shells"
[ -e "$etc/nsswitch.conf" ] || cp "$root/usr/share/libc-bin/nsswitch.conf" "$etc/nsswitch.conf"

# sshd: keys only. The host key comes from the host, so its fingerprint is known beforehand.
mkdir -p "$etc/ssh/sshd_config.d"
cp "$root/usr/share/openssh/sshd_config" "$etc/ssh/sshd_config"
cat >"$etc/ssh/sshd_config.d/10-board.conf" <<END
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
UseDNS no
END
install -m 600 "$hostkey" "$etc/ssh/ssh_host_ed25519_key"
install -m 644 "$hostkey.pub" "$etc/ssh/ssh_host_ed25519_key.pub"

echo raspberrypi >"$etc/hostname"
echo '127.0.0.1 localhost raspberrypi' >"$etc/hosts"
mkdir -p "$root/home/pi/.ssh" "$root/root/.ssh"
chmod 700 "$root/home/pi" "$root/home/pi/.ssh" "$root/root" "$root/root/.ssh"
chown -R 1000:1000 "$root/home/pi"
install -m 755 "$data/guest-init.sh" "$root/sbin/board-init"

mke2fs -q -F -t ext4 -L board -d "$root" "$disk" "$size"
