"""A scene before a pixel is read: its bands, where each lies, and what its maker states."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from spex_nb.scene.grid import Grid
from spex_nb.scene.windows.rasters import RasterFile, probe


@dataclass(frozen=True)
class BandSource:
    """One band before it is read: either in a file or in an array [H, W]."""

    label: str
    """What the file or layout calls it: "red", "B04", or "" where it has no name."""
    dtype: str
    grid: Grid
    nodata: float | None = None
    scale: float | None = None
    offset: float | None = None
    radiometry_reason: str = ""
    file: RasterFile | None = None
    index: int = 1
    array: Any = None
    label_from: str = "band description"
    """Where the label stands: a band description, a file name, an asset of a STAC item and so on."""
    common_name: str = ""
    """The STAC common name that metadata state beside the label."""
    wavelength_um: float | None = None
    """The centre wavelength that metadata state, µm."""
    layer: str = ""
    """What the layer holds by its metadata if it is no reflectance, such as thermal."""
    unscaled: str = ""
    """What the numbers are where they become reflectance only with facts that are not there, such as radiance."""
    scale_is_claim: bool = False
    """Whether scale and offset are only what the product's name promises; see `radiometry.hold_against`."""

    @property
    def color(self) -> str:
        """The colour interpretation of the file: red, green, blue, alpha, undefined and so on."""
        return self.file.colors[self.index - 1] if self.file else "undefined"


@dataclass(frozen=True)
class Quality:
    """A quality layer: the file, and how its numbers are coded (qa_pixel, scl, fmask)."""

    path: str
    coding: str


@dataclass(frozen=True)
class Source:
    """A scene before it is read."""

    location: str
    layout: str
    bands: tuple[BandSource, ...]
    sensor: str | None = None
    sensor_reason: str = ""
    quality: Quality | None = None
    tags: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    """Files and layers that are no bands of the scene, and why."""


def bands_of_file(location: str) -> tuple[BandSource, ...]:
    """Return the bands of a raster file in file order, with the file's own scale, offset and nodata."""
    file = probe(location)
    return tuple(_band_of(file, index) for index in range(1, file.count + 1))


def _band_of(file: RasterFile, index: int) -> BandSource:
    i = index - 1
    scale, offset = file.scales[i], file.offsets[i]
    stated = (scale, offset) != (1.0, 0.0)
    return BandSource(
        label=file.descriptions[i],
        dtype=file.dtypes[i],
        grid=file.grid,
        nodata=file.nodata[i],
        scale=scale if stated else None,
        offset=offset if stated else None,
        radiometry_reason="scale and offset stated in the file" if stated else "",
        file=file,
        index=index,
        wavelength_um=file.wavelengths_um[i] if file.wavelengths_um else None,
    )
