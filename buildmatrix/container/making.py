"""An image made from a Dockerfile, whose commands trust the certificates that this machine does.

What a command is to read must lie in a layer: builders of Docker's API mount nothing. So an image
is made with the certificates in it, and its files without them are the one layer of the image
that is kept. What there is on the way carries a label, and goes at the end.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import tarfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import APIError

from buildmatrix.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from buildmatrix.container.proxies import Reach

MAKING = "buildmatrix.making"  # a label
FOLDER = "/buildmatrix-trusted"  # in the image, as long as it is made
FILE, APT = f"{FOLDER}/ca.pem", f"{FOLDER}/apt.conf"
# apt reads no variable that names certificates, but one that names settings. By https: proxies too.
TRUSTING = {"APT_CONFIG": APT}
TRUSTING |= dict.fromkeys(("SSL_CERT_FILE", "CURL_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO"), FILE)
SETTINGS = "".join(f'Acquire::{way}::CaInfo "{FILE}";\n' for way in ("http", "https"))
STAGE = re.compile(r"^[ \t]*FROM[ \t](?:.*\\\n)*.*$", re.IGNORECASE | re.MULTILINE)
CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class Making:
    """One image as it is made: `client` is the SDK's, `labels` are put on what is there on the
    way."""

    def __init__(
        self,
        client: Any,
        tag: str,
        reach: Reach,
        labels: Mapping[str, str],
        on_line: Callable[[str], None],
    ) -> None:
        self._client, self._tag, self._reach = client, tag, reach
        self._name = f"buildmatrix/making-{uuid.uuid4().hex}"
        self._labels = {**labels, MAKING: self._name}
        self._on_line = on_line

    def make(self, context: Path) -> None:
        """The image of the Dockerfile in `context`. Raises BuildError with what a step said."""
        authority = self._reach.authority((context / "Dockerfile").read_text())
        if not authority:
            self._build(self._tag, path=str(context))
            return
        try:
            self._make_trusting(context, certificates(Path(authority)))
        finally:
            remove_images(self._client, MAKING, self._name)

    def _make_trusting(self, context: Path, trusted: bytes) -> None:
        lent, whole = f"{self._name}:lent", f"{self._name}:whole"
        files = {"ca.pem": trusted, "apt.conf": SETTINGS.encode()}
        lend = "\n".join(["FROM scratch", *labelling(self._labels), "COPY *.* /"])
        self._build(lent, fileobj=_packed({"Dockerfile": lend.encode(), **files}))

        dockerfile = context / "Dockerfile"
        written = dockerfile.read_text()
        dockerfile.write_text(trusting(written, lent, self._labels))
        try:
            self._build(whole, path=str(context))
        finally:
            dockerfile.write_text(written)

        config = self._client.api.inspect_image(whole)["Config"]
        last = without(whole, config, self._labels)
        self._build(self._tag, fileobj=_packed({"Dockerfile": last.encode()}))

    def _build(self, tag: str, **source: Any) -> None:
        """One build. Raises BuildError with what the step said."""
        steps = self._client.api.build(
            **source,
            custom_context="fileobj" in source,
            tag=tag,
            rm=True,
            forcerm=True,  # a step's container has the proxies in it, and their passwords
            nocache=True,  # a layer that was kept is yesterday's packages
            decode=True,
            buildargs=self._reach.proxies,  # they need no ARG, and stay out of the history
        )
        lines: list[str] = []
        error = ""
        for event in steps:  # to its end, which closes the connection
            for line in str(event.get("stream") or event.get("error") or "").splitlines():
                if line.strip():
                    lines.append(line)
                    self._on_line(line)
            error = error or str(event.get("error", ""))
        if error:
            details = "\n".join(lines[-15:])
            raise BuildError(f"image {self._tag} cannot be built: {error}", details=details)


def remove_images(client: Any, label: str, value: str) -> None:
    """Remove the images that have a label, those that others stand on after these.

    By trying: their times are of whole seconds, so that which stands on which is not read there.
    """
    removed = True
    while removed:
        removed = False
        for image in client.api.images(all=True, filters={"label": f"{label}={value}"}):
            with contextlib.suppress(APIError):  # it went with another, or one stands on it
                client.api.remove_image(image["Id"], force=True)
                removed = True


def certificates(authority: Path) -> bytes:
    """The certificates in PEM that a file holds, or the files of a folder, each once."""
    files = sorted(authority.iterdir()) if authority.is_dir() else [authority]
    found = [one for file in files if file.is_file() for one in CERTIFICATE.findall(_read(file))]
    if not found:
        raise BuildError(
            "no certificate in PEM is there, and an image is to be made that trusts it",
            where=str(authority),
            hint="SSL_CERT_FILE names a file of CA certificates in PEM",
        )
    return b"\n".join([*dict.fromkeys(found), b""])


def trusting(dockerfile: str, lent: str, labels: Mapping[str, str]) -> str:
    """The Dockerfile with the files of the image `lent` in each of its stages.

    >>> print(trusting("FROM debian\\nRUN apt-get update\\n", "lent:1", {}))
    FROM debian
    COPY --from=lent:1 / /buildmatrix-trusted/
    ENV APT_CONFIG="/buildmatrix-trusted/apt.conf"
    ENV SSL_CERT_FILE="/buildmatrix-trusted/ca.pem"
    ENV CURL_CA_BUNDLE="/buildmatrix-trusted/ca.pem"
    ENV PIP_CERT="/buildmatrix-trusted/ca.pem"
    ENV GIT_SSL_CAINFO="/buildmatrix-trusted/ca.pem"
    RUN apt-get update
    <BLANKLINE>
    """
    lines = [*labelling(labels), f"COPY --from={lent} / {FOLDER}/"]
    lines += [f"ENV {name}={_quoted(value)}" for name, value in TRUSTING.items()]
    return STAGE.sub(lambda stage: "\n".join([stage[0], *lines]), dockerfile)


def without(whole: str, config: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """A Dockerfile for the files of the image `whole` but what it was lent, in one layer, and for
    what its configuration says of a container, but for these labels.

    >>> config = {"Env": ["PATH=/bin", f"APT_CONFIG={APT}"], "User": "me", "Cmd": ["sh"]}
    >>> print(without("whole:1", config, {}))
    FROM whole:1 AS whole
    USER 0
    RUN rm -rf /buildmatrix-trusted
    FROM scratch
    COPY --from=whole / /
    ENV PATH="/bin"
    USER me
    CMD ["sh"]
    """
    lines = [f"FROM {whole} AS whole", "USER 0", f"RUN rm -rf {FOLDER}"]
    lines += ["FROM scratch", "COPY --from=whole / /"]
    for pair in config.get("Env") or ():
        name, _, value = pair.partition("=")
        if TRUSTING.get(name) != value:
            lines.append(f"ENV {name}={_quoted(value)}")
    own = config.get("Labels") or {}
    lines += labelling({name: value for name, value in own.items() if name not in labels})
    for word, key in (("WORKDIR", "WorkingDir"), ("USER", "User")):
        if value := config.get(key):
            lines.append(f"{word} {value}")
    for word, key in (("ENTRYPOINT", "Entrypoint"), ("CMD", "Cmd")):
        if argv := config.get(key):
            lines.append(f"{word} {json.dumps(argv)}")
    return "\n".join(lines)


def labelling(labels: Mapping[str, str]) -> list[str]:
    """The lines of a Dockerfile that put labels on what it makes."""
    return [f"LABEL {name}={_quoted(value)}" for name, value in labels.items()]


def _quoted(value: str) -> str:
    """A value as a Dockerfile has it: nothing in it is a variable's or the end of the value."""
    return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BuildError(str(error.strerror), where=str(file)) from error


def _packed(files: Mapping[str, bytes]) -> io.BytesIO:
    """A build's context of these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    packed.seek(0)
    return packed
