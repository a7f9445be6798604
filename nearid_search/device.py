"""The only place that decides where a network runs.

Whether there is a GPU is asked of the CUDA driver itself: importing torch for that would cost a second or more on every
command that turns out to need no GPU.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re

from nearid_search.errors import ConfigError, DeviceUnavailableError

_DRIVER = "libcuda.so.1"
_CAPABILITY_MAJOR = 75  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR


def count_cuda_devices() -> int:
    """Count the CUDA devices the driver offers, without importing torch.

    Returns:
        Devices visible to this process (``CUDA_VISIBLE_DEVICES`` counts); 0 without a driver.
    """
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def cuda_memory(number: int) -> int:
    """Return the memory of a CUDA device in bytes, without importing torch.

    Args:
        number: as ``count_cuda_devices`` counts them.

    Raises:
        DeviceUnavailableError: if the driver shows no such device.
    """
    present = count_cuda_devices()
    device, size = ctypes.c_int(0), ctypes.c_size_t(0)
    if number < present:
        driver = ctypes.CDLL(_DRIVER)
        if (
            driver.cuDeviceGet(ctypes.byref(device), number) == 0
            and driver.cuDeviceTotalMem_v2(ctypes.byref(size), device) == 0
        ):
            return size.value
    raise DeviceUnavailableError(f"CUDA device {number} was asked for its memory, and {present} can be seen")


def cuda_generation(number: int) -> int:
    """Return the major compute capability of a CUDA device, without importing torch: 8 for Ampere, 9 for Hopper.

    Args:
        number: as ``count_cuda_devices`` counts them.

    Returns:
        At least 1; 0 if the driver shows no such device.
    """
    device, generation = ctypes.c_int(0), ctypes.c_int(0)
    if number < count_cuda_devices():
        driver = ctypes.CDLL(_DRIVER)
        if driver.cuDeviceGet(ctypes.byref(device), number) == 0:
            driver.cuDeviceGetAttribute(ctypes.byref(generation), _CAPABILITY_MAJOR, device)
    return generation.value


def resolve_device(text: str) -> str:
    """Turn a device setting into a device.

    Args:
        text: "auto", "cpu", "cuda" (the first one) or "cuda:N". "auto" is the first CUDA device if torch can use one,
            else the CPU; it is the only setting that chooses.

    Returns:
        "cpu" or "cuda:N".

    Raises:
        ConfigError: if ``text`` is none of these.
        DeviceUnavailableError: if the CUDA device asked for is not there, or torch is missing or built without CUDA.
    """
    if text == "cpu":
        return "cpu"
    if text == "auto":
        return "cuda:0" if count_cuda_devices() > 0 and _torch_has_cuda() else "cpu"
    asked = re.fullmatch(r"cuda(?::(\d+))?", text)
    if asked is None:
        raise ConfigError(f"unknown device {text!r}: use auto, cpu, cuda or cuda:N")
    number = int(asked[1] or 0)
    present = count_cuda_devices()
    if number >= present:
        seen = f"{present} CUDA device(s)" if present else "no CUDA device"
        raise DeviceUnavailableError(f"device {text!r} asked for, but {seen} found: use --device cpu or auto")
    if not _torch_has_cuda():
        raise DeviceUnavailableError(f"device {text!r} asked for, but torch is missing or built without CUDA")
    return f"cuda:{number}"


def _torch_has_cuda() -> bool:
    """Import torch, if installed, and ask it; only reached where the driver shows a device."""
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()
