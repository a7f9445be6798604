import hashlib
import pickle
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from nearid_search.errors import WeightsError
from nearid_search.weights import check_sha256, file_sha256, fill_module, find_packaged_file, load_state

STATE = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}


def test_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc" * 100_000)
    assert file_sha256(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_another_hash_names_path_expected_and_found(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    check_sha256(path, hashlib.sha256(b"abc").hexdigest())
    with pytest.raises(WeightsError) as caught:
        check_sha256(path, "0" * 64)
    assert all(part in str(caught.value) for part in (str(path), "0" * 64, hashlib.sha256(b"abc").hexdigest()))


def test_hashing_a_missing_file_is_a_weights_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        file_sha256(tmp_path / "none.bin")


def test_a_packaged_file_is_found_without_importing_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package_that_must_not_run"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "models" / "w.bin").write_bytes(b"x")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_packaged_file(package.name, "models/w.bin") == package / "models" / "w.bin"
    assert find_packaged_file(package.name, "models/other.bin") is None
    assert package.name not in sys.modules


def test_a_package_that_is_not_installed_has_no_file() -> None:
    assert find_packaged_file("no_such_package_here", "models/w.bin") is None


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_checkpoint_is_read_and_fills_a_module(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    if suffix == ".safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path)
    module = torch.nn.Linear(3, 2)
    fill_module(module, load_state(path), path)
    assert torch.equal(module.weight, STATE["weight"])
    assert torch.equal(module.bias, STATE["bias"])


def test_a_training_checkpoint_is_unwrapped(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save({"epoch": 3, "state_dict": {f"module.{key}": value for key, value in STATE.items()}}, path)
    assert sorted(load_state(path)) == ["bias", "weight"]


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "empty", "text", "truncated", "folder"])
def test_a_damaged_file_is_a_weights_error(tmp_path: Path, name: str, damage: str) -> None:
    path = tmp_path / name
    if damage == "folder":
        path.mkdir()
    elif damage == "truncated":
        save_file(STATE, path) if path.suffix == ".safetensors" else torch.save(STATE, path)
        path.write_bytes(path.read_bytes()[:-40])
    elif damage != "missing":
        path.write_bytes(b"" if damage == "empty" else b"these are no weights, whatever the name says")
    with pytest.raises(WeightsError, match=name):
        load_state(path)


class Exploit:
    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (Path(sys.argv[0]),)  # pragma: no cover - pickled, never run


@pytest.mark.parametrize("plain", [True, False])
def test_pickled_code_is_not_run(tmp_path: Path, plain: bool) -> None:
    path = tmp_path / "w.pt"
    if plain:
        path.write_bytes(pickle.dumps({"weight": Exploit()}))
    else:
        torch.save({"weight": Exploit()}, path)
    with pytest.raises(WeightsError, match="cannot be read as a torch checkpoint"):
        load_state(path)


@pytest.mark.parametrize(("content", "message"), [([1, 2], "state dict"), ({}, "state dict"), ({"a": 1}, "a tensor")])
def test_something_else_than_tensors_is_refused(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "w.pt"
    torch.save(content, path)
    with pytest.raises(WeightsError, match=message):
        load_state(path)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"weight": STATE["weight"]}, r"'bias' is missing; expected shape \(2,\)"),
        ({**STATE, "extra": torch.ones(1)}, "'extra' is unexpected"),
        ({**STATE, "bias": torch.ones(3)}, r"'bias' has shape \(3,\), expected \(2,\)"),
    ],
)
def test_the_first_key_that_does_not_fit_is_named(state: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        fill_module(torch.nn.Linear(3, 2), state, Path("some.pt"))
    assert "some.pt" in str(caught.value)
