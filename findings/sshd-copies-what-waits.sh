#!/usr/bin/env bash
# OpenSSH 9.2p1's server keeps what a command has not read yet in a buffer, which it makes anew, and
# copies, for each packet by which it grows (sshbuf grows to what is asked for, rounded up to 256
# bytes). Its window lets 2 MiB wait so. Who sends 8 MB as fast as the link takes them has it make
# some hundred buffers, of 25 times what was sent; in pieces of 256 KiB, with time to read each,
# none. A small board's sshd that falls behind so is kept behind: 3.9 s of CPU for 8.6 MB on an
# emulated Pi, and 2.0 with half a MiB under way. Debian bookworm's packages; strace tells.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
server=
cd "$folder"
apt-get download -qq strace=6.1-0.1 openssh-server=1:9.2p1-2+deb12u10 libnss-wrapper=1.1.12-1 \
  openssh-client=1:9.2p1-2+deb12u10 >/dev/null 2>&1
for package in *.deb; do dpkg-deb -x "$package" root; done
mkdir -p /run/sshd
root/usr/bin/ssh-keygen -q -t ed25519 -N '' -f host
root/usr/bin/ssh-keygen -q -t ed25519 -N '' -f user
echo "root:x:0:0::$folder:/bin/sh
sshd:x:101:65534::/run/sshd:/usr/sbin/nologin" >passwd
printf '%s\n' 'Port 2299' 'ListenAddress 127.0.0.1' "HostKey $folder/host" 'StrictModes no' \
  "AuthorizedKeysFile $folder/user.pub" "PidFile $folder/pid" 'UsePAM no' >config
wrapper=$(find root -name 'libnss_wrapper.so')
serve() { # stdin goes to `cat` there; prints how many buffers of 512 KiB and more sshd made, and MB
  rm -f log.*
  LD_PRELOAD=$folder/$wrapper NSS_WRAPPER_PASSWD=$folder/passwd NSS_WRAPPER_GROUP=/etc/group \
    root/usr/bin/strace -ff -o log -e trace=mmap,mremap "$folder/root/usr/sbin/sshd" -D -f config &
  server=$!
  for _ in $(seq 100); do [ -s pid ] && break; sleep 0.1; done
  root/usr/bin/ssh -F none -p 2299 -i user -o IdentitiesOnly=yes \
    -o StrictHostKeyChecking=no -o UserKnownHostsFile="$folder/known" root@127.0.0.1 "cat >/dev/null" 2>/dev/null
  kill "$(cat pid)"
  wait "$server" || true
  rm -f pid
  cat log.* | sed -n 's/^mmap(NULL, \([0-9]*\), .*MAP_ANONYMOUS.*/\1/p' |
    awk '$1 >= 524288 && $1 < 4194304 { sum += $1; count++ } END { printf "%d %d\n", count, sum / 1e6 }'
}
at_once=$(head -c 8388608 /dev/zero | serve)
paced=$(for _ in $(seq 32); do head -c 262144 /dev/zero; sleep 0.2; done | serve)
echo "buffers made, and MB of them: $at_once for 8 MiB sent at once, $paced in 32 pieces"
if [ "${at_once#* }" -lt 80 ] || [ "${paced#* }" -gt 8 ]; then exit 1; fi
