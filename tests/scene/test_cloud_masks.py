"""Cloud layers: what "fmask" means is told by the product's name and the values, or asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spex_nb import open_scene
from spex_nb.errors import SensorError
from spex_nb.scene.cloud_masks import CODINGS, coding_of

Writer = Callable[..., Path]


def layer(write_raster: Writer, name: str, values: Sequence[int], nodata: int | None = None) -> Path:
    pixels = np.resize(np.array(values, "uint8"), (1, 4, 4))
    return write_raster(pixels, name, nodata=nodata)


@pytest.mark.parametrize(
    ("name", "values", "nodata", "coding"),
    [
        ("LC08_fmask.tif", (1, 2, 3, 4, 5), 0, "fmask_classes"),
        ("scene_fmask.tif", (0, 1, 5), None, "fmask_classes"),
        ("scene.fmask.img", (1, 2), 0, "fmask_classes"),
        ("LC08_Fmask4.tif", (0, 1, 2, 3, 4), None, "cfmask"),
        ("LC08_cfmask.tif", (0, 1, 4), None, "cfmask"),
        ("scene_fmask.tif", (0, 1, 4, 255), None, "cfmask"),
        ("scene_fmask.tif", (0, 3, 4), 255, "cfmask"),
        ("scene_fmask.tif", (64, 66, 224), None, "fmask"),
        ("HLS.L30.T32UQD.2024001T101010.v2.0.Fmask.tif", (0, 2, 4), 255, "fmask"),
        ("x_QA_PIXEL.TIF", (64,), None, "qa_pixel"),
        ("T32UQD_SCL_20m.tif", (4,), None, "scl"),
    ],
)
def test_codings(write_raster: Writer, name: str, values: Sequence[int], nodata: int | None, coding: str) -> None:
    assert coding_of(str(layer(write_raster, name, values, nodata))) == coding


@pytest.mark.parametrize(("values", "nodata"), [((0, 2, 4), None), ((0, 1, 2), None), ((0, 2, 4, 255), 255)])
def test_a_coding_that_nothing_tells_is_asked_for(
    write_raster: Writer, values: Sequence[int], nodata: int | None
) -> None:
    path = layer(write_raster, "scene_fmask.tif", values, nodata)
    with pytest.raises(SensorError, match=r"fmask stands for several.*clouds=\{'fmask'.*'fmask_classes' or 'cfmask'"):
        coding_of(str(path))


@pytest.mark.parametrize(
    ("coding", "clear"),
    [("fmask_classes", {1, 4, 5}), ("cfmask", {0, 1, 3}), ("fmask", {0, 1}), ("scl", {2, 4, 5})],
)
def test_the_given_coding_decides(write_raster: Writer, coding: str, clear: set[int]) -> None:
    values = (0, 1, 2, 3, 4, 5)
    clouds: Any = {coding: write_raster(np.array([[values]], "uint8"), "mask.tif")}
    scene = open_scene(write_raster(np.full((1, 1, 6), 0.3, "float32"), descriptions=["red"]), clouds=clouds)
    assert {v for v, ok in zip(values, scene["valid"].values[0], strict=True) if ok} == clear


def test_an_unknown_coding_lists_the_known_ones(write_raster: Writer) -> None:
    path = write_raster(np.full((1, 4, 4), 0.3, "float32"), descriptions=["red"])
    with pytest.raises(SensorError, match=r"qa_pixel, scl, fmask, fmask_classes, cfmask"):
        open_scene(path, clouds={"mine": path})


def test_water_stays_valid_under_python_fmask(write_raster: Writer) -> None:
    quality = layer(write_raster, "LC08_fmask.tif", (5, 5, 1, 2), 0)
    scene = open_scene(write_raster(np.full((1, 4, 4), 0.3, "float32"), descriptions=["red"]), clouds=quality)
    np.testing.assert_array_equal(scene["valid"].values[0], [True, True, True, False])


def test_numbers_that_are_no_class_of_scl_are_not_clear() -> None:
    assert CODINGS["scl"](np.arange(256, dtype=np.uint8)).nonzero()[0].tolist() == [2, 4, 5, 6, 7, 11]
