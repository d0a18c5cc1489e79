#!/usr/bin/env bash
# Debian 12's QEMU 7.2: qemu-arm of qemu-user takes -plugin, qemu-arm-static of the same version does
# not, and neither package brings qemu-plugin.h to compile a plugin with. What binfmt runs in a
# container is the static one, so nothing there can be counted by a plugin.
set -euo pipefail
version='1:7.2+dfsg-7+deb12u18+b3'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -q "qemu-user:amd64=$version" "qemu-user-static:amd64=$version" > /dev/null
for package in qemu-user qemu-user-static; do
  dpkg-deb -x "$package"_*.deb "$package"
done
echo "version $version"
./qemu-user/usr/bin/qemu-arm -h > dynamic
./qemu-user-static/usr/bin/qemu-arm-static -h > static
echo "qemu-arm -h: $(grep -c -- '^-plugin' dynamic) line of -plugin (seen: 1)"
echo "qemu-arm-static -h: $(grep -c -- '^-plugin' static || true) (seen: 0)"
headers=$(find . -name 'qemu-plugin*.h' | wc -l)
echo "headers: $headers (seen: 0)"
grep -q -- '^-plugin' dynamic
if grep -q -- '^-plugin' static; then exit 1; fi
[ "$headers" = 0 ]
