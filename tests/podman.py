"""Podman as a container engine of a test's own: the installed one, trixie's, and a user's.

The service's socket, its images and its containers are below one folder. Another suite's Podman has
that suite's /usr in a mount namespace of its own, so that all other paths mean what they mean here.
"""

from __future__ import annotations

import os
import signal
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
ROOTLESS = "slirp4netns"  # a user's images reach the network by it; from the installed one's suite
USER = 12346  # nobody of this machine
LINES = {  # what this machine's files say of that user in the user's own namespace
    "passwd": f"buildmatrix-test:x:{USER}:{USER}::/:/bin/sh\n",
    "group": f"buildmatrix-test:x:{USER}:\n",
    "subuid": f"{USER}:200000:65536\n",
    "subgid": f"{USER}:200000:65536\n",
}
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
        _await(folder, process, folder / "log")
        yield url
    finally:
        process.terminate()
        process.wait(60)
        overlay = folder / "root" / "overlay"  # Podman binds it to itself
        subprocess.run(["umount", "-l", overlay], check=False, stderr=subprocess.DEVNULL)


@contextmanager
def serving_a_user(folder: Path, root: Path) -> Iterator[tuple[str, list[str]]]:
    """A service of the installed Podman as a user who is nobody else, and the words before a
    command that run it as that user. `root`: where ROOTLESS is unpacked."""
    home, run = folder / "home", folder / "run"
    for path in (home, run):
        path.mkdir(mode=0o700)
        os.chown(path, USER, USER)
    binds = []
    for name, line in LINES.items():
        at = Path("/etc", name)
        (folder / name).write_text((at.read_text() if at.exists() else "") + line)
        binds.append(f"touch {at} && mount --bind {folder / name} {at}")
    folder.chmod(0o755)
    (folder / "containers.conf").write_text(CONTAINERS)
    settings = {
        "HOME": home,
        "XDG_RUNTIME_DIR": run,
        "PATH": f"{root}/usr/bin:/usr/bin:/usr/sbin:/bin",
        "LD_LIBRARY_PATH": root / "usr/lib/x86_64-linux-gnu",
        "CONTAINERS_CONF": folder / "containers.conf",
    }
    words = [f"{name}={value}" for name, value in settings.items()]
    as_user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    argv = [*as_user, "env", "-i", *words, "podman", "system", "service", "--time=0"]
    url = f"unix://{run}/podman.sock"
    enter = " && ".join(["mount --make-rprivate /", *binds, 'exec "$0" "$@"'])
    with (folder / "log").open("wb") as log:
        service = ["unshare", "-m", "sh", "-c", enter, *argv, url]
        process = subprocess.Popen(
            service, cwd=home, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await(run, process, folder / "log")
        yield url, as_user
    finally:
        if process.poll() is None:  # or it never served, and its log says why
            os.killpg(process.pid, signal.SIGTERM)  # it has begun itself again in a namespace
            process.wait(60)
        # It leaves a process that holds its namespace, and what is mounted in there.
        pause = run / "libpod/tmp/pause.pid"
        if pause.exists():
            os.kill(int(pause.read_text()), signal.SIGKILL)


def _await(folder: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 120
    while not (folder / "podman.sock").exists():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


def unpacked(shelf: Path, suite: str, packages: str = PACKAGES) -> Path:
    """A folder of `shelf`, made when it is missing: Podman of a suite, or others of its packages,
    and all that it needs."""
    folder = shelf / f"{packages.split(maxsplit=1)[0]}-{suite}"
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
            for deb in sorted(apt.with_dependencies(packages.split()).glob("*.deb")):
                tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
                unpack = ["tar", "-x", "-C", str(made), "--keep-directory-symlink"]
                subprocess.run(unpack, stdin=tar.stdout, check=True)
                tar.communicate()
            made.rename(folder)
    return folder
