"""Nothing waits for ever: pipes, forked children, huge virtual rasters, numbers without end."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from spex_nb import open_scene, parse_instruction
from spex_nb.errors import InstructionError, SensorError, UnreadableSourceError
from spex_nb.scene.samples import sample_path


def vrt(width: int, height: int, source: str = "") -> str:
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{i}"><Description>{name}</Description>{source}</VRTRasterBand>'
        for i, name in ((1, "red"), (2, "nir"))
    )
    return f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{bands}</VRTDataset>'


def test_a_pipe_is_no_scene(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tif")
    with pytest.raises(UnreadableSourceError, match="a pipe or device"):
        open_scene(tmp_path / "pipe.tif")


def test_a_pipe_behind_a_vrt_is_no_scene(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tif")
    source = '<SimpleSource><SourceFilename relativeToVRT="1">pipe.tif</SourceFilename></SimpleSource>'
    (tmp_path / "scene.vrt").write_text(vrt(8, 8, source))
    with pytest.raises(UnreadableSourceError, match="is a pipe or a device"):
        open_scene(tmp_path / "scene.vrt", scale=1e-4)


def test_a_pipe_is_no_table_of_a_sensor(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "sensor.json")
    with pytest.raises(SensorError, match="a pipe or a device"):
        open_scene(sample_path("river_10m"), sensor=tmp_path / "sensor.json")


@pytest.mark.parametrize(
    ("width", "height"),
    [
        (2**31 - 1, 1),
        (1, 2**31 - 1),
        (2**31 - 1, 2**31 - 1),
        (400_000, 400_000),
    ],
)
def test_a_huge_virtual_raster_is_refused_from_its_header(width: int, height: int, tmp_path: Path) -> None:
    (tmp_path / "scene.vrt").write_text(vrt(width, height))
    with pytest.raises(UnreadableSourceError, match=r"larger than any that can be read.*gdal_translate"):
        open_scene(tmp_path / "scene.vrt", scale=1e-4)


def zarr_of(folder: Path, shape: list[int], chunks: list[int]) -> Path:
    """Write a store whose metadata promise more numbers than it holds."""
    place = folder / "scene.zarr"
    layers = dict.fromkeys(("red", "nir"), (("y", "x"), np.full((4, 4), 0.1, np.float32)))
    xr.Dataset(layers).to_zarr(place, zarr_format=2, consolidated=False)
    for name in layers:
        metadata = json.loads((place / name / ".zarray").read_text())
        (place / name / ".zarray").write_text(json.dumps(metadata | {"shape": shape, "chunks": chunks}))
    return place


@pytest.mark.parametrize(
    ("side", "chunk", "problem"),
    [
        (10**6, 1000, "1,000,000,000,000 numbers"),
        (10**7 + 1, 10**7, "numbers"),
        (300_000, 300_000, r"chunks of 360,000 MB"),
        (300_000, 100, "9,000,000 chunks"),
    ],
)
def test_a_huge_zarr_store_is_refused_from_its_metadata(side: int, chunk: int, problem: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableSourceError, match=rf"larger than any that can be read.*{problem}"):
        open_scene(zarr_of(tmp_path, [side, side], [chunk, chunk]))


@pytest.mark.parametrize(("side", "chunk"), [(400_000, 1000), (100_000, 50)])
def test_a_huge_netcdf_file_is_refused_from_its_header(side: int, chunk: int, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scene.nc", "w") as file:
        for name in ("y", "x"):
            file.create_dataset(name, (side,), "f8", chunks=(1000,), compression="gzip").make_scale(name)
        for name in ("red", "nir"):
            layer = file.create_dataset(name, (side, side), "f4", chunks=(chunk, chunk), compression="gzip")
            for axis, dim in enumerate(("y", "x")):
                layer.dims[axis].attach_scale(file[dim])
    with pytest.raises(UnreadableSourceError, match="larger than any that can be read"):
        open_scene(tmp_path / "scene.nc")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_reads_a_lazy_scene_too() -> None:
    scene = open_scene(sample_path("river_10m"), chunks=64)
    expected = float(scene["red"].mean().compute())
    child = os.fork()
    if child == 0:
        os._exit(0 if float(scene["red"].mean().compute()) == expected else 1)
    for _ in range(600):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail("the child waits for ever")


@pytest.mark.parametrize("text", ["lakes larger than {} ha", "the {} largest lakes", "water within {} m of roads"])
def test_a_number_without_end_is_no_number(text: str) -> None:
    with pytest.raises(InstructionError):
        parse_instruction(text.format("9" * 1900))
