#!/usr/bin/env bash
# paramiko 5.1.0 offers SSH's compression (zlib and zlib@openssh.com). RFC 4253, 6.2, carries one
# stream of zlib from message to message, so that what was said once is cheap to say again. paramiko
# ends each message with a full flush, which forgets all before it: of messages that are like one
# another, as lines of a log, it saves nothing, and of long ones each 32 KiB are packed by
# themselves. A partial flush, as OpenSSH does it, is read by every server just as well.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check paramiko==5.1.0

"$folder/venv/bin/python" - <<'PYTHON'
import socket
import threading
import zlib

import paramiko

LINES = [
    f"2026-11-30 08:{n // 60:02}:{n % 60:02} layer conv{n % 7} of mobilenet_v2, {n % 4} threads, "
    f"NHWC, XNNPACK: {n * 37 % 997} us, {n * 91 % 3000} cache misses\n".encode()
    for n in range(600)
]


class Door(paramiko.ServerInterface):
    def check_auth_none(self, name):
        return paramiko.AUTH_SUCCESSFUL

    def get_allowed_auths(self, name):
        return "none"

    def check_channel_request(self, kind, number):
        return paramiko.OPEN_SUCCEEDED


class Counted:
    """A socket that knows how much was sent."""

    def __init__(self, inner):
        self.inner, self.bytes = inner, 0

    def send(self, data):
        sent = self.inner.send(data)
        self.bytes += sent
        return sent

    def __getattr__(self, name):
        return getattr(self.inner, name)


def sent(packed, flush=None):
    """Bytes on the wire for all lines, a message each; and what the other side read."""
    here, there = socket.socketpair()
    wire = Counted(here)
    server = paramiko.Transport(there)
    server.add_server_key(paramiko.ECDSAKey.generate())
    server.start_server(server=Door(), event=threading.Event())
    client = paramiko.Transport(wire)
    client.use_compression(packed)
    server.use_compression(packed)
    client.start_client(timeout=30)
    client.auth_none("somebody")
    if flush is not None:
        stream = zlib.compressobj()
        client.packetizer.set_outbound_compressor(
            lambda data: stream.compress(data) + stream.flush(flush))
    assert client.local_compression == ("zlib@openssh.com" if packed else "none")
    channel = client.open_session(timeout=30)
    taken = server.accept(30)
    before, read = wire.bytes, b""
    for line in LINES:
        channel.sendall(line)
    while len(read) < sum(map(len, LINES)):
        read += taken.recv(1 << 16)
    count = wire.bytes - before
    client.close()
    server.close()
    assert read == b"".join(LINES)
    return count


plain, own = sent(False), sent(True)
size = sum(map(len, LINES))
print(f"paramiko {paramiko.__version__}: {len(LINES)} lines of a log, {size} bytes, a message each")
print(f"on the wire: {plain} plain; {own} packed by paramiko ({own / plain:.2f})")
# The same messages by one stream that is flushed partially, from the first message after login on.
kept = sent(True, zlib.Z_PARTIAL_FLUSH)
print(f"{kept} packed by one stream, read by the same server ({kept / plain:.2f})")
assert own > 0.8 * plain, "paramiko keeps what it has sent now"
assert kept < 0.75 * own, "a partial flush gains nothing now"
PYTHON
