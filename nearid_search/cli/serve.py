"""``nearid-search serve``: answer over HTTP."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from nearid_search.cli.options import DeviceOption, GalleryOption, RerankOption
from nearid_search.config import EncoderConfig, QueryConfig
from nearid_search.errors import MissingExtraError
from nearid_search.server.config import ServeConfig

_NEEDED = {"fastapi": "fastapi", "multipart": "python-multipart", "prometheus_client": "prometheus-client"}
_NEEDED |= {"uvicorn": "uvicorn"}


def serve(
    gallery: GalleryOption = None,
    host: Annotated[str, typer.Option(help="Address to listen at; other than loopback needs a token.")] = (
        ServeConfig.host
    ),
    port: Annotated[int, typer.Option(help="0 for any that is free.", min=0, max=65_535)] = ServeConfig.port,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with a token a line, or a name and a token. Default: the token in $NEARID_TOKEN."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Serve other machines without a token: everybody may write.")
    ] = False,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A further name that callers may address it by, such as a proxy's.")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Make an empty gallery if there is none.")] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Answer only; nothing is written.")] = False,
    max_upload: Annotated[
        str, typer.Option(help="Size of one request; 4 times as much is held at once.")
    ] = ServeConfig.max_upload,
    max_images: Annotated[int, typer.Option(help="Pictures in one request.", min=1)] = ServeConfig.max_images,
    max_pixels: Annotated[float, typer.Option(help="Megapixels of a picture.")] = ServeConfig.max_pixels,
    batch_size: Annotated[int, typer.Option(help="Pictures an encoder call.", min=1)] = ServeConfig.batch_size,
    batch_wait: Annotated[
        str, typer.Option(help="How long a batch waits for more that is expected.")
    ] = ServeConfig.batch_wait,
    queue: Annotated[int, typer.Option(help="Pictures that may wait; more are refused.", min=1)] = ServeConfig.queue,
    time_limit: Annotated[float, typer.Option(help="Seconds that a request may take.")] = ServeConfig.time_limit,
    device: DeviceOption = EncoderConfig.device,
    rerank: RerankOption = QueryConfig.rerank,
) -> None:
    """Answer over HTTP until it is told to stop: queries, enrolment and corrections, for programs and as a web page.

    Example: nearid-search serve --port 8080
    """
    _require_extra()
    from nearid_search.cli.render import note
    from nearid_search.indexer.catalogue.empty import open_or_make_gallery
    from nearid_search.server.launch import listen
    from nearid_search.server.service import Service
    from nearid_search.server.tokens import read_tokens, require_token

    tokens = read_tokens(token_file)
    require_token(host, tokens, insecure=insecure)  # before the model is loaded
    if new:
        open_or_make_gallery(gallery, config=EncoderConfig(device=device))
    config = ServeConfig(
        host=host,
        port=port,
        allow_hosts=tuple(allow_host or ()),
        read_only=read_only,
        max_upload=max_upload,
        max_images=max_images,
        max_pixels=max_pixels,
        batch_size=batch_size,
        batch_wait=batch_wait,
        queue=queue,
        time_limit=time_limit,
    )
    service = Service(gallery, config, device=device, rerank=rerank, on_warning=note)
    listen(service, tokens=tokens, insecure=insecure, on_ready=lambda address: note(f"serving {address}"))


def _require_extra() -> None:
    for module, package in _NEEDED.items():
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(package, "serve", "the HTTP service")
