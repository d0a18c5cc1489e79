# After enter.sh, in mode meet: says at once where there is no prefix and one can be made, and how a
# stream may be packed that goes there. dpkg-deb, which every Debian has, unpacks zstd from Debian 12
# on; a link is busybox's, which does not.
# Each line is a whole statement, as in enter.sh.
alone='' has=''
[ -z "$fresh" ] || [ ! -w "${HOME-}" ] || alone=plain
{ [ -z "$alone" ] || read -r has < /etc/debian_version; } 2> /dev/null
case $line$alone${has%%.*} in *zstdplain1[2-9] | *zstdplain[2-9][0-9]) [ ! -L /usr/bin/dpkg-deb ] && [ -x /usr/bin/dpkg-deb ] && alone=deb ;; esac
case $line$alone in *zstdplain | *zstddeb) command -v zstd > /dev/null && alone=zstd ;; esac
[ -z "$alone" ] || echo "alone $alone"
