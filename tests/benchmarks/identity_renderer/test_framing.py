import numpy as np
import pytest
from identity_renderer import framing
from numpy.typing import NDArray


@pytest.fixture
def points() -> NDArray[np.float64]:
    return np.random.default_rng(0).uniform([-0.5, 0, -0.3], [0.5, 0.8, 0.3], (500, 3))


@pytest.fixture
def frame(points: NDArray[np.float64]) -> framing.Frame:
    return framing.fit(framing.aim(0.8, 3.0, 0.4, 0.1, 288), points, 0.7, (0.4, 0.55))


def test_fit_fills_the_frame_around_the_wanted_place(frame: framing.Frame, points: NDArray[np.float64]) -> None:
    low, high = framing.box(frame, points)

    assert (high - low).max() == pytest.approx(0.7 * 288)
    np.testing.assert_allclose((low + high) / 2, [0.4 * 288, 0.55 * 288])


def test_clip_space_agrees_with_projection(frame: framing.Frame, points: NDArray[np.float64]) -> None:
    clip = np.c_[points, np.ones(len(points))] @ frame.clip().T
    normalised = clip[:, :2] / clip[:, 3:]

    pixels = np.stack([(normalised[:, 0] + 1) * 144, (1 - normalised[:, 1]) * 144], axis=1)

    np.testing.assert_allclose(pixels, frame.project(points), atol=1e-9)


def test_ray_of_a_pixel_meets_what_is_projected_there(frame: framing.Frame) -> None:
    ray = frame.rays()[200, 100]

    np.testing.assert_allclose(frame.project((frame.position + 2.5 * ray)[None])[0], [100.5, 200.5], atol=1e-9)


def test_stand_in_is_as_large_and_stands_on_the_same_spot(frame: framing.Frame, points: NDArray[np.float64]) -> None:
    other = framing.stand_in(frame, points * [0.2, 1.5, 0.9], points)

    (low, high), (own_low, own_high) = framing.box(frame, points), framing.box(other, points * [0.2, 1.5, 0.9])
    assert (own_high - own_low).max() == pytest.approx((high - low).max())
    assert own_high[1] == pytest.approx(high[1])
    assert own_low[0] + own_high[0] == pytest.approx(low[0] + high[0])


def test_camera_never_stands_below_the_ground_nor_sees_only_the_edge_of_a_flat_thing() -> None:
    assert framing.aim(0.5, 3.0, -0.5, 0.0, 288).position[1] >= 0.04 - 1e-9
    assert framing.aim(0.01, 3.0, 0.0, 0.0, 288).position[1] > 1


def test_shadow_of_a_point_lies_where_its_ray_from_the_light_meets_the_ground() -> None:
    light = framing.towards(0.7, 0.9)
    point = np.array([0.2, 0.6, -0.1])

    laid = framing.flatten(light) @ [*point, 1]

    np.testing.assert_allclose(laid[:3], point - light * 0.6 / light[1], atol=1e-12)


def test_light_sees_the_whole_ball() -> None:
    around = np.array([0.1, 0.5, -0.2])
    directions = np.random.default_rng(1).normal(size=(200, 3))
    ball = around + 2 * directions / np.linalg.norm(directions, axis=1, keepdims=True)

    clip = np.c_[ball, np.ones(200)] @ framing.sun_clip(framing.towards(1, 0.5), 2.0, around).T

    assert np.abs(clip[:, :3]).max() <= 1 + 1e-9
    # What is nearer to the light must hide what is farther.
    nearer = framing.sun_clip(framing.towards(1, 0.5), 2.0, around) @ [*(around + framing.towards(1, 0.5)), 1]
    assert nearer[2] < 0
