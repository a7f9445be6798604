"""The page of a calibration: one file, well nested, with the figures that are stored."""

from pathlib import Path

import numpy as np
import pytest
from embeddings import look_alikes
from html_pages import Page, read_page
from made_galleries import make_gallery

from nearid_search.config import CalibrateConfig
from nearid_search.errors import ConfigError
from nearid_search.eval.calibrate import CalibrationReport, calibrate_gallery
from nearid_search.eval.report.calibration_page import reliability_chart, write_calibration_page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> CalibrationReport:
    vectors, codes = look_alikes(2, 60, 4, offset=0.6, noise=0.4)
    gallery = make_gallery(tmp_path_factory.mktemp("<page>") / "gallery", vectors, codes)
    return calibrate_gallery(gallery, CalibrateConfig(fpir=0.01, queries=200))


@pytest.fixture(scope="module")
def page(report: CalibrationReport, tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = tmp_path_factory.mktemp("html") / "calibration.html"
    write_calibration_page(report, path)
    text = path.read_text(encoding="utf-8")
    assert "http" not in text.replace("http-equiv", "")
    assert "<page>" not in text
    return read_page(text)


def test_the_figures_are_those_that_are_stored(page: Page, report: CalibrationReport) -> None:
    found = report.calibration
    (verdicts,) = page.tables().values()
    for name, count in (("known", found.known), ("strangers", found.strangers)):
        shares = [f"{100 * share:.2f}" for share in found.verdicts[name].values()]
        assert verdicts[name] == [f"{count:,}", *shares]
    text = " ".join(page.all("body")[0].text.split())
    assert f"{100 * found.figures['fnir']['value']:.2f} %" in text
    assert "200 strangers cannot show a rate of 1 %" in text
    assert len(page.all("svg")) >= 3


def test_reliability_is_about_all_answers_of_both_kinds(report: CalibrationReport) -> None:
    chart = reliability_chart(report)
    assert all(mark.low <= mark.y <= mark.high for mark in chart.marks if not np.isnan(mark.low))
    assert [mark.x for mark in chart.marks] == sorted(mark.x for mark in chart.marks)
    low, high = chart.marks[0], chart.marks[-1]
    assert low.y < 0.3 < 0.7 < high.y


def test_a_page_that_cannot_be_written_is_one_line(report: CalibrationReport, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot write"):
        write_calibration_page(report, tmp_path / "no" / "page.html")
