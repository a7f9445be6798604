# syntax=docker/dockerfile:1
# docker build -t nearid-search .                            CPU
# docker build -t nearid-search --build-arg EXTRAS=gpu .     NVIDIA GPUs, CUDA 12; run with --gpus all
FROM python:3.12.11-slim-bookworm AS build
ARG EXTRAS=cpu
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY nearid_search nearid_search
COPY indexer indexer
COPY trainer trainer
COPY eval eval
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /opt/nearid && /opt/nearid/bin/pip install ".[${EXTRAS},serve]"

FROM python:3.12.11-slim-bookworm
RUN groupadd --gid 10001 nearid \
    && useradd --uid 10001 --gid nearid --create-home nearid \
    && install -d -o nearid -g nearid /data
COPY --from=build /opt/nearid /opt/nearid
ENV PATH=/opt/nearid/bin:$PATH \
    NEARID_GALLERY=/data/.nearid \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /data
VOLUME /data
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["nearid-search"]
# Without a token in NEARID_TOKEN, or --token-file, it refuses to start.
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
