import subprocess
import sys
from pathlib import Path

import pytest

from nearid_search.backbones.openvino_extra import has_bfloat16_instructions, has_openvino

_WATCH = """
import sys
asked = []
sys.addaudithook(lambda event, _: asked.append(event) if event in ("socket.connect", "socket.getaddrinfo") else None)
from nearid_search.backbones.openvino_extra import import_openvino
openvino = import_openvino()
openvino.Core()
print(asked, [name for name in sys.modules if name.startswith("openvino_telemetry")], openvino is import_openvino())
"""


@pytest.mark.skipif(not has_openvino(), reason="openvino is not installed")
def test_importing_openvino_reports_nothing_and_writes_nothing(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _WATCH],
        env={"HOME": str(tmp_path), "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout == "[] [] True\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("processor : 0\nflags : fpu avx512f avx512_bf16\n", True),
        ("flags : fpu amx_tile amx_bf16\n", True),
        ("flags : fpu avx2 avx512f\n", False),
        ("model name : avx512_bf16\nflags : fpu\n", False),
        ("Features : fp asimd bf16\n", False),
        ("", False),
    ],
)
def test_instructions_are_read_from_the_flags(content: str, expected: bool, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(content)
    assert has_bfloat16_instructions(tmp_path / "cpuinfo") is expected


def test_where_nothing_is_said_there_are_none(tmp_path: Path) -> None:
    assert not has_bfloat16_instructions(tmp_path / "absent")
