#!/usr/bin/env bash
# What Debian 12's OpenStack Swift answers over S3 to HEAD for an object that is not there, and what
# the next answer on that connection is then, to a client that keeps it open.
#
# HTTP has no body behind HEAD (RFC 9110, 9.3.2), and says 'Transfer-Encoding: chunked' where a GET
# would have one. s3api of Swift 2.30.1 leaves out Content-Length on its errors, and eventlet 0.33.1,
# which serves it, then sends the end of a chunked body: five bytes, "0", behind the head. Whoever keeps
# the connection reads them as the beginning of the next answer: aiohttp (s3fs, fsspec) ends in
# 'Bad status line', and the request that failed is one that was right. Swift 2.38.3 on eventlet 0.41.3
# sends nothing behind the head. So buildmatrix asks by a listing whether an object is there
# (buildmatrix/remote.py).
#
# Seen on 2026-11-28 with Python 3.11: s3fs 2026.9.0 put no object at all on Swift 2.30.1 after it had
# asked for one that was not there.
set -euo pipefail

folder=$(mktemp -d)
servers=()
stop() {
  if [ ${#servers[@]} -gt 0 ]; then kill "${servers[@]}" 2>/dev/null || true; fi
  servers=()
}
trap 'stop; rm -rf "$folder"' EXIT

serve() { # $1: bin folder of an environment, $2: folder for its files, $3: first port
  local bin=$1 at=$2 port=$3 kind
  mkdir -p "$at/disks/one"
  printf '%s\n' '[swift-hash]' 'swift_hash_path_suffix = a' 'swift_hash_path_prefix = a' \
    '[storage-policy:0]' 'name = one' 'default = yes' >"$at/swift.conf"
  for kind in account container object proxy; do
    printf '%s\n' '[DEFAULT]' 'bind_ip = 127.0.0.1' "bind_port = $port" "swift_dir = $at" \
      "user = $(id -un)" 'workers = 0' "devices = $at/disks" 'mount_check = false' \
      "log_address = $at/none" >"$at/$kind.conf"
    if [ $kind = proxy ]; then
      printf '%s\n' '[pipeline:main]' \
        'pipeline = catch_errors cache listing_formats s3api tempauth copy slo dlo proxy-server' \
        '[app:proxy-server]' 'use = egg:swift#proxy' 'allow_account_management = true' \
        'account_autocreate = true' '[filter:s3api]' 'use = egg:swift#s3api' \
        'location = us-east-1' '[filter:tempauth]' 'use = egg:swift#tempauth' \
        'user_test_tester = testing .admin' '[filter:cache]' 'use = egg:swift#memcache' \
        'memcache_servers = 127.0.0.1:9' >>"$at/proxy.conf"
      for part in catch_errors listing_formats copy slo dlo; do
        printf '%s\n' "[filter:$part]" "use = egg:swift#$part" >>"$at/proxy.conf"
      done
    else
      printf '%s\n' '[pipeline:main]' "pipeline = $kind-server" "[app:$kind-server]" \
        "use = egg:swift#$kind" >>"$at/$kind.conf"
      "$bin/swift-ring-builder" "$at/$kind.builder" create 4 1 0 >/dev/null
      "$bin/swift-ring-builder" "$at/$kind.builder" add "r1z1-127.0.0.1:$port/one" 1 >/dev/null
      "$bin/swift-ring-builder" "$at/$kind.builder" rebalance >/dev/null
    fi
    "$bin/swift-$kind-server" "$at/$kind.conf" >"$at/$kind.log" 2>&1 &
    servers+=($!)
    port=$((port + 1))
  done
}

cat >"$folder/ask.py" <<'PYTHON'
"""Prints what stands behind the head of the answer to HEAD for an object that is not there."""
import base64, email.utils, hashlib, hmac, socket, sys, time

port = int(sys.argv[1])


def ask(method: str, path: str) -> bytes:
    date = email.utils.formatdate(usegmt=True)
    text = f"{method}\n\n\n{date}\n{path}".encode()
    mark = base64.b64encode(hmac.new(b"testing", text, hashlib.sha1).digest()).decode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nDate: {date}\r\nContent-Length: 0\r\n"
    with socket.create_connection(("127.0.0.1", port), 5) as line:
        line.sendall(f"{head}Authorization: AWS test:tester:{mark}\r\n\r\n".encode())
        line.settimeout(3)  # the server keeps the connection open
        answer = b""
        try:
            while piece := line.recv(65536):
                answer += piece
        except TimeoutError:
            pass
    return answer


for _ in range(60):
    try:
        if ask("PUT", "/bucket").split()[1] == b"200":
            break
    except OSError:
        pass
    time.sleep(1)
head, _, behind = ask("HEAD", "/bucket/nothing").partition(b"\r\n\r\n")
print(head.split(b"\r\n")[0].decode(), "and behind the head:", behind)
PYTHON

answer() { # $1: a port; the rest: what to install
  local port=$1
  shift
  python3 -m venv "$folder/$port"
  "$folder/$port/bin/pip" install -q --disable-pip-version-check "$@" PyEClib==1.8.0 'setuptools<81'
  serve "$folder/$port/bin" "$folder/$port/swift" "$port"
  "$folder/$port/bin/python" "$folder/ask.py" $((port + 3))
  stop
}

old=$(answer 7610 swift==2.30.1 eventlet==0.33.1 dnspython==2.2.1 2>"$folder/log")
new=$(answer 7620 swift==2.38.3 eventlet==0.41.3 2>>"$folder/log")
echo "swift 2.30.1, eventlet 0.33.1: $old"
echo "swift 2.38.3, eventlet 0.41.3: $new"
[ "$old" = "HTTP/1.1 404 Not Found and behind the head: b'0\\r\\n\\r\\n'" ]
[ "$new" = "HTTP/1.1 404 Not Found and behind the head: b''" ]
