import json
from pathlib import Path
from typing import Any

import pytest
from experiment_table import main


def found(value: float | None) -> dict[str, float | None]:
    return {"value": value, "low": value and value - 0.1, "high": value and value + 0.1}


def line(run: str, pa: float, **more: Any) -> dict[str, Any]:
    head = {"ssr": found(0.25), "pa": found(pa), "recall@5": found(None)}
    return {"run": run, "head": head, "per_source": {"part": {"pa": found(0.3)}}, "seconds": 150, **more}


def test_a_table_has_a_row_a_run_and_differences_to_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line("base", 0.5, less_first_run={}), line("other", 0.6, less_first_run={"pa": found(0.1)})]
    (tmp_path / "plan.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    main([str(tmp_path / "plan.jsonl"), "--sources", "part"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "| run | SSR | PA | PA less the first run's | Recall@5 | PA part | min |"
    none = "none (none to none)"
    assert printed[2] == f"| base | .250 (.150 to .350) | .500 (.400 to .600) |  | {none} | 0.300 | 2 |"
    assert printed[3].split(" | ")[3] == "+.100 (+.000 to +.200)"
