"""What the how-to says of the service works when it is typed."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from catalogues import draw
from serving_process import serving_process

HOW_TO = Path(__file__).parents[2] / "docs/how-to.md"
if not HOW_TO.exists():
    pytest.skip("the documents are not part of what is installed", allow_module_level=True)

SECTION = HOW_TO.read_text(encoding="utf-8").split("## Serve a gallery over HTTP")[1].split("\n## ")[0]
DOCUMENTED = "http://127.0.0.1:8000"


def test_every_line_of_it(shop: Path) -> None:
    draw(shop / "photo.jpg", 21)
    draw(shop / "incoming/stranger.jpg", 22)
    lines = [line for line in SECTION.splitlines() if line.startswith("curl ")]
    (example,) = re.findall(r"^```python\n(.*?)^```", SECTION, re.M | re.S)
    with serving_process(shop / "gallery") as (_, address):
        if shutil.which("curl"):
            for line in lines:
                command = line.replace(DOCUMENTED, address).replace("collection", "bin")
                done = subprocess.run(["bash", "-c", command], cwd=shop, capture_output=True, text=True, check=True)
                assert "/metrics" in line or "type" not in json.loads(done.stdout), done.stdout
        script = example.replace(DOCUMENTED, address)
        shown = subprocess.run([sys.executable, "-c", script], cwd=shop, capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "5 images of 3 identities"
    assert len(lines) == 5
