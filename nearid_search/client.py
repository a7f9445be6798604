"""Ask the HTTP service of another process or machine, with the records and errors of this library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from inspect import isfunction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from nearid_search import errors
from nearid_search.answer_json import read_answer
from nearid_search.config import QueryConfig
from nearid_search.errors import MissingExtraError, NearIDError, ServiceBusyError, ServiceError, UnreadableImageError
from nearid_search.records import Failure, QueryAnswer

if TYPE_CHECKING:
    import httpx2

Picture = str | Path | bytes
"""A file of this machine, or the bytes of one."""


@dataclass(frozen=True)
class CorrectionMade:
    """An entry that a correction made in the log of the gallery.

    Attributes:
        entry: its number, for ``undo``.
        action: such as "merge".
        what: it did, in one line.
        images: whose identity changed.
        when: ISO 8601 time in UTC.
        who: made it.
        why: if that was said.
        version: of the gallery from then on.
    """

    entry: int
    action: str
    what: str
    images: int
    when: str
    who: str
    why: str | None
    version: int


class Client:
    """A service that ``nearid-search serve`` has started.

    Used as a context, or closed by ``close``. Every method raises the error of this library that the service met, with
    its words; ``ServiceBusyError`` where it has too much to do; ``ServiceError`` for everything else, also where nobody
    answers.

    Args:
        address: such as "http://127.0.0.1:8000".
        token: what the service lets in; None if it asks for none.
        author: whom its log of corrections is to name.
        timeout: seconds that an answer may take.

    Raises:
        MissingExtraError: if the extra ``serve`` is not installed.
    """

    def __init__(
        self, address: str, *, token: str | None = None, author: str | None = None, timeout: float = 60.0
    ) -> None:
        try:
            import httpx2
        except ImportError as error:
            raise MissingExtraError("httpx2", "serve", "the client") from error
        headers = {b"User-Agent": b"nearid-search"}
        if token is not None:
            headers[b"Authorization"] = b"Bearer " + token.encode()
        if author is not None:
            headers[b"X-Author"] = author.encode()
        self._failures = (httpx2.HTTPError, httpx2.InvalidURL)
        self._http = httpx2.Client(base_url=address, headers=headers, timeout=timeout)

    def __enter__(self) -> Self:
        """Use it as a context."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def query(
        self, picture: Picture, *, k: int = QueryConfig.k, where: str | None = None, explain: bool = False
    ) -> QueryAnswer:
        """Say which identity a picture shows; see ``SearchEngine.query`` and ``explain``."""
        (answer,) = self._query([picture], k=k, where=where, explain=explain)
        if isinstance(answer, Failure):
            raise UnreadableImageError(answer.path, answer.error)
        return answer

    def query_many(
        self, pictures: Sequence[Picture], *, k: int = QueryConfig.k, where: str | None = None
    ) -> list[QueryAnswer | Failure]:
        """Answer several pictures in one request; see ``SearchEngine.query_many``."""
        return self._query(pictures, k=k, where=where)

    def query_set(
        self, pictures: Sequence[Picture], *, k: int = QueryConfig.k, where: str | None = None, explain: bool = False
    ) -> QueryAnswer:
        """Say which identity several pictures of the same thing show; see ``SearchEngine.query_set``."""
        (answer,) = self._query(pictures, k=k, where=where, same=True, explain=explain)
        assert isinstance(answer, QueryAnswer)  # noqa: S101  (the service refuses a set with a picture it cannot read)
        return answer

    def _query(self, pictures: Sequence[Picture], **form: Any) -> list[QueryAnswer | Failure]:  # noqa: ANN401
        found = self._send("POST", "/v1/query", files=_form_files(pictures), data=_form(form))
        return [read_answer(entry) for entry in found["answers"]]

    def enrol(
        self, identity: str, pictures: Sequence[Picture], *, new: bool = False, because: str | None = None
    ) -> list[CorrectionMade | Failure]:
        """Make pictures views of an identity; the service keeps them.

        Args:
            identity: what they show.
            pictures: one or more.
            new: they are its first views.
            because: why.

        Returns:
            What was done with each, or why it cannot be read.
        """
        path = f"/v1/identities/{_quoted(identity)}/images"
        form = _form({"new": new, "because": because})
        found = self._send("POST", path, files=_form_files(pictures), data=form)
        return [
            Failure(entry["query"], entry["error"]) if "error" in entry else _correction(entry)
            for entry in found["pictures"]
        ]

    def confirm(self, picture: str, identity: str, *, new: bool = False, because: str | None = None) -> CorrectionMade:
        """Say that an image of the gallery, by key or path, shows an identity."""
        return self._correct("confirm", picture=picture, identity=identity, new=new, because=because)

    def reject(self, picture: str, identity: str, *, because: str | None = None) -> CorrectionMade:
        """Say that a picture, by key or path, does not show an identity, or that two identities are not the same."""
        return self._correct("reject", picture=picture, identity=identity, because=because)

    def merge(self, identities: Sequence[str], *, into: str, because: str | None = None) -> CorrectionMade:
        """Make one identity of several."""
        return self._correct("merge", identities=list(identities), into=into, because=because)

    def split(self, identity: str, pictures: Sequence[str], *, into: str, because: str | None = None) -> CorrectionMade:
        """Make some images of an identity, by key or path, an identity of their own."""
        return self._correct("split", identity=identity, pictures=list(pictures), into=into, because=because)

    def rename(self, old: str, new: str, *, because: str | None = None) -> CorrectionMade:
        """Call an identity something else."""
        return self._correct("rename", identity=old, to=new, because=because)

    def remove(self, identity: str, key: str | None = None, *, because: str | None = None) -> CorrectionMade:
        """Take an identity, or one image of it, out of every answer."""
        path = f"/v1/identities/{_quoted(identity)}" + ("" if key is None else f"/images/{_quoted(key)}")
        return _correction(self._send("DELETE", path, params=_form({"because": because})))

    def undo(self, entry: int | None = None, *, because: str | None = None) -> CorrectionMade:
        """Take a correction back, by default the last one that holds."""
        return self._correct("undo", entry=entry, because=because)

    def identities(self, *, contains: str = "") -> Iterator[tuple[str, int]]:
        """Yield the identities by name, and how many images each has."""
        after: str | None = ""
        while after is not None:
            asked = {"after": after, "contains": contains, "limit": 1000}
            page = self._send("GET", "/v1/identities", params=asked)
            yield from ((entry["identity"], entry["images"]) for entry in page["identities"])
            after = page["next"]

    def gallery(self) -> dict[str, Any]:
        """Return what ``nearid-search gallery info --json`` prints."""
        found: dict[str, Any] = self._send("GET", "/v1/gallery")
        return found

    def _correct(self, action: str, **body: Any) -> CorrectionMade:  # noqa: ANN401
        return _correction(self._send("POST", f"/v1/corrections/{action}", json=body))

    def _send(self, method: str, path: str, **content: Any) -> Any:  # noqa: ANN401  (JSON)
        try:
            response = self._http.request(method, path, **content)
        except self._failures as error:
            raise ServiceError(f"{self._http.base_url} does not answer: {error or type(error).__name__}") from error
        if response.is_success:
            return response.json()
        raise _error_of(response)


def _error_of(response: httpx2.Response) -> NearIDError:
    """Return the error that a problem document stands for."""
    try:
        problem = response.json()
        detail, kind = str(problem["detail"]), str(problem["type"])
    except (ValueError, KeyError, TypeError):
        return ServiceError(f"{response.url} says {response.status_code} and no more", status=response.status_code)
    name = kind.rpartition(":")[2]
    if name == "unreadable-image":
        image = str(problem.get("image", "picture"))
        return UnreadableImageError(image, detail.removeprefix(f"{image}: "))
    if response.status_code == 503 and name == "service-busy":
        return ServiceBusyError(detail, retry_after=int(response.headers.get("Retry-After", "1")))
    known = _KINDS.get(name)
    return ServiceError(detail, status=response.status_code) if known is None else known(detail)


def kind_of(error: type[NearIDError]) -> str:
    """Return the last part of an error's problem type.

    Example:
        >>> kind_of(errors.GalleryLockedError)
        'gallery-locked'
    """
    name = error.__name__.removesuffix("Error").replace("NearID", "Nearid")
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


_KINDS = {
    kind_of(value): value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, NearIDError) and not isfunction(value.__init__)
}
"""Errors that need nothing but their words, by kind."""


def _correction(entry: dict[str, Any]) -> CorrectionMade:
    return CorrectionMade(**{name: entry[name] for name in CorrectionMade.__dataclass_fields__})


def _form(fields: dict[str, Any]) -> dict[str, str]:
    """Return form fields as text, without those that are None."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in fields.items()
        if value is not None
    }


def _form_files(pictures: Sequence[Picture]) -> list[tuple[str, tuple[str, bytes, str]]]:
    """Return pictures as a form sends them.

    Raises:
        UnreadableImageError: if a file cannot be read.
    """
    from nearid_search.images import read_file

    return [
        ("images", (f"picture {number}", picture, "application/octet-stream"))
        if isinstance(picture, bytes)
        else ("images", (Path(picture).name, read_file(Path(picture)), "application/octet-stream"))
        for number, picture in enumerate(pictures, start=1)
    ]


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")
