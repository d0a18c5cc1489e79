# Who is at work: a token that no other process of this board has, before or after a reboot.
set -u
umask 022
export LC_ALL=C

read -r boot < /proc/sys/kernel/random/boot_id

ticks() { # PID: sets $ticks to its start time; fails when it is gone or a zombie
    { read -r stat < "/proc/$1/stat"; } 2> /dev/null || return 1
    # shellcheck disable=SC2086 # fields 3 and up, after '(name)'
    set -- ${stat##*\) }
    [ "$1" != Z ] || return 1
    shift 19
    ticks=$1
}

token() { # PID: sets $token
    ticks "$1" && token=$1.$ticks.$boot
}

alive() { # TOKEN: does the process that wrote it still run?
    ticks "${1%%.*}" && [ "$1" = "${1%%.*}.$ticks.$boot" ]
}

token $$
work=tmp/$token

claim() { # a folder of our own, whose name says whose it is
    mkdir -p tmp && mkdir -p "$work"
}
