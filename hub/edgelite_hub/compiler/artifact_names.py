"""Image references, and where an Artifact object keeps what they mean.

host                    what is installed on the node
name:tag, name          the digest that the tag of the Artifact `name` has now; no tag means "latest"
name@sha256:<64 hex>    that version of it
"""

from __future__ import annotations

from dataclasses import dataclass

from edgelite_hub.model.objects import Object, is_object_name

HOST_IMAGE = "host"
TAG_DEFAULT = "latest"
TAG_LENGTH_MAX = 128
DIGEST_PREFIX = "sha256:"


@dataclass(frozen=True, slots=True)
class ImageReference:
    name: str
    tag: str  # "" where a digest is given
    digest: str  # "sha256:<hex>", or ""


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    digest: bytes
    size_bytes: int


def parse_image(text: str) -> ImageReference | None:
    """None where it is not a reference to an artifact of ours."""
    name, at, digest = text.partition("@")
    if at:
        return ImageReference(name, "", digest) if is_object_name(name) and is_digest(digest) else None
    name, colon, tag = text.partition(":")
    tag = tag if colon else TAG_DEFAULT
    return ImageReference(name, tag, "") if is_object_name(name) and is_tag(tag) else None


def is_tag(text: str) -> bool:
    return 0 < len(text) <= TAG_LENGTH_MAX and all(c.isascii() and (c.isalnum() or c in "._-") for c in text)


def is_digest(text: str) -> bool:
    hexadecimal = text.removeprefix(DIGEST_PREFIX)
    return text.startswith(DIGEST_PREFIX) and len(hexadecimal) == 64 and set(hexadecimal) <= set("0123456789abcdef")


def resolve(artifact: Object, reference: ImageReference) -> ResolvedImage | None:
    """What a reference means by this Artifact's status; None where it has no such tag or version."""
    status = artifact.get("status") or {}
    digest = reference.digest
    if not digest:
        digest = ((status.get("tags") or {}).get(reference.tag) or {}).get("digest", "")
    for version in status.get("versions") or []:
        if version["digest"] == digest:
            return ResolvedImage(bytes.fromhex(digest.removeprefix(DIGEST_PREFIX)), int(version["sizeBytes"]))
    return None
