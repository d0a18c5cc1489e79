"""Podman as a container engine of a test's own: the installed one, and trixie's, unpacked.

The service's socket, its images and its containers are below one folder. Another suite's Podman has
that suite's /usr in a mount namespace of its own, so that all other paths mean what they mean here.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.upstreams import debian_mirror
from buildmatrix.virtual.apt import Apt

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = "podman runc catatonit netavark aardvark-dns bash coreutils mount util-linux iptables"
# cgroupfs: nothing here runs systemd. runc: crun takes no hybrid of cgroup versions 1 and 2. The
# limits: Podman raises them for each container, which a container may not that CI runs in.
CONTAINERS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""
ENTER = 'mount --make-rprivate / && mount --bind "$0/usr" /usr && mount -t tmpfs tmpfs /run && '


WITHOUT = 'mount --make-rprivate / && mount -t tmpfs tmpfs "$0" && '


@contextmanager
def serving(folder: Path, root: Path | None = None, *, hidden: Path | None = None) -> Iterator[str]:
    """A service of Podman for DOCKER_HOST. `root`: the suite that it is taken from; `hidden`: a
    folder that is empty for the installed one."""
    storage = {"driver": '"overlay"', "runroot": f'"{folder}/run"', "graphroot": f'"{folder}/root"'}
    lines = (f"{name} = {value}\n" for name, value in storage.items())
    (folder / "storage.conf").write_text("[storage]\n" + "".join(lines))
    (folder / "containers.conf").write_text(CONTAINERS)
    settings = {
        **os.environ,
        "CONTAINERS_STORAGE_CONF": f"{folder}/storage.conf",
        "CONTAINERS_CONF": f"{folder}/containers.conf",
    }
    url = f"unix://{folder}/podman.sock"
    argv = ["podman", "system", "service", "--time=0", url]
    if root:
        argv = ["unshare", "-m", "sh", "-c", ENTER + 'exec "$@"', str(root), *argv]
    if hidden:
        argv = ["unshare", "-m", "sh", "-c", WITHOUT + 'exec "$@"', str(hidden), *argv]
    with (folder / "log").open("wb") as log:
        # conmon leaves a file `oom` where it works.
        process = subprocess.Popen(argv, cwd=folder, env=settings, stdout=log, stderr=log)
    try:
        _await(folder, process)
        yield url
    finally:
        process.terminate()
        process.wait(60)
        overlay = folder / "root" / "overlay"  # Podman binds it to itself
        subprocess.run(["umount", "-l", overlay], check=False, stderr=subprocess.DEVNULL)


def _await(folder: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while not (folder / "podman.sock").exists():
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < end, (folder / "log").read_text()
        time.sleep(0.05)


def unpacked(shelf: Path, suite: str) -> Path:
    """The folder `shelf`/podman-SUITE, made when it is missing: Podman and all that it needs."""
    folder = shelf / f"podman-{suite}"
    if not folder.exists():
        shelf.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=shelf, prefix="making.") as scratch:
            made = Path(scratch) / "root"
            for name in ("bin", "sbin", "lib", "lib64"):
                (made / "usr" / name).mkdir(parents=True)
                (made / name).symlink_to(f"usr/{name}")
            apt = Apt(
                Path(scratch, "apt"), mirror=debian_mirror(), architecture="amd64", suite=suite
            )
            for deb in sorted(apt.with_dependencies(PACKAGES.split()).glob("*.deb")):
                tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
                unpack = ["tar", "-x", "-C", str(made), "--keep-directory-symlink"]
                subprocess.run(unpack, stdin=tar.stdout, check=True)
                tar.communicate()
            made.rename(folder)
    return folder
