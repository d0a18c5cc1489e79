"""An object server of a test's own: OpenStack Swift with its S3 interface, on loopback.

Debian's package: one server each for accounts, containers and objects, one disk, one copy, and the
proxy that speaks S3 (s3api) to users of its own list (tempauth).
"""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.sshd import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = ("account", "container", "object")
USER, PASSWORD = "test:tester", "testing"
SECONDS = 60  # until all of them answer, on a busy machine

HEAD = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {folder}
user = root
workers = 0
log_address = {folder}/nobody-listens
"""
STORAGE = """\
devices = {folder}/disks
mount_check = false
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
PROXY = """\
[pipeline:main]
pipeline = catch_errors cache listing_formats s3api tempauth copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:9
"""
PARTS = ("catch_errors", "listing_formats", "copy", "slo", "dlo")


@dataclass(frozen=True, slots=True)
class Swift:
    """Where it answers, and the variables by which S3's programs find it."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": USER,
            "AWS_SECRET_ACCESS_KEY": PASSWORD,
        }


@contextmanager
def swift(folder: Path) -> Iterator[Swift]:
    """The servers, everything of theirs below `folder`; ended afterwards."""
    (folder / "disks" / "one").mkdir(parents=True)
    (folder / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = test\nswift_hash_path_prefix = test\n"
        "[storage-policy:0]\nname = one\ndefault = yes\n"
    )
    with ExitStack() as running:
        for kind in KINDS:
            port = free_port()
            _ring(folder / f"{kind}.builder", port)
            text = HEAD + STORAGE
            running.enter_context(_server(folder, kind, text.format(**locals())))
        port = free_port()
        parts = "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in PARTS)
        text = HEAD.format(**locals()) + PROXY + parts
        running.enter_context(_server(folder, "proxy", text))
        _answers(f"http://127.0.0.1:{port}/", folder)
        yield Swift(f"http://127.0.0.1:{port}")


def _ring(builder: Path, port: int) -> None:
    for words in (
        ("create", "4", "1", "0"),
        ("add", f"r1z1-127.0.0.1:{port}/one", "1"),
        ("rebalance",),
    ):
        subprocess.run(
            ["swift-ring-builder", str(builder), *words], check=True, capture_output=True
        )


@contextmanager
def _server(folder: Path, kind: str, text: str) -> Iterator[None]:
    settings = folder / f"{kind}-server.conf"
    settings.write_text(text)
    with (folder / f"{kind}.log").open("wb") as log:
        process = subprocess.Popen(
            [f"swift-{kind}-server", str(settings), "-v"], stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def _answers(url: str, folder: Path) -> None:
    """Wait until the proxy refuses whoever has not logged in."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError as answer:
            answer.close()
            return
        except OSError:
            log = (folder / "proxy.log").read_text()[-2000:]
            assert time.monotonic() < end, f"no answer within {SECONDS} s\n{log}"
            time.sleep(0.2)
        else:
            return
