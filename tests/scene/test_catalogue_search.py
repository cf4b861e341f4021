"""Scenes of a STAC API, held against a real server on this machine: rustac's, with files behind range requests."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.shutil import copy

from spex_nb import extract, open_scene, search_scenes
from spex_nb.errors import SceneError, SourceNotFoundError
from spex_nb.scene.samples import sample_path
from tests.scene.range_server import RangeServer, serving, write_tile

pytestmark = pytest.mark.slow

BOX = (10.2, 47.2, 10.4, 47.4)
RIVER = (10.39, 47.92, 10.44, 47.96)
"""Where the pixels really lie; the box has none of it."""
BANDS = ("blue", "green", "red", "nir", "swir16")
WINDOW = (4200, 5100, 1000, 1000)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RangeServer]:
    folder = tmp_path_factory.mktemp("bucket")
    with rasterio.open(sample_path("river_10m")) as sample:
        for number, name in enumerate(sample.descriptions, start=1):
            if name in BANDS:
                part = folder / f"{name}.part.tif"
                profile = sample.profile | {"count": 1}
                with rasterio.open(part, "w", **profile) as file:
                    file.write(sample.read(number), 1)
                copy(part, folder / f"{name}.tif", driver="COG")
                part.unlink()
    Image.new("RGB", (400, 300), (0, 90, 200)).save(folder / "look.jpg")
    (folder / "fake.jpg").write_text("<script>alert(1)</script>")
    with serving(folder) as server:
        yield server


def item(
    files: RangeServer,
    name: str,
    date: str,
    cover: float | None,
    thumbnail: str = "look.jpg",
    bounds: tuple[float, float, float, float] = (10, 47, 10.3, 48),
) -> dict[str, Any]:
    with rasterio.open(sample_path("river_10m")) as sample:
        scale, offset = sample.scales[0], sample.offsets[0]
    assets: dict[str, Any] = {
        band: {
            "href": f"{files.address}/{band}.tif",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "eo:bands": [{"name": band, "common_name": band}],
            "raster:bands": [{"scale": scale, "offset": offset}],
        }
        for band in BANDS
    }
    assets["thumbnail"] = {"href": f"{files.address}/{thumbnail}", "roles": ["thumbnail"], "type": "image/jpeg"}
    west, south, east, north = bounds
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    properties = {"datetime": f"{date}T10:00:00Z", "platform": "sentinel-2a"}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": name,
        "collection": "sentinel-2-l2a",
        "bbox": [*bounds],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": properties | ({} if cover is None else {"eo:cloud_cover": cover}),
        "assets": assets,
        "links": [],
    }


@pytest.fixture(scope="module")
def api(files: RangeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of rustac's STAC API, which keeps its items in memory."""
    server = Path(sys.executable).with_name("rustac")
    if not server.exists():
        pytest.skip("rustac is not installed: it comes with the extra [dev]")
    items = [
        item(files, "may", "2024-05-01", 5.0),
        item(files, "june", "2024-06-10", 60.0),
        item(files, "july", "2024-07-01", None),
        item(files, "august", "2024-08-01", 11.0, "fake.jpg"),
        item(files, "river in may", "2024-05-01", 5.0, bounds=RIVER),
        item(files, "river in july", "2024-07-01", None, bounds=RIVER),
        item(files, "river in august", "2024-08-01", 11.0, "fake.jpg", bounds=RIVER),
    ]
    path = tmp_path_factory.mktemp("catalogue") / "items.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [str(server), "serve", "--create-collections", "--addr", f"127.0.0.1:{port}", str(path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(address)
            yield address
        finally:
            process.kill()


def wait_for(address: str) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.25)
        else:
            return
    raise AssertionError(f"{address} does not answer")


def test_a_search_by_place_date_and_clouds_is_a_table(api: str) -> None:
    scenes = search_scenes(BOX, "2024-05/2024-08", catalogue=api, max_cloud=20)
    assert scenes.table["id"].tolist() == ["august", "may"]
    assert scenes.table["cloud_percent"].tolist() == [11.0, 5.0]
    assert scenes.table["covers_frac"].tolist() == pytest.approx([0.5, 0.5])
    assert scenes.notes == ("Left out, since they do not state their cloud cover: 1.",)
    assert [len(search_scenes(BOX, dates, catalogue=api)) for dates in (None, "2024-06", ("2024-06-01", ".."))] == [
        4,
        1,
        3,
    ]
    assert len(search_scenes((20, 0, 21, 1), catalogue=api)) == 0
    newest = search_scenes(BOX, catalogue=api, limit=1)
    assert (newest.table["id"].tolist(), newest.notes) == (["august"], ("4 scenes fit; the newest 1 are listed.",))


def test_a_scene_of_the_catalogue_gives_the_mask_of_its_file(api: str) -> None:
    scene = search_scenes(BOX, "2024-05-01", catalogue=api).open(bands=[*BANDS])
    local = open_scene(sample_path("river_10m"), bands=[*BANDS])
    for band in BANDS:
        np.testing.assert_allclose(scene[band].values, local[band].values, atol=1e-6)
    remote, near = (extract(each, "water", "index", progress=False) for each in (scene, local))
    assert (remote.mask.values == near.mask.values).all()
    assert remote.mask.rio.crs == near.mask.rio.crs


def test_addresses_are_signed_when_a_scene_is_opened(api: str) -> None:
    asked = []

    def sign(found: dict[str, Any]) -> dict[str, Any]:
        asked.append(found["id"])
        assets = {key: {**asset, "href": f"{asset['href']}"} for key, asset in found["assets"].items()}
        return found | {"assets": assets, "signed": True}

    scenes = search_scenes(BOX, "2024-05", catalogue=api, sign=sign)
    assert asked == []
    assert scenes[0]["signed"]
    assert scenes.open(bands=["green", "nir"]).spex.bands == ("green", "nir")
    assert asked == ["may", "may"]


def test_thumbnails_are_fetched_when_asked_and_only_pictures_are_shown(api: str, files: RangeServer) -> None:
    scenes = search_scenes(BOX, "2024-05/2024-08", catalogue=api, max_cloud=20)
    before = files.counts()[0]
    assert "<img" not in scenes._repr_html_()
    assert files.counts()[0] == before
    shown = scenes.with_thumbnails()
    assert list(shown.pictures) == ["may"]
    assert Image.open(io.BytesIO(shown.pictures["may"])).size == (160, 120)
    page = shown._repr_html_()
    assert page.count('<img src="data:image/png;base64,') == 1
    assert "<script" not in page
    assert "http" not in page


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"bbox": (47, 10)}, "no box in longitude and latitude"),
        ({"bbox": (600_000, 5_000_000, 610_000, 5_010_000)}, "transform_bounds"),
        ({"bbox": (10, 48, 11, 47)}, "no box"),
        ({"bbox": "Rome"}, "no box"),
        ({"catalogue": "moon"}, "earth-search, planetary-computer, cdse"),
        ({"max_cloud": 0.2, "limit": 0}, "a limit from 1 on"),
        ({"max_cloud": 101}, "percent from 0 to 100"),
    ],
)
def test_a_senseless_search_asks_nobody(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(SourceNotFoundError, match=reason):
        search_scenes(**({"bbox": BOX} | arguments))


def test_a_catalogue_that_is_none_is_explained(files: RangeServer) -> None:
    with pytest.raises(SceneError, match="does not answer as a STAC API does"):
        search_scenes(BOX, catalogue=files.address)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        closed = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(SceneError, match="Check the address"):
        search_scenes(BOX, catalogue=closed)
    with pytest.raises(SceneError, match="does not answer as"):
        search_scenes(BOX, "last summer", catalogue=files.address)


def test_a_window_of_a_whole_tile_costs_hardly_more_than_its_blocks(tmp_path: Path) -> None:
    blocks = write_tile(tmp_path / "blue.tif", 10_980, WINDOW)
    for band in ("green", "red", "nir"):
        os.link(tmp_path / "blue.tif", tmp_path / f"{band}.tif")
    with serving(tmp_path) as server:
        found = item(server, "tile", "2024-05-01", 0.0)
        found["assets"] = {key: found["assets"][key] for key in ("blue", "green", "red", "nir")}
        scene = open_scene(found)
        opened, _ = server.counts()
        part = scene.spex.window(*WINDOW).compute()
        read, _ = server.counts()
    shutil.rmtree(tmp_path)
    assert part["blue"].shape == (1000, 1000)
    assert float(part["blue"].std()) > 0
    assert read - opened <= 1.2 * 4 * blocks
