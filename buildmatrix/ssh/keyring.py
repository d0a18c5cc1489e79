"""Private keys in files, and the person who is asked for secrets. Secrets stay in memory."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import paramiko

from buildmatrix.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TRIES = 3  # of a passphrase, and of a password


class Locked(Exception):
    """The file has a passphrase, and this is not it."""


class Unusable(Exception):
    """Not a private key that can be read here."""


class Keyring:
    """Asks for passphrases and passwords, and keeps the private keys that were unlocked.

    One for a process, so that a passphrase is asked for once. `ask` shows a prompt and returns
    what a person typed unseen, as getpass does; None when there is no terminal.
    """

    def __init__(self, ask: Callable[[str], str] | None = None) -> None:
        self.ask = ask
        self._unlocked: dict[Path, paramiko.PKey | None] = {}
        self._lock = threading.Lock()  # boards in parallel: one question at a time, and once

    def without_a_person(self) -> Keyring:
        """What is unlocked now, and nobody is asked for the rest."""
        other = Keyring()
        with self._lock:
            other._unlocked = dict(self._unlocked)
        return other

    def unlock(self, path: Path) -> paramiko.PKey | None:
        """The key in a file that has a passphrase; None when nobody gives it."""
        with self._lock:
            if path not in self._unlocked:
                self._unlocked[path] = self._open(path)
            return self._unlocked[path]

    def password(self, prompt: str) -> bytes:
        """Empty when nobody gives it. It is not kept."""
        with self._lock:
            return self._answer(prompt)

    def _open(self, path: Path) -> paramiko.PKey | None:
        prompt = f"passphrase for {path}: "
        for _ in range(TRIES):
            passphrase = self._answer(prompt)
            if not passphrase:
                return None
            with contextlib.suppress(Locked):
                return load(path, passphrase)
            prompt = f"that is not it; {prompt}"
        raise DeviceError(
            f"{TRIES} wrong passphrases",
            where=str(path),
            hint=f"`ssh-keygen -y -f {path}` tells whether you have the right one",
        )

    def _answer(self, prompt: str) -> bytes:
        """In bytes, because an encoding error would quote what was typed."""
        with contextlib.suppress(EOFError):
            if self.ask is not None:
                return self.ask(prompt).encode("utf-8", "surrogateescape")
        return b""


def load(path: Path, passphrase: bytes | None = None) -> paramiko.PKey:
    """The private key in a file. Raises FileNotFoundError, Locked, or Unusable with the reason."""
    try:
        # it takes bytes, whatever its annotation says
        return paramiko.PKey.from_path(str(path), passphrase)  # type: ignore[arg-type]
    except TypeError:
        raise Locked from None
    except ValueError as error:
        if passphrase is None:
            raise Unusable("no private key in a format that is read here") from error
        raise Locked from None
    except FileNotFoundError:
        raise
    except Exception as error:  # paramiko and cryptography raise whatever they like
        raise Unusable(f"cannot be read here: {type(error).__name__} {error}") from error
