"""Packages and images that are not read: a folder that holds one is not known whole.

Told by how they begin or by what their names end in. `sources.layout` unpacks wheels, zips, tars,
Debian's packages, opkg's and Alpine's when one of them is audited by itself.
"""

from __future__ import annotations

from pathlib import PurePath

DEBIAN = b"!<arch>\ndebian-binary"
# How each begins. Sources: file(1)'s magic (filesystems, rpm, archive), apk-tools' adb.h.
MAGICS = {
    b"hsqs": ("a SquashFS image", "unsquashfs"),
    b"sqsh": ("a SquashFS image", "unsquashfs"),
    b"\xed\xab\xee\xdb": ("an RPM package", "rpm2cpio and cpio"),
    b"ADB": ("a package of Alpine's third format", "apk extract"),
    DEBIAN: ("a Debian package", "dpkg-deb -x"),
    b"070701": ("a cpio archive", "cpio -id"),
    b"070702": ("a cpio archive", "cpio -id"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "7z x"),
}
SUFFIXES = {
    ".whl": ("a wheel", "unzip"),
    ".egg": ("an egg", "unzip"),
    ".ipk": ("an opkg package", "tar and its data.tar.gz"),
    ".apk": ("an Alpine package", "tar"),
    ".pkg.tar.zst": ("a pacman package", "tar"),
    ".pkg.tar.xz": ("a pacman package", "tar"),
}
APP_IMAGE = b"AI\x02"  # at byte 8 of an ELF file, where no linker writes anything
APP_IMAGE_FORM = (
    "an AppImage: the libraries are in the image behind the program, which is not read"
    " (--appimage-extract unpacks it)"
)


def form(name: str, start: bytes) -> tuple[str, str]:
    """What kind of package a file is, for people, and what unpacks it; two empty texts where it is
    none."""
    for magic, words in MAGICS.items():
        if start.startswith(magic):
            return words
    lower = PurePath(name).name.lower()
    return next((words for end, words in SUFFIXES.items() if lower.endswith(end)), ("", ""))
