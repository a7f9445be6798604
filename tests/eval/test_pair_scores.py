"""Pairs of images: found as they lie, scored as the encoder scores them, written for ``agreement`` to read."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from catalogues import draw
from small_heads import write_head

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import DatasetError
from nearid_search.eval.agreement import human_agreement
from nearid_search.eval.image_pairs import ImagePair, read_pairs
from nearid_search.eval.pair_scores import check_free, score_pairs, write_scores
from nearid_search.eval.ratings import read_ratings

SUBJECTS = ("style_00_a", "style_01_b")


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """Two methods, two subjects, two prompts; the reference lies beside each generated image."""
    root = tmp_path / "samples"
    for number, method in enumerate(("emu2", "flux")):
        for place, subject in enumerate(SUBJECTS):
            for prompt in range(2):
                draw(root / method / "src_image" / subject / f"{prompt}_0.png", place)
                draw(root / method / "tgt_image" / subject / f"{prompt}_0.png", 10 + 7 * number + 3 * place + prompt)
    return root


def table(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_reads_the_folders(samples: Path) -> None:
    (samples / "emu2" / "text" / "style_00_a").mkdir(parents=True)
    (samples / "emu2" / "tgt_image" / "style_00_a" / "notes.txt").write_text("x")
    pairs = read_pairs(samples)
    assert len(pairs) == 8
    side = samples / "emu2"
    assert pairs[1] == ImagePair(
        "emu2",
        "style_00_a-1_0",
        side / "src_image" / "style_00_a" / "1_0.png",
        side / "tgt_image" / "style_00_a" / "1_0.png",
    )


def test_reads_a_table(tmp_path: Path) -> None:
    short = table(tmp_path / "mine.csv", "generated,reference,seed", '"a, b.png",r.png,3', "/c.png,r.png,4")
    assert read_pairs(short) == [
        ImagePair("mine", "a, b.png", tmp_path / "r.png", tmp_path / "a, b.png"),
        ImagePair("mine", "/c.png", tmp_path / "r.png", Path("/c.png")),
    ]
    full = table(tmp_path / "full.csv", "reference,generated,method,prompt", "r.png,a.png,emu2,style_00_a-0")
    assert read_pairs(full) == [ImagePair("emu2", "style_00_a-0_0", tmp_path / "r.png", tmp_path / "a.png")]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["reference,image"], "has no column generated: it has reference, image"),
        (["reference,generated"], "lists no pair"),
        (["reference,generated", "a.png"], "line 2: generated empty"),
        (["reference,generated", ",b.png"], "line 2: reference empty"),
        (["reference,generated", "a.png,b.png,c.png"], "line 2: too many cells"),
        (["reference,generated", "a.png,b.png", "c.png,b.png"], "lines 2 and 3 are both b.png"),
        (["reference,generated,method", "a.png,b.png,../x"], "method '../x' cannot name a file"),
        (["reference,generated,method,prompt", "a,b,m,p", "c,d,n,p", "e,f,m,p"], "lines 2 and 4 are both p_0"),
        (['reference,generated\n"a'], "cannot be read"),
    ],
)
def test_a_faulty_table(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_pairs(table(tmp_path / "pairs.csv", *lines))


def test_other_sources_are_refused(samples: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere does not exist: expected <method>/src_image"):
        read_pairs(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"neither a folder nor a .csv file"):
        read_pairs(samples / "emu2" / "src_image" / "style_00_a" / "0_0.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"holds no image"):
        read_pairs(tmp_path / "empty")
    (samples / "other").mkdir()
    with pytest.raises(DatasetError, match="no src_image and tgt_image in other"):
        read_pairs(samples)


def test_an_image_without_partner_is_named(samples: Path) -> None:
    (samples / "emu2" / "src_image" / "style_00_a" / "1_0.png").unlink()
    (samples / "emu2" / "tgt_image" / "style_01_b" / "0_0.png").unlink()
    with pytest.raises(DatasetError, match=r"2 images have no partner: .*tgt_image/style_00_a/1_0.png; .*src_image"):
        read_pairs(samples)


def test_two_images_of_one_key(samples: Path) -> None:
    draw(samples / "emu2" / "src_image" / "style_00_a" / "1_0.webp", 1)
    with pytest.raises(DatasetError, match="are both style_00_a-1_0: keep one"):
        read_pairs(samples)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_scores_are_the_encoders_cosines(samples: Path, encoder: IdentityEncoder, batch_size: int) -> None:
    pairs = read_pairs(samples)
    seen: list[tuple[int, int]] = []
    found = score_pairs(pairs, encoder, batch_size=batch_size, on_progress=lambda *state: seen.append(state))
    assert found.encoder == encoder.fingerprint
    assert (found.num_pairs, found.num_scored, found.failures) == (8, 8, ())
    assert seen == [(min(done, 16), 16) for done in range(batch_size, 16 + batch_size, batch_size)]
    for pair in pairs:
        reference, generated = (encoder.encode([path])[0] for path in (pair.reference, pair.generated))
        assert found.methods[pair.method].scores[pair.key] == pytest.approx(100 * reference @ generated, abs=1e-3)
    for method in found.methods.values():
        assert method.mean.value == pytest.approx(np.mean(list(method.scores.values())))
        assert (method.mean.n, method.mean.n_clusters) == (4, 2)


def test_an_image_compared_with_itself_scores_100(tmp_path: Path, encoder: IdentityEncoder) -> None:
    draw(tmp_path / "a.png", 1)
    shutil.copy(tmp_path / "a.png", tmp_path / "b.png")
    listed = table(tmp_path / "pairs.csv", "reference,generated", "a.png,a.png", "a.png,b.png")
    scores = score_pairs(read_pairs(listed), encoder).methods["pairs"].scores
    assert scores == pytest.approx({"a.png": 100, "b.png": 100}, abs=1e-3)


def test_an_unreadable_image_loses_its_pairs_and_is_named(samples: Path, encoder: IdentityEncoder) -> None:
    broken = samples / "emu2" / "tgt_image" / "style_00_a" / "0_0.png"
    broken.write_bytes(b"not a picture")
    (samples / "flux" / "src_image" / "style_01_b" / "1_0.png").write_bytes(b"")
    found = score_pairs(read_pairs(samples), encoder)
    assert (found.num_pairs, found.num_scored) == (8, 6)
    assert found.failures[0].path == str(broken)
    assert len(found.failures) == 2
    assert "style_00_a-0_0" not in found.methods["emu2"].scores
    assert {name: method.n_left_out for name, method in found.methods.items()} == {"emu2": 1, "flux": 1}


def test_a_method_without_any_readable_pair_is_named_and_not_written(
    samples: Path, tmp_path: Path, encoder: IdentityEncoder
) -> None:
    for path in (samples / "flux" / "tgt_image").rglob("*.png"):
        path.write_bytes(b"not a picture")
    found = score_pairs(read_pairs(samples), encoder)
    assert (found.methods["flux"].mean.n, found.methods["flux"].n_left_out) == (0, 4)
    assert found.as_dict()["methods"]["flux"]["value"] is None
    write_scores(found, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["emu2.json"]


def test_nothing_readable(tmp_path: Path, encoder: IdentityEncoder) -> None:
    listed = table(tmp_path / "pairs.csv", "reference,generated", "a.png,b.png")
    with pytest.raises(DatasetError, match=r"none of 1 pairs could be scored: .*a.png: no such file; .*b.png"):
        score_pairs(read_pairs(listed), encoder)


def test_a_head_scores_with_its_own_embedding(samples: Path, tmp_path: Path, encoder: IdentityEncoder) -> None:
    with_head = IdentityEncoder(encoder.backbone, head=write_head(tmp_path / "head", encoder.backbone.spec))
    pair = read_pairs(samples)[0]
    found = score_pairs([pair], with_head)
    reference, generated = with_head.encode([pair.reference, pair.generated])
    assert found.encoder == with_head.fingerprint
    assert found.methods[pair.method].scores[pair.key] == pytest.approx(100 * reference @ generated, abs=1e-3)


def test_what_is_written_is_a_scorer(samples: Path, tmp_path: Path, encoder: IdentityEncoder) -> None:
    found = score_pairs(read_pairs(samples), encoder)
    ratings = tmp_path / "ratings"
    write_scores(found, ratings / "data_ours_rating")
    for group in ("group1", "group2"):
        for method, scored in found.methods.items():
            # People who see just what the encoder sees.
            rated = {key.removesuffix("_0"): score for key, score in scored.scores.items()}
            path = ratings / "data_human_rating" / "merged_data" / group / f"{method}-cp.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(rated))
    read = read_ratings(ratings, category="style")
    assert set(read.scorers["ours"]) == {"emu2", "flux"}
    assert human_agreement(read)["ours"].m_h.value == pytest.approx(0.9999)


def test_a_folder_with_scores_is_refused(tmp_path: Path) -> None:
    check_free(tmp_path / "new")
    (tmp_path / "emu2.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"holds emu2.json already: give another folder or --force"):
        check_free(tmp_path)
    with pytest.raises(DatasetError, match="is a file"):
        check_free(tmp_path / "emu2.json")


def test_files_of_other_methods_are_never_mixed_in(tmp_path: Path) -> None:
    for name in ("emu2", "flux"):
        (tmp_path / f"{name}.json").write_text("{}")
    check_free(tmp_path, overwritten=["emu2", "flux", "ours"])
    with pytest.raises(DatasetError, match=r"would keep flux.json of another run: remove them"):
        check_free(tmp_path, overwritten=["emu2"])
