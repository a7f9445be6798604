import subprocess
import sys

import pytest

from nearid_search.device import count_cuda_devices, cuda_generation, resolve_device
from nearid_search.errors import ConfigError, DeviceUnavailableError

NUM_DEVICES = count_cuda_devices()
needs_gpu = [pytest.mark.gpu, pytest.mark.skipif(NUM_DEVICES == 0, reason="no CUDA device")]


def test_cpu_is_cpu() -> None:
    assert resolve_device("cpu") == "cpu"


@pytest.mark.parametrize("text", ["", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:x", "cuda:0 ", "cuda:1:2"])
def test_unknown_text_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="use auto, cpu, cuda or cuda:N"):
        resolve_device(text)


def test_a_device_that_is_not_there_is_an_error_not_a_fallback() -> None:
    with pytest.raises(DeviceUnavailableError, match=f"cuda:{NUM_DEVICES}"):
        resolve_device(f"cuda:{NUM_DEVICES}")


@pytest.mark.skipif(NUM_DEVICES > 0, reason="needs a machine without a CUDA device")
def test_auto_without_a_gpu_is_the_cpu_and_does_not_import_torch() -> None:
    code = (
        "import sys; from nearid_search.device import resolve_device; "
        "print(resolve_device('auto'), 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["cpu", "False"]


def test_a_device_that_is_not_there_is_of_no_generation() -> None:
    assert cuda_generation(NUM_DEVICES) == 0


class TestWithGpu:
    pytestmark = needs_gpu

    def test_the_driver_and_torch_name_one_generation(self) -> None:
        import torch

        assert cuda_generation(0) == torch.cuda.get_device_capability(0)[0]

    def test_the_driver_and_torch_count_alike(self) -> None:
        import torch

        assert torch.cuda.device_count() == NUM_DEVICES

    def test_auto_and_cuda_are_the_first_device(self) -> None:
        assert resolve_device("auto") == resolve_device("cuda") == resolve_device("cuda:0") == "cuda:0"
