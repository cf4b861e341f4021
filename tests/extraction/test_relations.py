"""Relations of an instruction from words to the mask, on a scene drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr
from affine import Affine

import spex_nb
from spex_nb.extraction import Extraction

RIVER, WEST, EAST, LONG = np.s_[:, 78:82], np.s_[40:60, 20:45], np.s_[90:110, 110:130], np.s_[130:133, 10:60]


def drawn_scene() -> xr.Dataset:
    """Return a river from north to south, a lake on each side of it, and a canal in the west, among plants."""
    water = np.zeros((160, 160), bool)
    for block in (RIVER, WEST, EAST, LONG):
        water[block] = True
    bands = {"green": (0.10, 0.08), "red": (0.05, 0.06), "nir": (0.01, 0.40), "blue": (0.08, 0.05)}
    layers = {name: (("y", "x"), np.where(water, *values).astype("float32")) for name, values in bands.items()}
    scene = xr.Dataset(layers).rio.write_crs("EPSG:32632")
    return scene.rio.write_transform(Affine(10, 0, 500_000, 0, -10, 5_500_000))


def extract(text: str) -> Extraction:
    return spex_nb.extract(drawn_scene(), text, "index", progress=False)


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("water", (RIVER, WEST, EAST, LONG)),
        ("lakes", (WEST, EAST)),
        ("rivers", (RIVER, LONG)),
        ("the lakes west of the river", (WEST,)),
        ("Seen östlich vom Fluss", (EAST,)),
        ("the second largest lake", (EAST,)),
        ("the longest river", (RIVER,)),
        ("all lakes except the largest", (EAST,)),
        ("水体，除去最长的一个", (WEST, EAST, LONG)),
    ],
)
def test_the_mask_shows_what_the_words_mean(text: str, blocks: tuple[tuple[slice, slice], ...]) -> None:
    wanted = np.zeros((160, 160), bool)
    for block in blocks:
        wanted[block] = True
    np.testing.assert_array_equal(extract(text).mask.values == 1, wanted)


def test_each_part_keeps_its_own_filters_and_the_question_through_a_file(tmp_path: object) -> None:
    result = extract("how many lakes over 4.5 ha and forests over 5 ha are there?")
    numbers = result.mask.values
    assert set(np.unique(numbers[WEST])) == {1}
    assert 1 not in numbers[EAST]
    assert (numbers == 2).any()
    assert result.instruction.question == "count"
    result.save(f"{tmp_path}/result")
    assert spex_nb.load_extraction(f"{tmp_path}/result").instruction == result.instruction
