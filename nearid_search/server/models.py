"""The form of what comes in and goes out, with examples, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

KEY = "4a7d1ed414474e4033ac29ccb8653d9b0fa9f6f2c8a5d3c1e0b7a69584736251"
Name = Annotated[str, Field(min_length=1, max_length=1000, examples=["pallet-jack-07"])]
PictureName = Annotated[
    str, Field(min_length=1, max_length=4096, description="Key or path of an image of the gallery.", examples=[KEY])
]
Reason = Annotated[str | None, Field(max_length=2000, description="Why; kept in the log.", examples=["seen on site"])]


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str = Field(examples=["urn:nearid-search:problem:not-found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no identity 'pallet-jack-7': did you mean 'pallet-jack-07'?"])


class Sent(BaseModel):
    """What is sent: unknown names are refused."""

    model_config = ConfigDict(extra="forbid")


class ImageHit(BaseModel):
    """A view that speaks for an identity."""

    path: str | None = Field(examples=["catalog/pallet-jack-07/3.jpg"])
    score: float = Field(examples=[0.83])
    key: str = Field(examples=[KEY])


class Match(BaseModel):
    """An identity in an answer."""

    rank: int = Field(examples=[1])
    identity: str = Field(examples=["pallet-jack-07"])
    score: float = Field(examples=[0.83])
    support: int = Field(examples=[3])
    images: list[ImageHit]


class Answer(BaseModel):
    """What the gallery says about a picture, as ``nearid-search query --json`` does; the keys are the pictures'."""

    query: str = Field(examples=["img.jpg"])
    keys: list[str] = Field(examples=[[KEY]])
    verdict: Literal["match", "ambiguous", "unknown"]
    identity: str | None = Field(examples=["pallet-jack-07"])
    confidence: float | None = Field(examples=[0.97])
    margin: float | None = Field(examples=[0.21])
    calibrated: bool
    matches: list[Match]
    rerank: dict[str, Any] | None = None
    explanation: dict[str, Any] | None = None


class Unreadable(BaseModel):
    """A picture that could not be used."""

    query: str = Field(examples=["notes.txt"])
    error: str = Field(examples=["not an image: starts with b'hello'"])


class Answers(BaseModel):
    """One answer or failure a picture, in the order they were sent; one for all of them with ``same``."""

    answers: list[Answer | Unreadable]


class Correction(BaseModel):
    """An entry of the log of corrections."""

    entry: int = Field(examples=[12])
    action: str = Field(examples=["merge"])
    what: str = Field(examples=["cup is mug"])
    images: int = Field(description="Images whose identity changed.", examples=[3])
    when: str = Field(examples=["2026-01-02T03:04:05.678+00:00"])
    who: str = Field(examples=["api"])
    why: str | None
    version: int = Field(description="Of the gallery from then on.", examples=[40])


class EnrolledPicture(Correction):
    """A picture that is a view of the identity now."""

    query: str = Field(examples=["img.jpg"])
    key: str = Field(examples=[KEY])


class Enrolment(BaseModel):
    """What was done with each picture, in the order they were sent."""

    identity: str = Field(examples=["pallet-jack-07"])
    pictures: list[EnrolledPicture | Unreadable]


class Confirm(Sent):
    """This image shows that identity."""

    picture: PictureName
    identity: Name
    new: bool = Field(False, description="It is the first view of a new identity.")
    because: Reason = None


class Reject(Sent):
    """This picture does not show that identity, or these two identities are not the same."""

    picture: Annotated[
        str,
        Field(
            min_length=1,
            max_length=4096,
            description="Key or path of an image, key of a picture that was asked about, or an identity.",
            examples=[KEY],
        ),
    ]
    identity: Name
    because: Reason = None


class Merge(Sent):
    """These identities are one."""

    identities: list[Name] = Field(min_length=1, max_length=1000)
    into: Name
    because: Reason = None


class Split(Sent):
    """These pictures of an identity show something else."""

    identity: Name
    pictures: list[PictureName] = Field(min_length=1, max_length=10_000)
    into: Annotated[str, Field(min_length=1, max_length=1000, examples=["pallet-jack-08"])]
    because: Reason = None


class Rename(Sent):
    """An identity is called something else from now on."""

    identity: Name
    to: Annotated[str, Field(min_length=1, max_length=1000, examples=["pallet-jack-08"])]
    because: Reason = None


class Undo(Sent):
    """An entry of the log does not hold any more."""

    entry: int | None = Field(None, ge=1, le=2**31, description="By default the last that holds.", examples=[12])
    because: Reason = None


class IdentityCount(BaseModel):
    """An identity and its number of images."""

    identity: str = Field(examples=["pallet-jack-07"])
    images: int = Field(examples=[4])


class IdentityPage(BaseModel):
    """Identities by name; ``next`` is what to give as ``after`` for the following ones."""

    total: int = Field(examples=[1])
    identities: list[IdentityCount]
    next: str | None


class ViewOf(BaseModel):
    """One image of an identity."""

    key: str = Field(examples=[KEY])
    path: str | None = Field(examples=["catalog/pallet-jack-07/3.jpg"])


class IdentityDetail(BaseModel):
    """An identity and its images."""

    identity: str = Field(examples=["pallet-jack-07"])
    total: int = Field(examples=[4])
    images: list[ViewOf]


class HistoryPage(BaseModel):
    """Corrections, the latest first, as ``gallery history --json`` has them; ``next`` is what to give as ``before``."""

    total: int
    entries: list[dict[str, Any]]
    next: int | None


class SuggestedPictureModel(BaseModel):
    """A picture of a suggestion."""

    identity: str
    path: str | None
    key: str


class ApiCall(BaseModel):
    """A request that acts on a suggestion."""

    path: str = Field(examples=["/v1/corrections/merge"])
    body: dict[str, Any] = Field(examples=[{"identities": ["cup-2"], "into": "cup"}])


class SuggestionModel(BaseModel):
    """Something to look at: what to send to act on it, and what to send if it is right as it is."""

    kind: Literal["duplicate", "mixed", "outlier"]
    identities: list[str]
    score: float
    own: float | None
    pictures: list[SuggestedPictureModel]
    act: ApiCall
    keep: ApiCall


class SuggestionList(BaseModel):
    """Suggestions, the most useful first."""

    suggestions: list[SuggestionModel]
    views: int = Field(description="Stored views looked at.")
    images: int = Field(description="Images in the gallery.")
