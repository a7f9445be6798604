"""The bound on pixels, from made-up kernel files and from this machine's own."""

from pathlib import Path

import psutil
import pytest

from nearid_search.pixel_budget import CEILING_PIXELS, FLOOR_PIXELS, default_max_pixels, free_memory

GIB = 2**30


def machine(root: Path, *, available: int, groups: str, files: dict[str, str]) -> dict[str, Path]:
    proc, cgroups = root / "proc", root / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(f"MemTotal: 999 kB\nMemAvailable:   {available // 1024} kB\n")
    (proc / "self" / "cgroup").write_text(groups)
    for name, text in files.items():
        (cgroups / name).parent.mkdir(parents=True, exist_ok=True)
        (cgroups / name).write_text(text)
    return {"proc": proc, "cgroups": cgroups}


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {}, 8 * GIB),
        ("0::/\n", {"memory.max": "max\n", "memory.current": "5\n"}, 8 * GIB),
        ("0::/\n", {"memory.max": f"{3 * GIB}\n", "memory.current": f"{GIB}\n"}, 2 * GIB),
        ("0::/a/b\n", {"a/memory.max": f"{GIB}", "a/memory.current": "0", "a/b/memory.max": "max"}, GIB),
        ("0::/gone\n", {"memory.max": f"{GIB}", "memory.current": f"{2 * GIB}"}, 0),
        (
            "0::/\n",
            {"memory.max": f"{GIB}", "memory.current": f"{GIB}", "memory.stat": f"anon 1\ninactive_file {GIB // 4}\n"},
            GIB // 4,
        ),
        (
            "4:memory:/x\n1:cpu:/x\n0::/\n",
            {"memory/x/memory.limit_in_bytes": f"{GIB}", "memory/x/memory.usage_in_bytes": "0"},
            GIB,
        ),
        (
            "4:memory:/\n",
            {"memory/memory.limit_in_bytes": "9223372036854771712", "memory/memory.usage_in_bytes": "0"},
            8 * GIB,
        ),
    ],
)
def test_the_lowest_limit_counts(tmp_path: Path, groups: str, files: dict[str, str], expected: int) -> None:
    assert free_memory(**machine(tmp_path, available=8 * GIB, groups=groups, files=files)) == expected


def test_a_machine_without_these_files_reports_some_memory(tmp_path: Path) -> None:
    assert free_memory(proc=tmp_path, cgroups=tmp_path) == psutil.virtual_memory().total // 2


def test_this_machine_is_within_the_bounds() -> None:
    assert 0 < free_memory() <= psutil.virtual_memory().total
    assert FLOOR_PIXELS <= default_max_pixels() <= CEILING_PIXELS
