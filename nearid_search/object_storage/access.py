"""Open an object store, and say in one line what is wrong with one.

Where it is and who asks comes from the environment and the provider's own configuration files, as with the provider's
other tools; nothing of it is stored or shown. The text of a store's error may hold a signed address, so only its status
and its code are ever repeated.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any

from nearid_search.errors import MissingExtraError, StorageError

CONNECT_SECONDS = 5
REQUEST_SECONDS = 60
RETRIES = 3
RETRY_SECONDS = 60
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_FROM_ENVIRONMENT = ("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_SKIP_SIGNATURE")  # obstore reads these itself
_STATUS = re.compile(r"status code: (\d{3} [A-Za-z ]+)|status: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound")
_REFUSED = ("401", "403")


def require_library(scheme: str) -> Any:  # noqa: ANN401  (a module)
    """Return obstore, which speaks with the stores.

    Raises:
        MissingExtraError: if it is not installed.
    """
    if importlib.util.find_spec("obstore") is None:
        raise MissingExtraError("obstore", "cloud", f"a gallery at {scheme}://")
    import obstore
    import obstore.exceptions

    return obstore


def open_store(scheme: str, bucket: str) -> Any:  # noqa: ANN401  (one of obstore's classes)
    """Open a bucket; nothing is asked of it yet.

    Args:
        scheme: "s3", "gs" or "az".
        bucket: its name; of Azure the container's.

    Raises:
        MissingExtraError: if obstore is not installed.
        StorageError: if there are no credentials.
    """
    require_library(scheme)
    endpoint = s3_endpoint() if scheme == "s3" else None
    return _open(scheme, bucket, endpoint, tuple(os.environ.get(name) for name in _FROM_ENVIRONMENT))


def s3_endpoint() -> str | None:
    """Return the address of the S3 service that the environment names; None for Amazon's own."""
    return next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)


def lance_options(scheme: str) -> dict[str, str]:
    """Return the storage options with which LanceDB opens the same store; credentials it finds itself."""
    options = {
        "connect_timeout": f"{CONNECT_SECONDS}s",
        "timeout": f"{REQUEST_SECONDS}s",
        "client_max_retries": str(RETRIES),
        "client_retry_timeout": str(RETRY_SECONDS),
    }
    endpoint = s3_endpoint() if scheme == "s3" else None
    if endpoint is not None:
        options |= {"aws_endpoint": endpoint, "allow_http": str(endpoint.startswith("http://")).lower()}
    return options


@contextmanager
def plain_errors(address: str) -> Iterator[None]:
    """Turn what a store says into this library's errors.

    Args:
        address: of the object or folder that is asked for.

    Raises:
        FileNotFoundError: if there is no such object.
        StorageError: if the store refuses, cannot be reached, or has no such bucket.
    """
    from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

    try:
        yield
    except (AlreadyExistsError, PreconditionError, StorageError):
        raise
    except (BaseError, OSError) as error:
        if isinstance(error, FileNotFoundError) and not any(code in str(error) for code in _NO_BUCKET):
            raise FileNotFoundError(errno.ENOENT, "no such object", address) from None
        raise StorageError(f"{address}: {reason_of(str(error))}") from None


def reason_of(text: str) -> str:
    """Say in a few words what a store's error is about, without any address in it."""
    status = _STATUS.search(text)
    code = _CODE.search(text)
    said = ", ".join(found for found in (status and (status[1] or status[2]), code and code[1]) if found).strip()
    if any(name in text for name in _NO_BUCKET):
        return "there is no such bucket: make it, or correct the address"
    if status is not None and (status[1] or status[2]).startswith(_REFUSED):
        return f"the store refuses ({said}): check the credentials and what they allow"
    if "redirect" in text.lower():
        return "the bucket is elsewhere: set AWS_REGION to its region"
    if said:
        return f"the store cannot do that now ({said}): try again later"
    return "the store gives no answer: check the network and the endpoint, and try again"


@lru_cache(maxsize=8)
def _open(scheme: str, bucket: str, endpoint: str | None, credentials: tuple[str | None, ...]) -> Any:  # noqa: ANN401
    from obstore.store import from_url

    settings: dict[str, Any] = {
        "client_options": {
            "connect_timeout": f"{CONNECT_SECONDS}s",
            "timeout": f"{REQUEST_SECONDS}s",
            "allow_http": endpoint is not None and endpoint.startswith("http://"),
        },
        "retry_config": {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
    }
    if endpoint is not None:
        settings["config"] = {"aws_endpoint": endpoint}
    if scheme == "s3" and not any(credentials):
        settings["credential_provider"] = _configured_credentials(bucket)
    return from_url(f"{scheme}://{bucket}", **settings)


def _configured_credentials(bucket: str) -> Any:  # noqa: ANN401  (obstore's class)
    """Return what finds credentials as Amazon's tools do: profiles, roles of a machine or a container."""
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        return Boto3CredentialProvider()
    except Exception as error:  # noqa: BLE001  (boto3 has no common class, and its text may name files and profiles)
        raise StorageError(
            f"s3://{bucket}: no credentials were found ({type(error).__name__}): set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        ) from None
