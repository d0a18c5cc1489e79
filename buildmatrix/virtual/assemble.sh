#!/bin/sh
# assemble.sh DEBS DATA HOSTKEY ROOT DISK SIZE, under fakeroot: Debian packages -> ext4 image.
# HOSTKEY is OpenSSH's form; HOSTKEY.dropbear, the same key, dropbear's.
# The packages are only unpacked. What their maintainer scripts would have done that matters
# to a board with sshd is written here, so that no ARM code runs and no binfmt is needed.
set -eu
debs=$1 data=$2 hostkey=$3 root=$4 disk=$5 size=$6
export PATH="$PATH:/usr/sbin:/sbin"

merged() { # directories that every root has, /usr merged
  mkdir -p "$1/usr/bin" "$1/usr/sbin" "$1/usr/lib/board"
  for dir in bin sbin lib; do ln -s "usr/$dir" "$1/$dir"; done
  install -m 755 "$data/guest-init.sh" "$1/usr/lib/board/init"
}

serves() { # ROOT LINE: how its SSH server is started, in the foreground
  printf '#!/bin/sh\n%s\n' "$2" >"$1/usr/lib/board/serve"
  chmod 755 "$1/usr/lib/board/serve"
}

homes() { # board-init only fills the files, which keeps owner and mode
  for home in "$1/home/pi" "$1/root"; do
    mkdir -p "$home/.ssh"
    : >"$home/.ssh/authorized_keys"
    chmod 600 "$home/.ssh/authorized_keys"
    chmod 700 "$home" "$home/.ssh"
  done
  chown -R 1000:1000 "$1/home/pi"
}

merged "$root"
serves "$root" 'exec /usr/sbin/sshd -D -e'
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
homes "$root"

# Further roots on the same disk, for board.userland: of Debian only what is named here. The initrd
# makes the applets' links, and mounts Debian's libraries over the folder that is empty for them.
libs=usr/lib/arm-linux-gnueabihf
dropbear='exec /usr/sbin/dropbear -F -E -s -r /etc/dropbear/host'

tiny() { # NAME: busybox, users and folders; sets $tiny
  tiny=$root/usr/lib/board/$1
  merged "$tiny"
  for dir in etc proc sys dev run tmp var mnt; do mkdir "$tiny/$dir"; done
  cp "$root/usr/lib/board/applets" "$tiny/usr/bin/busybox"
  for name in group shadow shells nsswitch.conf hostname hosts; do
    cp -a "$etc/$name" "$tiny/etc/"
  done
  sed 's|/bin/bash$|/bin/sh|' "$etc/passwd" >"$tiny/etc/passwd"
  homes "$tiny"
}

host_key() { # ROOT: dropbear's
  mkdir "$1/etc/dropbear"
  install -m 600 "$hostkey.dropbear" "$1/etc/dropbear/host"
}

if [ -e "$root/usr/bin/busybox" ]; then
  mv "$root/usr/bin/busybox" "$root/usr/lib/board/applets"
  mv "$root/usr/sbin/dropbear" "$root/usr/lib/board/server"

  tiny busybox
  mkdir "$tiny/$libs"
  cp -a "$root/usr/lib/ld-linux-armhf.so.3" "$tiny/usr/lib/"
  cp "$root/usr/sbin/sshd" "$tiny/usr/lib/board/" # not in anybody's PATH
  cp -a "$etc/ssh" "$tiny/etc/"
  serves "$tiny" 'exec /usr/lib/board/sshd -D -e'

  tiny dropbear
  mkdir "$tiny/$libs"
  cp -a "$root/usr/lib/ld-linux-armhf.so.3" "$tiny/usr/lib/"
  cp "$root/usr/lib/board/server" "$tiny/usr/sbin/dropbear"
  host_key "$tiny"
  serves "$tiny" "$dropbear"

  # musl is the libc that is found here, as on Alpine. Debian's dropbear is linked to glibc: it gets
  # one of its own, where no loader looks, by a name of the same length in its header.
  tiny musl
  mv "$root/usr/lib/ld-musl-armhf.so.1" "$root/usr/lib/arm-linux-musleabihf" "$tiny/usr/lib/"
  mkdir "$tiny/opt"
  for lib in libtomcrypt.so.1 libtommath.so.1 libgmp.so.10 libz.so.1 libcrypt.so.1 libc.so.6; do
    cp -L "$root/$libs/$lib" "$tiny/opt/"
  done
  cp -L "$root/usr/lib/ld-linux-armhf.so.3" "$tiny/opt/"
  sed 's|/lib/ld-linux-armhf.so.3|/opt/ld-linux-armhf.so.3|' "$root/usr/lib/board/server" \
    >"$tiny/usr/sbin/dropbear"
  chmod 755 "$tiny/usr/sbin/dropbear"
  host_key "$tiny"
  serves "$tiny" "LD_LIBRARY_PATH=/opt $dropbear"

  rm -f "$root/usr/lib/board/applets" "$root/usr/lib/board/server"
fi

mke2fs -q -F -t ext4 -L board -d "$root" "$disk" "$size"
