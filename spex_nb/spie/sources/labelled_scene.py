"""A scene with labels: its bands as reflectance, and for each target where it is and where the labels know that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rasterio.windows import Window

from spex_nb.errors import DatasetError, GridError, TargetError
from spex_nb.scene.accessor import Scene
from spex_nb.scene.grid import Grid
from spex_nb.scene.open import Chunks, open_scene
from spex_nb.scene.windows.rasters import RasterFile, probe
from spex_nb.spie.sources.catalogue import Imagery
from spex_nb.spie.sources.label_layers import Flags, LabelLayer, Reading
from spex_nb.types.targets import TARGETS, get_target


@dataclass(frozen=True)
class LabelledScene:
    """An image and its labels: paths and names only, so that worker processes can receive it.

    Attributes:
        dataset: Id of the dataset.
        name: Unique within the dataset; letters and digits of any script, ``_`` and ``-``.
        place: Unit of the splits: scenes of one place share a split.
        split: Official split, ``train``, ``val`` or ``test``; empty where the source has none.
        path: File of the image.
        imagery: How the image is opened.
        layers: Its labels; where several layers know a pixel, the first one wins.
        is_drawn: Whether people drew the labels on this image. Other labels come from land-cover maps, which call a
            ploughed field cropland; see `labels_on_date`.
    """

    dataset: str
    name: str
    place: str
    split: str
    path: str
    imagery: Imagery = field(repr=False)
    layers: tuple[LabelLayer, ...] = field(repr=False)
    is_drawn: bool = False

    @property
    def id(self) -> str:
        """Unique among all datasets of a build, and fit for a file name."""
        return f"{self.dataset}-{self.name}"

    @property
    def targets(self) -> tuple[str, ...]:
        """Ids of the targets that its labels know."""
        targets = {target for layer in self.layers for target in layer.targets}
        return tuple(target for target in TARGETS if target in targets)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the image, in pixels; read from its file."""
        grid = self._probe().grid
        return grid.height, grid.width

    def open(self, chunks: Chunks = "auto") -> Scene:
        """Open the image.

        Args:
            chunks: As in `open_scene`; by default an image of up to 64 MB is read now and a larger one lazily.

        Returns:
            A Scene of float32 bands [H, W]: reflectance, or relative reflectance of digital numbers.

        Raises:
            DatasetError: If the image does not have the bands of its dataset.
            SourceNotFoundError, UnreadableSourceError: If it cannot be read.
            EmptySceneError: If no pixel is valid.
        """
        self._probe()
        imagery = self.imagery
        bands = {name: number for number, name in enumerate(imagery.bands, start=1) if name}
        scene = open_scene(
            self.path,
            imagery.sensor,
            bands,
            scale=imagery.scale,
            offset=imagery.offset,
            nodata=imagery.nodata,
            chunks=chunks,
        )
        return scene if imagery.gsd_m is None else scene.assign_attrs(gsd_m=imagery.gsd_m)

    def label(self, target: str, window: tuple[int, int, int, int] | None = None) -> tuple[Flags, Flags]:
        """Read where one target is; see `labels`.

        Raises:
            TargetError: If the target is unknown, or the labels know nothing of it.
        """
        target_id = self._require_target(target)
        return self.labels(window, (target_id,))[target_id]

    def labels(
        self, window: tuple[int, int, int, int] | None = None, targets: Sequence[str] | None = None
    ) -> dict[str, tuple[Flags, Flags]]:
        """Read where targets are.

        The label knows nothing of missing pixels in the image: combine ``known`` with ``valid`` of the scene.

        Args:
            window: (row, column, height, width) in pixels; the whole scene by default. Only it is read.
            targets: Ids of targets that the labels know; all of them by default.

        Returns:
            By target: ``mask`` and ``known``, bool [H, W] on the grid of the image: where the target is, and where the
            labels say whether it is. ``mask`` is False where ``known`` is.

        Raises:
            GridError: If the window is not within the image.
            DatasetError: If image and labels do not fit each other.
        """
        grid = self._probe().grid
        part = _window(window, grid, self.path)
        readings = [layer.load(grid, part) for layer in self.layers]
        return {target: _joined(target, readings) for target in (self.targets if targets is None else targets)}

    def _require_target(self, target: str) -> str:
        target_id = get_target(target).id
        if target_id not in self.targets:
            raise TargetError(
                "The labels know nothing of the target",
                found=f"{target_id!r} asked of {self.dataset}, scene {self.name}",
                expected=f"one of {', '.join(self.targets)}",
                fix="Ask for one of these, or choose another dataset.",
            )
        return target_id

    def _probe(self) -> RasterFile:
        """Return the header of the image file; refuse a file with other bands than its dataset has."""
        file = probe(self.path)
        if file.count != len(self.imagery.bands):
            raise DatasetError(
                f"The image does not have the bands of {self.dataset}",
                found=f"{self.path}: {file.count} band(s)",
                expected=f"{len(self.imagery.bands)}: {', '.join(name or 'none' for name in self.imagery.bands)}",
                fix="Fetch the dataset again, or check that the folder holds this dataset.",
            )
        return file


def _joined(target: str, readings: Sequence[Reading]) -> tuple[Flags, Flags]:
    """Return the label of a target from several layers; the first that knows a pixel wins."""
    mask, is_known = readings[0](target)
    for reading in readings[1:]:
        layer_mask, layer_known = reading(target)
        mask, is_known = mask | (layer_mask & ~is_known), is_known | layer_known
    return mask, is_known


def _window(window: tuple[int, int, int, int] | None, grid: Grid, path: str) -> Any:
    """Return the window, or that of the whole grid; refuse one that reaches out of it."""
    row, column, height, width = window or (0, 0, grid.height, grid.width)
    inside = min(row, column) >= 0 and row + height <= grid.height and column + width <= grid.width
    if not inside or min(height, width) < 1:
        raise GridError(
            "The window is not within the image",
            found=f"row {row}, column {column}, {height} x {width} px of {path}",
            expected=f"a part of {grid.height} x {grid.width} px",
            fix="Pass window=(row, column, height, width).",
        )
    return Window(column, row, width, height)
