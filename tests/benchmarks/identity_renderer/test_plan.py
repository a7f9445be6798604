from collections import Counter

import numpy as np
import pytest
from identity_renderer import album
from identity_renderer.plan import MESH_SOURCES, PACKAGE_SOURCES, YAW, plan_identity, split_of
from identity_renderer.shots import Identity, Settings, Shot, Thing

SETTINGS = Settings(seed=20, views=4, distractors=3, size=288)
THINGS = tuple(Thing(f"mesh/{n}", "chair" if n % 2 else "lamp", "mesh", "train") for n in range(40))


def plan(
    thing: Thing = THINGS[0], look: int = 0, things: tuple[Thing, ...] = THINGS, settings: Settings = SETTINGS
) -> tuple[Shot, ...]:
    return plan_identity(Identity(thing, look), things, settings)


def test_same_seed_same_plan_and_another_look_another_plan() -> None:
    assert plan() == plan()
    assert plan(look=1) != plan()
    assert plan(settings=Settings(21, 4, 3, 288)) != plan()


def test_a_view_does_not_depend_on_how_many_follow_but_for_its_yaw() -> None:
    four, eight = plan(), plan(settings=Settings(20, 8, 3, 288))

    assert [shot.backdrop for shot in four] == [shot.backdrop for shot in eight[:4]]


def test_views_turn_into_each_quarter_of_the_range() -> None:
    yaws = sorted(shot.yaw for shot in plan())

    assert [int((yaw + YAW) / (2 * YAW) * 4) for yaw in yaws] == [0, 1, 2, 3]


@pytest.mark.parametrize(("collection", "sources"), [("mesh", MESH_SOURCES), ("packages", PACKAGE_SOURCES)])
def test_every_view_has_a_sibling_and_an_identity_all_sources(collection: str, sources: tuple[str, ...]) -> None:
    thing = Thing("mesh/x", "chair", collection, "train")

    first = [[d.source for d in shot.distractors[: shot.wanted]] for shot in plan(thing)]

    assert all(names[0] == "sibling" and len(names) == 3 for names in first)
    assert {name for names in first for name in names} == set(sources)


def test_test_views_get_every_source() -> None:
    things = tuple(Thing(thing.name, thing.category, "mesh", "test") for thing in THINGS)

    assert {shot.wanted for shot in plan(things[0], things=things)} == {len(MESH_SOURCES)}


def test_siblings_are_other_things_of_the_category() -> None:
    category = {thing.name: thing.category for thing in THINGS}
    for shot in plan(THINGS[3]):
        names = [name for name, _ in shot.distractors[0].siblings]
        assert names
        assert THINGS[3].name not in names
        assert {category[name] for name in names} == {"chair"}


def test_lone_thing_has_no_company() -> None:
    (shot, *_) = plan(things=THINGS[:1])

    assert shot.props == ()
    assert shot.distractors[0].siblings == ()


def test_choices_keep_to_their_ranges() -> None:
    shots = [shot for number in range(150) for shot in plan(THINGS[number % 40], look=number)]

    assert all(0.35 <= shot.fill <= 0.95 and abs(shot.yaw) <= YAW for shot in shots)
    assert all(-5 <= np.degrees(shot.elevation) <= 45 and abs(np.degrees(shot.roll)) <= 8 for shot in shots)
    assert all(70 <= shot.exposure.quality <= 95 for shot in shots)
    assert np.mean([shot.occluder is not None for shot in shots]) == pytest.approx(0.15, abs=0.04)
    assert np.mean([bool(shot.props) for shot in shots]) == pytest.approx(0.4, abs=0.06)
    assert {shot.backdrop.photograph for shot in shots} <= set(album.photographs("train"))


def test_splits_of_meshes_have_the_wanted_shares() -> None:
    shares = Counter(split_of(f"collection/{n}") for n in range(4000))

    assert shares["train"] / 4000 == pytest.approx(0.85, abs=0.02)
    assert shares["val"] / 4000 == pytest.approx(0.05, abs=0.015)


def test_no_photograph_stands_in_two_splits() -> None:
    every = [name for split in ("train", "val", "test") for name in album.photographs(split)]

    assert len(every) == len(set(every))
