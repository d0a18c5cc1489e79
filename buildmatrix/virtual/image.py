"""What boards are booted from: a disk and a kernel, made once, shared, never written to."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.virtual import host
from buildmatrix.virtual.kernel import kernel
from buildmatrix.virtual.rootfs import root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from buildmatrix.protocols import Reporter
    from buildmatrix.virtual.cache import Used
    from buildmatrix.virtual.kinds import Kind


@dataclass(frozen=True, slots=True)
class Image:
    root: Path  # disk.img, host_key.pub
    kernel: Path | None  # vmlinuz, initrd.gz; None: the host's, for a container

    @property
    def uses(self) -> tuple[str, ...]:
        """Names of the directories that must stay for a board made from it."""
        return (self.root.name, self.kernel.name) if self.kernel else (self.root.name,)


@contextlib.contextmanager
def image(
    shelf: Path, kind: Kind, *, mirror: str, used: Used, reporter: Reporter
) -> Iterator[Image]:
    """The image, made when the shelf has none yet, there for as long as the context lasts.

    Raises DeviceError when a host program is missing or a step fails.
    """
    host.require()
    with root(shelf, kind.root, mirror=mirror, used=used, reporter=reporter) as disk:
        if not kind.kernel:
            yield Image(disk, None)
            return
        with kernel(shelf, kind.kernel, mirror=mirror, used=used, reporter=reporter) as linux:
            yield Image(disk, linux)
