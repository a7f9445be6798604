"""The gallery as it was: versions and tags of its tables, and the corrections that were made since."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from nearid_search.errors import CorrectionError
from nearid_search.indexer.care.whole_tables import reading_tables
from nearid_search.indexer.corrections.log import CorrectionLog, Entry, standing_of
from nearid_search.object_storage.path import object_path

_TAG_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")

Tables = Mapping[str, Any]  # LanceDB's tables by name; "images" is among them


class Tag(NamedTuple):
    """A named version of a gallery; cleaning up leaves it alone.

    Attributes:
        tag: its name.
        version: of the images table.
        when: ISO 8601 time in UTC at which that was written.
    """

    tag: str
    version: int
    when: str


class _Moment(NamedTuple):
    """The last version of the images table that belongs to a moment, and the time before which others belong to it."""

    version: int
    before: datetime | None  # None: up to now


def versions_at(tables: Tables, to: str) -> dict[str, int]:
    """Find the version that each table had at a moment.

    Args:
        tables: the gallery's tables.
        to: version of the images table, a tag, or an ISO 8601 time; without an offset it is local.

    Returns:
        Version by name. With a version of the images table go those that the others had until it changed again.

    Raises:
        CorrectionError: if it is none of these, or such a version has been cleaned up.
    """
    if to in _tags(tables["images"]):
        return {name: int(_tags(table)[to]["version"]) for name, table in tables.items()}
    moment = _moment(tables["images"], to)
    others = {name: _in_force(table, moment.before, name) for name, table in tables.items() if name != "images"}
    return {"images": moment.version, **others}


def made_after(log: CorrectionLog, to: str, versions: Mapping[str, int], tables_name: str) -> list[Entry]:
    """Return the corrections, undone ones as well, that were made after a moment.

    Args:
        log: the gallery's log.
        to: the moment, as in ``versions_at``.
        versions: what that returned, of some tables or all.
        tables_name: folder of the tables; those made in earlier ones were there before.
    """
    since = _time(to)
    times = accumulate((datetime.fromisoformat(entry.when) for entry in log.entries), max)  # see _version_times
    return [
        entry
        for entry, when in zip(log.entries, times, strict=True)
        if (since is not None and when > since)
        or (
            entry.tables == tables_name
            and any(log.versions.get(entry.number, {}).get(name, 0) > version for name, version in versions.items())
        )
    ]


def holding(log: CorrectionLog, version: int, tables_name: str, *, as_of: str | None = None) -> list[Entry]:
    """Return the corrections that hold for whoever reads the images table at a version, so that the two agree.

    Another process may be writing: the log may be ahead of the table that was opened, and the table of the line that
    says so.

    Args:
        log: the gallery's log, read after the table was opened.
        version: of the images table that is read.
        tables_name: folder of the tables; entries made in earlier ones are followed by all of these.
        as_of: the moment that is asked about, as in ``versions_at``; None for what is there.
    """
    if as_of is not None:
        later = made_after(log, as_of, {"images": version}, tables_name)
        return standing_of([entry for entry in log.entries if entry not in later])
    followed_from = {
        entry.number: log.versions.get(entry.number, {"images": entry.versions.get("images", 0) + 1})["images"]
        for entry in log.entries
        if entry.tables == tables_name
    }
    return standing_of([entry for entry in log.entries if followed_from.get(entry.number, 0) <= version])


def set_tag(tables: Tables, tag: str) -> Tag:
    """Name the gallery as it is now; naming it so once more changes nothing.

    Args:
        tables: the gallery's tables; the caller holds its writer lock.
        tag: letters, digits, dots, hyphens and underscores, a letter first.

    Raises:
        CorrectionError: if the name cannot be one, or is taken.
    """
    if not _TAG_NAME.fullmatch(tag):
        raise CorrectionError(
            f"{tag!r} cannot be a tag: take letters, digits, dots, hyphens and underscores, a letter first"
        )
    named = [_tags(table).get(tag, {}).get("version") for table in tables.values()]
    now = [int(table.version) for table in tables.values()]
    if tag in _tags(tables["images"]) and named != now:
        raise CorrectionError(f"there is a tag {tag!r} already: take another name")
    for name in sorted(tables, key="images".__eq__):  # the one that is looked at comes last
        tags = tables[name].tags
        (tags.update if tag in _tags(tables[name]) else tags.create)(tag, int(tables[name].version))
    return next(known for known in list_tags(tables["images"]) if known.tag == tag)


def drop_tag(tables: Tables, tag: str) -> None:
    """Forget a tag; the version itself goes when it is old and the gallery is compacted.

    Raises:
        CorrectionError: if there is no such tag.
    """
    if tag not in _tags(tables["images"]):
        known = ", ".join(sorted(_tags(tables["images"]))) or "none"
        raise CorrectionError(f"there is no tag {tag!r}; there are: {known}")
    for table in tables.values():
        if tag in _tags(table):
            table.tags.delete(tag)


def list_tags(images: Any) -> list[Tag]:  # noqa: ANN401  (LanceDB's class)
    """Return the tags of a gallery by version.

    Args:
        images: its images table.
    """
    times = {version: time.isoformat(timespec="seconds") for version, time in _version_times(images)}
    found = [Tag(name, int(facts["version"]), times[int(facts["version"])]) for name, facts in _tags(images).items()]
    return sorted(found, key=lambda tag: (tag.version, tag.tag))


def _moment(images: Any, to: str) -> _Moment:  # noqa: ANN401  (LanceDB's class)
    listed = _version_times(images)
    since = _time(to)
    if since is not None:
        return _Moment(_in_force(images, since, "images"), since)
    if not to.isdecimal():
        tags = ", ".join(sorted(_tags(images))) or "none"
        raise CorrectionError(
            f"{to!r} is no version, tag or time: give a number up to {listed[-1][0]}, one of the tags ({tags}), "
            "or a time such as 2026-01-31T17:00"
        )
    numbers = [number for number, _ in listed]
    if int(to) not in numbers:
        raise CorrectionError(
            f"there is no version {to}: the gallery has {numbers[0]} to {numbers[-1]}; "
            "older ones, unless tagged, go when it is compacted"
        )
    place = numbers.index(int(to))
    return _Moment(int(to), listed[place + 1][1] if place + 1 < len(listed) else None)


def _in_force(table: Any, before: datetime | None, name: str) -> int:  # noqa: ANN401  (LanceDB's class)
    """Return the last version of a table that was written before a moment."""
    listed = _version_times(table)
    earlier = [number for number, time in listed if before is None or time <= before]
    if not earlier:
        if name != "images" and listed[0][0] == 1:
            return 1  # the table was made empty later
        raise CorrectionError(
            f"the gallery's tables begin at {listed[0][1].isoformat(timespec='seconds')}: older versions, unless "
            "tagged, go when it is compacted, and all of them with --rebuild"
        )
    after = [number for number, _ in listed if number > earlier[-1]]
    if after and after[0] != earlier[-1] + 1:
        raise CorrectionError("the version that was in force then has been cleaned up: older ones go, unless tagged")
    return earlier[-1]


def _version_times(table: Any) -> list[tuple[int, datetime]]:  # noqa: ANN401  (LanceDB's class)
    """Return the versions in order, each with its time, which never goes back.

    A clock may be put back between two versions. The order in which they were written counts then: none is taken to be
    earlier than one before it, so a moment names one state of the tables and the corrections that belong to it.
    """
    with _reading(table):
        listed = sorted(table.list_versions(), key=lambda found: int(found["version"]))
    # LanceDB gives local times without an offset.
    times = accumulate((found["timestamp"].astimezone(UTC) for found in listed), max)
    return [(int(found["version"]), time) for found, time in zip(listed, times, strict=True)]


def _tags(table: Any) -> dict[str, Any]:  # noqa: ANN401  (LanceDB's class)
    with _reading(table):
        return dict(table.tags.list())


def _reading(table: Any) -> AbstractContextManager[None]:  # noqa: ANN401  (LanceDB's class)
    return reading_tables((object_path(table.uri) or Path(table.uri)).parent)


def _time(text: str) -> datetime | None:
    """Read a time; None if it is none, or if it could be a version."""
    if text.isdecimal():
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
