"""One tar shard in the layout of WebDataset: what shares a name up to the first dot belongs together.

``chair/1.jpg``, ``chair/1.json``, ``chair/1.cls`` and ``chair/1.txt`` are a picture and what is said of it. The
identity is the field ``identity`` of the JSON object, else the class, else the folder; other fields and the text become
metadata.
"""

from __future__ import annotations

import json
import posixpath
from pathlib import Path
from typing import Any

from nearid_search.errors import UnreadableImageError
from nearid_search.images import IMAGE_SUFFIXES
from nearid_search.indexer.catalogue.shard_labels import IDENTITY, LabelTable, ShardScan
from nearid_search.packed_pictures import TarMember, list_members, read_member

_LABEL_SUFFIXES = ("json", "cls", "txt")
_LABEL_BYTES = 1 << 20
TEXT = "text"
"""Metadata column of what a ``.txt`` member says."""


def scan_tar(shard: Path, name: str, labels: LabelTable) -> ShardScan:
    """List the pictures of a shard and enter their labels.

    Args:
        shard: the file.
        name: its name in the catalogue.
        labels: where to enter them.

    Returns:
        The pictures, and members that cannot be used. A picture whose label cannot be read is one of these.

    Raises:
        OSError: if it is no tar file.
    """
    listing = list_members(shard)
    faults = [(f"{name}/{member}" if member else name, reason) for member, reason in listing.faults]
    said: dict[str, dict[str, str]] = {}
    for member in listing.members:
        group, suffix = _split(member)
        if suffix in _LABEL_SUFFIXES:
            said.setdefault(group, {})[suffix] = member
    pictures = []
    for member, place in listing.members.items():
        if posixpath.splitext(member)[1].lower() not in IMAGE_SUFFIXES or posixpath.basename(member).startswith("."):
            continue
        try:
            fields = _fields(shard, said.get(_split(member)[0], {}), listing.members)
            labels.add(f"{name}/{member}", fields, folders=member)
        except (UnreadableImageError, ValueError, RecursionError) as error:
            reason = error.reason if isinstance(error, UnreadableImageError) else str(error)
            faults.append((f"{name}/{member}", f"what is said of it cannot be read: {reason}"))
        else:
            pictures.append((f"{name}/{member}", place.offset))
    return ShardScan(pictures, faults)


def _split(member: str) -> tuple[str, str]:
    """Return a member's group and what follows the first dot of its last part, in small letters."""
    folder, _, base = member.rpartition("/")
    stem, _, suffix = base.partition(".")
    return f"{folder}/{stem}", suffix.lower()


def _fields(shard: Path, said: dict[str, str], members: dict[str, TarMember]) -> dict[str, Any]:
    texts = {
        suffix: read_member(shard, member, max_bytes=_LABEL_BYTES).decode() if members[member].size else ""
        for suffix, member in said.items()
    }
    fields: dict[str, Any] = {}
    if "txt" in texts:
        fields[TEXT] = texts["txt"].strip()
    if "json" in texts:
        found = json.loads(texts["json"])
        if not isinstance(found, dict):
            raise ValueError(f"{said['json']} is no JSON object")
        fields |= found
    if not fields.get(IDENTITY) and texts.get("cls", "").strip():
        fields[IDENTITY] = texts["cls"].strip()
    return fields
