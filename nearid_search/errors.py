"""Every error this library raises on purpose, in one tree.

    NearIDError
    ├─ BackboneError(ValueError)           unknown backbone name, or one this machine cannot run
    ├─ CalibrationError(ValueError)        too few views or identities to say how likely an answer is right
    ├─ CatalogueError(ValueError)          the folder or identities file to index cannot be used
    ├─ ClusterError(RuntimeError)          no cluster to index on, or its workers cannot do their work
    ├─ ConfigError(ValueError)             unknown key or value out of range
    ├─ CorrectionError(ValueError)         a correction that changes nothing or contradicts another
    │  └─ NotFoundError(LookupError)       no identity, picture or entry of that name
    ├─ DatasetError(ValueError)            the training set cannot be read, or must not be trained on
    ├─ DeviceUnavailableError(RuntimeError)
    ├─ EmbeddingsError(ValueError)         a file of embeddings cannot be read, or a row of it cannot be used
    ├─ FeatureStoreError                   cached features of another backbone, damaged or no space
    ├─ FilterError(ValueError)             a --where expression the gallery cannot evaluate
    ├─ GalleryError
    │  ├─ GalleryCorruptError              counts or checksums disagree
    │  ├─ GalleryLockedError               another process is writing
    │  ├─ GalleryMismatchError             made by another encoder or format
    │  ├─ GalleryNotFoundError(FileNotFoundError)
    │  ├─ GalleryReplacedError             made anew since it was opened: ask again
    │  ├─ GalleryWriteError(OSError)       no permission, no space
    │  ├─ IndexUnusableError               the search index is damaged or another gallery's; search does without it
    │  ├─ NoEncoderError                   imported embeddings: nothing here can encode a picture
    │  ├─ RerankUnusableError              what was measured of re-ranking is damaged or another gallery's
    │  └─ StorageError                     an object store refuses, does not answer, or has no such bucket
    ├─ MissingExtraError(ImportError)      carries .extra; prints the pip line
    ├─ PublishError                        a vector engine does not answer, or its collection is not this gallery's
    ├─ ServiceError                        a request the service refuses, or no service; carries .status
    │  └─ ServiceBusyError                 too much to do at the moment; carries .retry_after
    ├─ ShapeError(ValueError)
    ├─ SightingsError(ValueError)          a log of sightings is not there, or cannot be read or written
    ├─ TrainingError                       the loss is no number, nothing to train on, or a checkpoint does not fit
    ├─ UnreadableImageError(OSError)       carries .path and .reason
    └─ WeightsError                        missing file, wrong hash, key, shape or dtype

Each message says what happened with the value, what was expected and what to do. Catch ``NearIDError`` to handle
them all; each also derives from the builtin a caller would expect.
"""


class NearIDError(Exception):
    """Base of every error raised on purpose."""


class BackboneError(NearIDError, ValueError):
    """The backbone name is unknown or its architecture cannot be used."""


class CalibrationError(NearIDError, ValueError):
    """The gallery holds too little to say how likely an answer is right."""


class CatalogueError(NearIDError, ValueError):
    """The catalogue folder or its identities file cannot be used."""


class ClusterError(NearIDError, RuntimeError):
    """There is no cluster where one was looked for, or its workers cannot do their work."""


class ConfigError(NearIDError, ValueError):
    """A setting is unknown or out of range."""


class CorrectionError(NearIDError, ValueError):
    """A correction names what is not there, changes nothing, or contradicts an earlier one that holds."""


class NotFoundError(CorrectionError, LookupError):
    """There is no identity, picture or entry of the log of that name."""


class DatasetError(NearIDError, ValueError):
    """The training set cannot be read, or must not be trained on."""


class DeviceUnavailableError(NearIDError, RuntimeError):
    """The device asked for is not present."""


class EmbeddingsError(NearIDError, ValueError):
    """A file of embeddings cannot be read, or one of its rows cannot be used."""


class FeatureStoreError(NearIDError):
    """Cached features were made by something else, are damaged, or cannot be written."""


class FilterError(NearIDError, ValueError):
    """A filter expression cannot be evaluated on this gallery."""


class GalleryError(NearIDError):
    """Base of everything that concerns a gallery on disk."""


class GalleryCorruptError(GalleryError):
    """A gallery file does not hold what its checksum or count says."""


class GalleryLockedError(GalleryError):
    """Another process is writing to the gallery."""


class GalleryMismatchError(GalleryError):
    """The gallery was made by another encoder or in another format."""


class GalleryNotFoundError(GalleryError, FileNotFoundError):
    """No gallery where one was looked for."""


class GalleryReplacedError(GalleryError):
    """The gallery was made anew since it was opened, and the tables that were open are gone."""


class GalleryWriteError(GalleryError, OSError):
    """The gallery cannot be written."""


class IndexUnusableError(GalleryError):
    """The search index is damaged, or was made for other embeddings; a gallery answers without it."""


class NoEncoderError(GalleryError):
    """The gallery holds imported embeddings, and no encoder that could make more of them."""


class RerankUnusableError(GalleryError):
    """What was measured of re-ranking is damaged or of other embeddings; a gallery answers without re-ranking."""


class StorageError(GalleryError):
    """An object store refuses, gives no answer, or has no such bucket; or what comes from it cannot be kept here."""


class MissingExtraError(NearIDError, ImportError):
    """An optional part of the installation is missing.

    Attributes:
        extra: name of the extra that brings it.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.extra = extra
        super().__init__(f"{purpose} needs {package}, which is not installed: pip install 'nearid-search[{extra}]'")


class PublishError(NearIDError):
    """A vector engine does not answer or refuses, or a collection in it holds something else."""


class ServiceError(NearIDError):
    """A request that the HTTP service refuses, or a service that does not answer.

    Attributes:
        status: HTTP status; 0 if there was no answer.
    """

    def __init__(self, detail: str, *, status: int = 0) -> None:
        self.status = status
        super().__init__(detail)


class ServiceBusyError(ServiceError):
    """The HTTP service has too much to do at the moment.

    Attributes:
        retry_after: seconds after which to ask again.
    """

    def __init__(self, detail: str, *, status: int = 503, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__(detail, status=status)


class ShapeError(NearIDError, ValueError):
    """An array has another shape or dtype than documented."""


class SightingsError(NearIDError, ValueError):
    """A log of sightings is not there, or cannot be read or written."""


class TrainingError(NearIDError):
    """A training run cannot start or go on; the best head so far is kept."""


class UnreadableImageError(NearIDError, OSError):
    """An image cannot be read.

    Attributes:
        path: the file, or a description of where the bytes came from.
        reason: what is wrong with it, in a few words.
        passing: whether the same bytes may be read another time: the fault lies with access or memory, not with them.
    """

    def __init__(self, path: str, reason: str, *, passing: bool = False) -> None:
        self.path = path
        self.reason = reason
        self.passing = passing
        super().__init__(f"{path}: {reason}")


class WeightsError(NearIDError):
    """Weights are missing or are not the ones expected."""


class SearchIndexWarning(UserWarning):
    """A gallery is searched without its search index, or mostly beside it."""


class CalibrationWarning(UserWarning):
    """A gallery's calibration is damaged or no longer holds."""
