"""Label layers: footprints, windows, and labels that do not fit their image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from development_sets import read_hls

from spex_nb.errors import DatasetError, SpexError, UnreadableSourceError
from spex_nb.scene.windows.rasters import open_raster
from spex_nb.spie.sources.catalogue import Imagery
from spex_nb.spie.sources.label_layers import FootprintLayer
from spex_nb.spie.sources.labelled_scene import LabelledScene
from spex_nb.spie.sources.readers import read_chesapeake, read_gid15, read_spacenet2
from tests.spie.small_sets import NO_GEOREFERENCE, SIDE, Write, columns, gid_label, picture, write_footprints


def test_footprints_follow_the_image_into_another_crs(write_raster: Write, tmp_path: Path) -> None:
    place = Affine(10, 0, 500_000, 0, -10, 5_500_000)
    image = write_raster(picture(1), "a.tif", transform=place)
    ring = [
        [500_100, 5_499_900],
        [500_300, 5_499_900],
        [500_300, 5_499_800],
        [500_100, 5_499_800],
        [500_100, 5_499_900],
    ]
    square = {"type": "Polygon", "coordinates": [ring]}
    degrees = rasterio.warp.transform_geom("EPSG:32632", "EPSG:4326", square, precision=9)
    write_footprints(tmp_path / "a.geojson", [{"type": "Feature", "properties": {}, "geometry": degrees}])
    layers = (FootprintLayer(str(tmp_path / "a.geojson"), ("building",)),)
    mask, _ = LabelledScene("x", "a", "a", "", str(image), Imagery("rgb", ("red",)), layers).label("building")
    expected = np.zeros((SIDE, SIDE), bool)
    expected[10:20, 10:30] = True
    np.testing.assert_array_equal(mask, expected)


def test_footprints_need_an_image_with_crs(spacenet2: Path, write_raster: Write) -> None:
    scene = read_spacenet2(spacenet2)[0]
    name = str(Path(scene.path).relative_to(spacenet2.parent))
    write_raster(picture(8, "uint16"), name, **NO_GEOREFERENCE)
    with pytest.raises(DatasetError, match=r"buildings_AOI_2_Vegas_img1\.geojson: an image without CRS"):
        scene.label("building")


@pytest.mark.parametrize(("text", "says"), [("{", "a GeoJSON file"), ("[1]", "list of features")])
def test_broken_footprints_are_named(spacenet2: Path, text: str, says: str) -> None:
    scene = read_spacenet2(spacenet2)[0]
    Path(scene.layers[0].path).write_text(text)
    with pytest.raises(DatasetError, match=rf"buildings_AOI_2_Vegas_img1\.geojson.*{says}"):
        scene.label("building")


def test_only_the_window_is_read(chesapeake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    read = rasterio.io.DatasetReader.read

    def spy(self: Any, *arguments: Any, window: Any = None, **others: Any) -> Any:
        seen.append((window.width, window.height))
        return read(self, *arguments, window=window, **others)

    monkeypatch.setattr("spex_nb.spie.sources.label_layers.open_raster", lambda path: Spied(path, spy))
    read_chesapeake(chesapeake)[0].label("built_up", (0, 0, 8, 4))
    assert seen == [(4, 8), (4, 8)]


class Spied:
    """A raster whose reads are seen."""

    def __init__(self, path: str, read: Any) -> None:
        self.context, self.spy = open_raster(path), read

    def __enter__(self) -> Spied:
        self.file = self.context.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.context.__exit__(*error)

    def read(self, *arguments: Any, **others: Any) -> Any:
        return self.spy(self.file, *arguments, **others)


def test_label_of_another_size_is_named(hls: Path, write_raster: Write) -> None:
    write_raster(np.zeros((1, 64, 32), "uint8"), "hls/water/000.tif", **NO_GEOREFERENCE)
    with pytest.raises(DatasetError, match=r"water/000\.tif: 64 x 32 px.*64 x 64 px, as its image"):
        read_hls(hls)[0].label("water")


def test_label_on_other_ground_is_named(chesapeake: Path, write_raster: Write) -> None:
    scene = read_chesapeake(chesapeake)[0]
    name = str(Path(scene.layers[1].path).relative_to(chesapeake.parent))
    write_raster(columns(1), name, crs="EPSG:26918", transform=Affine(10, 0, 500_640, 0, -10, 5_500_000))
    with pytest.raises(DatasetError, match=r"_lc\.tif: origin \(500640.*as its image"):
        scene.label("water")


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (np.zeros((3, SIDE, SIDE), "uint8"), r"3 band\(s\) of uint8.*one band of class codes"),
        (np.zeros((1, SIDE, SIDE), "float32"), r"1 band\(s\) of float32.*integers"),
    ],
)
def test_label_that_holds_no_codes_is_named(hls: Path, write_raster: Write, pixels: Any, says: str) -> None:
    write_raster(pixels, "hls/worldcover/000.tif", **NO_GEOREFERENCE)
    with pytest.raises(DatasetError, match=rf"worldcover/000\.tif: {says}"):
        read_hls(hls)[0].label("vegetation")


def test_label_in_colour_needs_three_bands(gid15_fine: Path) -> None:
    (scene,) = read_gid15(gid15_fine)
    with rasterio.open(
        scene.layers[0].path,
        "w",
        driver="GTiff",
        dtype="uint8",
        count=1,
        height=SIDE,
        width=SIDE,
        crs="EPSG:32632",
        transform=Affine(4, 0, 0, 0, -4, 0),
    ) as file:
        file.write(gid_label())
    with pytest.raises(DatasetError, match=r"_label\.tif: 1 band\(s\).*three bands of colours"):
        scene.label("water")


def test_damaged_label_is_named(hls: Path) -> None:
    (hls / "water/000.tif").write_bytes(b"no raster")
    with pytest.raises(UnreadableSourceError, match=r"water/000\.tif"):
        read_hls(hls)[0].label("water")


def test_label_cut_short_is_named(hls: Path, write_raster: Write) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1, SIDE, SIDE)).astype("uint8")
    path = write_raster(noise, "hls/water/000.tif", compress="deflate", **NO_GEOREFERENCE)
    path.write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(SpexError, match=r"water/000\.tif"):
        read_hls(hls)[0].label("water")
