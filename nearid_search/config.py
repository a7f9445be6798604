"""Defaults of every stage but training and the service; the command line reads them from here."""

from __future__ import annotations

from dataclasses import dataclass

from nearid_search.amounts import parse_latency, parse_memory
from nearid_search.errors import ConfigError

AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Which encoder to open.

    Attributes:
        backbone: a name that ``nearid-search models`` lists, or "onnx:<file>" for an exported encoder.
        device: "auto", "cpu", "cuda" or "cuda:N".
        dtype: "auto" (that of the gallery there is, else the fastest of the backbone on this machine that is as good),
            "float32", "bfloat16" or "float16".
        head: folder of a trained head; "auto" for the one that ships for the backbone, if any; None or "none" for the
            backbone's frozen readout.
        foreground: one of ``foreground.MODES``: "none", or what says which part of a picture is painted over.
        masks: folder of the user's masks, which the foreground "mask" takes.
    """

    backbone: str = "dinov2-small:layers=2-4-6-8,colour"
    device: str = "auto"
    dtype: str = "auto"
    head: str | None = "auto"
    foreground: str = "none"
    masks: str | None = None


@dataclass(frozen=True, kw_only=True)
class IndexConfig:
    """How a catalogue is indexed.

    Attributes:
        batch_size: images an encoder call.
        decoders: threads that read and decode; 0 means one a processor core.
        write_rows: images a write; a crash loses at most two such batches, the one being written and the one being
            filled.
        write_seconds: a smaller batch is written after this long.
        keep_missing: keep images whose files are gone.
        keep_whole: whether a gallery of painted-over pictures also keeps the embeddings of the whole ones; None: as it
            does, and a new one does not.

    Raises:
        ConfigError: if a number is out of range.
    """

    batch_size: int = 8
    decoders: int = 0
    write_rows: int = 256
    write_seconds: float = 5.0
    keep_missing: bool = False
    keep_whole: bool | None = None

    def __post_init__(self) -> None:
        for name, low in (("batch_size", 1), ("decoders", 0), ("write_rows", 1), ("write_seconds", 0)):
            if getattr(self, name) < low:
                raise ConfigError(f"{name} must be at least {low}, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class ClusterConfig:
    """Which Ray cluster encodes a catalogue, and how much of it.

    Attributes:
        address: "local" to start Ray on this machine, "auto", "host:port" or "ray://host:port".
        workers: processes that encode; 0 for one a GPU, or if there is none one a core.
        cores: processor cores of each.
        device: as ``EncoderConfig.device``, of each.

    Raises:
        ConfigError: if a number is out of range.
    """

    address: str = "local"
    workers: int = 0
    cores: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, low in (("workers", 0), ("cores", 1)):
            if getattr(self, name) < low:
                raise ConfigError(f"{name} must be at least {low}, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class FetchConfig:
    """Bounds of fetching a picture from an address.

    Attributes:
        max_bytes: of one picture.
        seconds: that one picture may take, with its redirects and tries.
        connect_seconds: that one connection may take to be made.
        redirects: hops at most.
        retries: further tries after a failure that may pass.
        pause: seconds before the first of them; each waits twice as long as the one before.
        connections: pictures fetched at a time.
        networks: networks that may be connected to although they are not public, such as an intranet's "10.1.0.0/16".

    Raises:
        ConfigError: if a number is out of range.
    """

    max_bytes: int = 32 << 20
    seconds: float = 60.0
    connect_seconds: float = 10.0
    redirects: int = 5
    retries: int = 2
    pause: float = 0.5
    connections: int = 8
    networks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, low in (("max_bytes", 1), ("redirects", 0), ("retries", 0), ("pause", 0), ("connections", 1)):
            if getattr(self, name) < low:
                raise ConfigError(f"{name} must be at least {low}, got {getattr(self, name)}")
        for name in ("seconds", "connect_seconds"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class AnnConfig:
    """What searching a gallery may cost; which index is kept for it follows from that.

    Attributes:
        backend: one of ``indexer.search.backend.BACKENDS``; "auto" to let the two budgets decide.
        memory: for vectors and index together, such as "4G"; "auto" for half of the machine's.
        latency: of a query without its encoding, such as "10ms"; "auto" for 10 ms.

    None stands for what the gallery remembers, and where it remembers nothing for "auto".

    Raises:
        ConfigError: if an amount cannot be read.
    """

    backend: str | None = None
    memory: str | None = None
    latency: str | None = None

    def __post_init__(self) -> None:
        if self.memory not in (None, AUTO):
            parse_memory(str(self.memory))
        if self.latency not in (None, AUTO):
            parse_latency(str(self.latency))

    def over(self, remembered: AnnConfig) -> AnnConfig:
        """Return these settings, and the remembered ones where these leave something open."""
        return AnnConfig(
            backend=self.backend or remembered.backend,
            memory=self.memory or remembered.memory,
            latency=self.latency or remembered.latency,
        )


@dataclass(frozen=True, kw_only=True)
class QueryConfig:
    """How a query is answered.

    Attributes:
        k: identities an answer lists.
        backend: one of ``indexer.search.backend.BACKENDS``.
        rerank: one of ``rerank.ladder.RUNGS``, "none", or "auto" for what ``gallery tune --rerank`` has switched on.
        rerank_ms: milliseconds that re-ranking one query may take, above 0.
    """

    k: int = 5
    backend: str = "auto"
    rerank: str = "auto"
    rerank_ms: float = 1_000.0


@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """How an index is tuned.

    Attributes:
        queries: stored views asked.
        seed: of the sample they are taken from.
        max_loss: points of 100 of identity rank-1 that the index may lose.

    Raises:
        ConfigError: if a number is out of range.
    """

    queries: int = 1_000
    seed: int = 0
    max_loss: float = 0.1

    def __post_init__(self) -> None:
        if self.queries < 1:
            raise ConfigError(f"queries must be at least 1, got {self.queries}")
        if not 0 <= self.max_loss < 100:
            raise ConfigError(f"max_loss must be from 0 to below 100 points, got {self.max_loss}")


@dataclass(frozen=True, kw_only=True)
class CalibrateConfig:
    """How the verdict is fitted.

    Attributes:
        fpir: false-positive identification rate: the share of strangers that may be called a match.
        queries: most stored views asked as known things, and most asked as strangers.
        seed: of that choice, of the parts left out of the fit, and of the intervals.

    Raises:
        ConfigError: if a number is out of range.
    """

    fpir: float = 0.01
    queries: int = 2_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.fpir < 1:
            raise ConfigError(f"fpir must be between 0 and 1, such as 0.01 for 1 %, got {self.fpir}")
        if self.queries < 1:
            raise ConfigError(f"queries must be at least 1, got {self.queries}")


@dataclass(frozen=True, kw_only=True)
class SuggestConfig:
    """How suggestions for corrections are looked for.

    Attributes:
        count: suggestions at most.
        views: stored views looked at; of a larger gallery whole identities are drawn.
        margin: how much farther apart than two views of one identity two identities may be and still be offered.
        seed: of the draw.

    Raises:
        ConfigError: if a number is out of range.
    """

    count: int = 20
    views: int = 5_000
    margin: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("count", "views"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.margin <= 2:
            raise ConfigError(f"margin must be from 0 to 2, got {self.margin}")
