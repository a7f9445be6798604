"""OpenVINO, where it is installed: whether it is worth using, and how it is imported."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

_TELEMETRY = "openvino_telemetry"
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}
_CPU_INFO = Path("/proc/cpuinfo")


def has_openvino() -> bool:
    """Tell whether OpenVINO is installed, without importing it."""
    return importlib.util.find_spec("openvino") is not None


def has_bfloat16_instructions(cpu_info: Path = _CPU_INFO) -> bool:
    """Tell whether the processor multiplies bfloat16 itself (AVX512-BF16 or AMX-BF16); without them it is no faster.

    Args:
        cpu_info: what Linux says about the processor; where there is no such file the answer is no.
    """
    if not cpu_info.exists():
        return False
    lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    flags = next((line.partition(":")[2] for line in lines if line.startswith("flags")), "")
    return not _BFLOAT16_FLAGS.isdisjoint(flags.split())


def import_openvino() -> Any:  # noqa: ANN401  (the module)
    """Import OpenVINO without its telemetry.

    Its import reports the use of it over the network and writes into the home folder, unasked. Without the package
    that does so, which it takes for an optional one, it does neither.

    Returns:
        The module.
    """
    if "openvino" in sys.modules or _TELEMETRY in sys.modules:
        return importlib.import_module("openvino")
    modules: dict[str, Any] = sys.modules
    modules[_TELEMETRY] = None  # how Python marks a module that is not to be found
    try:
        return importlib.import_module("openvino")
    finally:
        del modules[_TELEMETRY]
