"""How much of the encoder's rate does the service pass on, and does its memory stay flat?

Serves a gallery of the sample catalogue with `nearid-search serve` and asks it from another process on loopback, with
1, 8 and 32 clients that each send their next picture when the last is answered. Beside it stands the bare encoder,
reading and encoding the same pictures in a process of its own, in turn with the service. Then 8 clients ask on, and the
service's memory is read as they do.

    python benchmarks/service_load.py --requests 1000 --steady 10000
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from record import load_average, summarize, write_result

EXAMPLES = Path(__file__).parent.parent / "examples"
PICTURES = sorted((EXAMPLES / "catalog").rglob("*.jpg"))
CLIENTS = (1, 8, 32)
_BOUNDARY = "picture"
_LOOKS = 10  # at the memory
_BARE = """
import json, sys, time
from nearid_search import Gallery
gallery, count, *paths = sys.argv[1:]
encoder = Gallery.open(gallery).open_encoder()
wanted = (paths * (int(count) // len(paths) + 1))[: int(count)]
encoder.encode(wanted[:32])
started = time.perf_counter()
for at in range(0, len(wanted), 32):
    encoder.encode(wanted[at : at + 32])
print(json.dumps(len(wanted) / (time.perf_counter() - started)))
"""


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000, help="for each number of clients and repeat")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steady", type=int, default=10_000, help="requests while memory is watched")
    parser.add_argument("--role", choices=["ask"], help=argparse.SUPPRESS)
    parser.add_argument("--address", help=argparse.SUPPRESS)
    parser.add_argument("--clients", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role == "ask":
        started = time.perf_counter()
        seconds = ask_all(options.address, options.clients, options.requests)
        print(json.dumps({"seconds": time.perf_counter() - started, "each": seconds}))
        return
    load_before = load_average()
    with tempfile.TemporaryDirectory() as folder:
        gallery = Path(folder) / "gallery"
        _run("-m", "nearid_search", "index", str(EXAMPLES / "catalog"), "--gallery", str(gallery))
        measured = _measure(gallery, options)
    write_result("service_load", measured, load_before=load_before)


def ask_all(address: str, clients: int, requests: int) -> list[float]:
    """Ask about the pictures in turn, so many clients at once.

    Returns:
        Seconds of each request.

    Raises:
        RuntimeError: if one is not answered.
    """
    bodies = [_form(path.read_bytes()) for path in PICTURES]

    def ask(first: int) -> list[float]:
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=120)
        seconds = []
        for number in range(first, requests, clients):
            started = time.perf_counter()
            connection.request("POST", "/v1/query", bodies[number % len(bodies)], _HEADERS)
            response = connection.getresponse()
            answer = response.read()
            seconds.append(time.perf_counter() - started)
            if response.status != 200:
                raise RuntimeError(f"{response.status}: {answer.decode()}")
        connection.close()
        return seconds

    with ThreadPoolExecutor(clients) as pool:
        return [taken for each in pool.map(ask, range(clients)) for taken in each]


def _measure(gallery: Path, options: argparse.Namespace) -> dict[str, Any]:
    pictures = [str(path) for path in PICTURES]
    bare: list[float] = []
    rates: dict[int, list[float]] = {clients: [] for clients in CLIENTS}
    latencies: dict[int, list[float]] = {clients: [] for clients in CLIENTS}
    ready = []
    for _ in range(options.repeats):
        bare.append(json.loads(_run("-c", _BARE, str(gallery), str(options.requests), *pictures)))
        with served(gallery) as (_process, address, seconds):
            ready.append(seconds)
            _asked(address, 1, 2 * len(PICTURES))  # warms up
            for clients in CLIENTS:
                rate, taken = _asked(address, clients, options.requests)
                rates[clients].append(rate)
                latencies[clients] += taken
    loading = [json.loads(_run("-c", _LOADING, str(gallery))) for _ in range(options.repeats)]
    best = [max(found) for found in zip(*rates.values(), strict=True)]
    return {
        "requests": options.requests,
        "bare_encoder_images_per_s": summarize(bare),
        "clients": {str(clients): _figures(rates[clients], latencies[clients]) for clients in CLIENTS},
        "best_rate_over_bare": summarize([own / other for own, other in zip(best, bare, strict=True)]),
        "start_to_ready_s": summarize(ready),
        "model_load_s": summarize(loading),
        "memory": _watch_memory(gallery, options.steady),
    }


_LOADING = """
import json, sys, time
from nearid_search import Gallery
started = time.perf_counter()
Gallery.open(sys.argv[1]).open_encoder()
print(json.dumps(time.perf_counter() - started))
"""


def _figures(rates: list[float], seconds: list[float]) -> dict[str, Any]:
    percentiles = {f"p{p}_ms": round(1000 * float(np.percentile(seconds, p)), 2) for p in (50, 95, 99)}
    return {"queries_per_s": summarize(rates), **percentiles}


def _watch_memory(gallery: Path, requests: int) -> dict[str, Any]:
    """Read the service's resident memory while it answers 8 clients."""
    with served(gallery) as (process, address, _):
        _asked(address, 8, 2 * len(PICTURES))
        resident = [_resident_mib(process.pid)]
        for _ in range(_LOOKS):
            _asked(address, 8, requests // _LOOKS)
            resident.append(_resident_mib(process.pid))
    return {"requests": requests, "resident_mib": resident}


def _asked(address: str, clients: int, requests: int) -> tuple[float, list[float]]:
    """Ask from another process; return requests a second and the seconds of each."""
    program = [str(Path(__file__)), "--role", "ask", "--address", address, "--clients", str(clients)]
    found = json.loads(_run(*program, "--requests", str(requests)))
    return requests / found["seconds"], found["each"]


@contextlib.contextmanager
def served(gallery: Path) -> Iterator[tuple[subprocess.Popen[str], str, float]]:
    """Serve a gallery; give the process, its address and the seconds until it was ready."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "nearid_search", "serve", "--gallery", str(gallery), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = next(line for line in process.stderr if "serving http" in line)
            yield process, said.split()[-1], time.perf_counter() - started
        finally:
            process.terminate()


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS"):
            return round(int(line.split()[1]) / 1024, 1)
    raise AssertionError(pid)


def _form(data: bytes) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="images"; filename="a.jpg"\r\n\r\n'.encode()
    return head + data + f"\r\n--{_BOUNDARY}--\r\n".encode()


_HEADERS = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}


def _run(*arguments: str) -> str:
    found = subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return found.stdout


if __name__ == "__main__":
    main()
