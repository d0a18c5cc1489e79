"""What is known of the signatures of sources: asked where each of them came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix import scratch
from buildmatrix.errors import SourceUnavailable
from buildmatrix.pinned import identify
from buildmatrix.recipe import DebianAlternate, GitAlternate, PypiAlternate
from buildmatrix.sources import attestation, pypi, signature, tag
from buildmatrix.sources.signature import Signature

if TYPE_CHECKING:
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.recipe import SourceSpec


def signature_of(workshop: Workshop, source: SourceSpec) -> Signature:
    """The signature of a source that is held, by the alternate that brought it.

    What cannot be asked now is no error: it is told as not checked.
    """
    _, alternate = workshop.sources.archive(source, identify(source))
    try:
        match alternate:
            case DebianAlternate() if alternate.dsc:
                return _of_debian(workshop, source, alternate)
            case GitAlternate() if alternate.tag and alternate.commit:
                return _of_tag(workshop, alternate, alternate.commit)
            case PypiAlternate() if told := pypi.provenance(
                workshop.index(), alternate.package, alternate.file
            ):
                return attestation.judge(alternate, told)
            case _:
                return signature.without(alternate)
    except SourceUnavailable as gap:
        hint = f" ({gap.hint})" if gap.hint else ""
        return Signature("not checked", f"{gap.brief}{hint}")


def _of_debian(workshop: Workshop, source: SourceSpec, alternate: DebianAlternate) -> Signature:
    rings = signature.present(workshop.keyrings)
    with scratch.file(workshop.sources.root, "fetch-") as dsc:
        workshop.sources.bring_dsc(alternate, dsc, f"signature of {source.name}")
        return signature.judge(dsc, alternate.file, alternate.sha256, rings)


def _of_tag(workshop: Workshop, alternate: GitAlternate, commit: str) -> Signature:
    rings = signature.present(workshop.keyrings)
    return tag.judge(workshop.sources.bring_tag(alternate), alternate.tag, commit, rings)
