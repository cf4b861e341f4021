"""What an extraction gives: mask, probability, regions, explanation, evidence, and how they were made.

A result is data. What writes and shows it is reached through the face of this room, so that no module imports back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from spex_nb.errors import OutputError
from spex_nb.extraction.explain import Explanation, faithfulness
from spex_nb.output import export
from spex_nb.output.qgis import LegendClass, categorized_style
from spex_nb.types import Claim, Evidence, Instruction
from spex_nb.types.targets import class_rgb

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.figure import Figure


NOTHING_RGB = (255, 255, 255)
"""Colour of what is no class, where a viewer draws it at all."""
UNTRUSTED = " (cannot be trusted)"
"""What a legend adds to the name of a class whose whole answer cannot be trusted."""


@dataclass(frozen=True, eq=False)
class Extraction:
    """The result of `extract`. A notebook shows it as picture, explanation and table."""

    mask: xr.DataArray
    """uint8 [H, W]: 0 none, 1 ... n the classes in the order of ``class_names``, 255 no data."""
    probability: xr.DataArray = field(repr=False)
    """float32 [n, H, W] in steps of 1/4096, NaN where there is no data. Lazy where it is large: then it can be read as
    long as this result lives, or its folder."""
    regions: gpd.GeoDataFrame = field(repr=False)
    """One row a region, largest first within its class: target, region, area_px, area_m2, perimeter_m (along pixels;
    both NaN without a CRS), share_frac, size, location, centroid_x_crs, centroid_y_crs, mean_probability, and the mean
    of each index that was measured."""
    class_names: Mapping[str, str]
    """Id of each class, and what it is called in the language of the instruction."""
    explanations: tuple[Explanation, ...]
    evidence: Mapping[str, Evidence] = field(repr=False)
    """By target."""
    instruction: Instruction
    notes: tuple[str, ...]
    """What one should know: who answered, what was not found and why, what did not go as usual."""
    failures: Mapping[str, str]
    """Tiles that failed, by ``row,column,height,width``, and why; they count as no data."""
    provenance: Mapping[str, Any] = field(repr=False)
    overview: xr.Dataset = field(repr=False)
    """The scene, thinned."""
    probability_file: Path = field(repr=False)
    """Where the probability lies."""
    doubt: xr.DataArray | None = field(default=None, repr=False)
    """uint8 [H, W]: 0 none ... 250 as likely wrong as can be, 255 no data; see `extraction.facts.doubt`. Lazy where it
    is large. None in results of versions that did not measure it."""
    scratch: Any = field(default=None, repr=False)
    """What keeps that file alive where it is a temporary one."""

    @property
    def explanation(self) -> str:
        """The explanation of each target: the model's text with its claims marked, then sentences from the evidence."""
        return "\n\n".join(map(str, self.explanations))

    @property
    def claims(self) -> dict[str, tuple[Claim, ...]]:
        """By target, what the model's text states, each with its verdict."""
        return {explanation.target: explanation.claims for explanation in self.explanations}

    @property
    def prompts(self) -> dict[str, str]:
        """By target, the prompt of the explanation."""
        return {explanation.target: explanation.prompt for explanation in self.explanations}

    @property
    def faithfulness(self) -> float | None:
        """Share of the model's checkable claims that hold; None where it made none."""
        return faithfulness([claim for claims in self.claims.values() for claim in claims])

    @property
    def class_colors(self) -> dict[str, tuple[int, int, int]]:
        """Colour of each class, 0..255, by id: that of the target, or the one that a taught class was given."""
        stated = dict(self.provenance.get("colors") or {})
        return {name: class_rgb(name, stated.get(name)) for name in self.class_names}

    @property
    def is_untrusted(self) -> bool:
        """Whether the whole answer cannot be trusted; the first sentence of the explanation says why."""
        return any(fact.id == "trust" for explanation in self.explanations for fact in explanation.facts)

    def plot(self) -> Figure:
        """Draw the mask over the scene, with a legend; in stripes where the answer cannot be trusted."""
        from spex_nb.output.plotting import plot_classes

        return plot_classes(
            self.overview, self.mask, self.class_names, hatched=self.is_untrusted, colors=self.class_colors
        )

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write everything into a folder, which `load_extraction` reads again.

        Raises:
            OutputError: If the folder exists and may not be overwritten, or cannot be written.
        """
        from spex_nb import extraction

        return extraction.save_extraction(self, folder, overwrite=overwrite)

    def to_cog(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the mask as a cloud-optimised GeoTIFF with colours, and its legend for GDAL and QGIS beside it.

        Errors as `save_cog`.
        """
        colors = {0: NOTHING_RGB} | dict(enumerate(self.class_colors.values(), start=1))
        legend = [LegendClass("0", "none", NOTHING_RGB, is_empty=True)]
        legend += [replace(entry, value=str(number)) for number, entry in enumerate(self._legend(), start=1)]
        return export.save_cog(self.mask, path, overwrite=overwrite, colors=colors, legend=legend)

    def to_geopackage(
        self, path: str | Path, *, overwrite: bool = False, layer: str = export.REGIONS, add: bool = False
    ) -> Path:
        """Write the regions as a layer of a GeoPackage, with the colours for QGIS; errors as `save_geopackage`.

        The areas of a checked map are a second table.

        Args:
            path: The file to write.
            overwrite: Whether an existing file is replaced.
            layer: Name of the layer.
            add: Whether the layer is added to an existing file, so that one file holds several results.
        """
        columns = [str(name) for name in self.regions.columns if name != self.regions.geometry.name]
        style = categorized_style("target", self._legend(), columns)
        tables = self._checked_areas("" if layer == export.REGIONS else f"{layer}_")
        return export.save_geopackage(
            self.regions, path, overwrite=overwrite, tables=tables, layer=layer, style=style, add=add
        )

    def _legend(self) -> list[LegendClass]:
        """Return the classes as a legend; what cannot be trusted says so and is striped."""
        untrusted = {
            explanation.target
            for explanation in self.explanations
            if any(fact.id == "trust" for fact in explanation.facts)
        }
        colors = self.class_colors
        return [
            LegendClass(name, f"{title}{UNTRUSTED if name in untrusted else ''}", colors[name], name in untrusted)
            for name, title in self.class_names.items()
        ]

    def to_geoparquet(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the regions as GeoParquet; errors as `save_geoparquet`."""
        return export.save_geoparquet(self.regions, path, overwrite=overwrite)

    def to_geojson(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the regions as GeoJSON in longitude and latitude; errors as `save_geojson`."""
        return export.save_geojson(self.regions, path, overwrite=overwrite)

    def to_coco(self, folder: str | Path, scene: Any, *, overwrite: bool = False, **choices: Any) -> Path:
        """Write mask and scene as a training set in COCO's form, with a side file that says where its images lie.

        Args:
            folder: The folder to write.
            scene: The scene of this result: a Dataset of bands, or whatever `open_scene` takes.
            overwrite: Whether an existing training set is replaced.
            choices: ``tile_px``, the longest side of an image, and ``bands``, the three that it shows; see
                `TrainingSet`.

        Raises:
            GridError, BandError: If the scene is another one, or lacks the bands.
            OutputError: If the folder exists and may not be replaced, or cannot be written.
        """
        from spex_nb.output.annotations.coco import save_coco

        return save_coco(self._training_set(scene, choices), folder, overwrite=overwrite)

    def to_yolo(self, folder: str | Path, scene: Any, *, overwrite: bool = False, **choices: Any) -> Path:
        """Write mask and scene as a training set in YOLO's form; arguments and errors as of `to_coco`."""
        from spex_nb.output.annotations.yolo import save_yolo

        return save_yolo(self._training_set(scene, choices), folder, overwrite=overwrite)

    def to_stac(self, path: str | Path, *, date: str | None = None, overwrite: bool = False) -> Path:
        """Write a STAC item beside or above the folder of this result, which names its files.

        Args:
            path: The JSON file to write.
            date: Day on which the scene was taken, as ``2024-05-01``; what the result knows if not given.
            overwrite: Whether an existing file is replaced.

        Raises:
            OutputError: If the result was not saved, its date is unknown, or the file cannot be written.
            GridError: If the scene has no place on the Earth.
        """
        from spex_nb.output.stac_items import ResultFacts, save_stac_item
        from spex_nb.scene.grid import Grid

        folder = self.probability_file.parent
        if not (folder / "extraction.json").is_file():
            raise OutputError(
                "Only a saved result becomes a STAC item",
                found="a result in memory",
                expected="a result in a folder, whose files the item can name",
                fix="Call save() and load_extraction() first, or extract with out=.",
            )
        dates = [fact.value for entry in self.explanations for fact in entry.facts if fact.id == "date" and fact.value]
        known_date = str(dates[0])[:10] if dates else None
        height, width = self.mask.shape
        grid = Grid(height, width, self.mask.rio.transform(), self.mask.rio.crs)
        versions = {str(name): str(version) for name, version in dict(self.provenance.get("versions") or {}).items()}
        lineage = f"Land cover by spex_nb and the model {self.provenance.get('model')}: {self.instruction.meaning}"
        trust = {"spex:can_be_trusted": not self.is_untrusted, "spex:notes": list(self.notes)}
        made_at = str(self.provenance.get("made"))
        facts = ResultFacts(folder.name, grid, self.class_names, date or known_date, lineage, versions, made_at, trust)
        return save_stac_item(facts, folder, Path(path), overwrite=overwrite)

    def _training_set(self, scene: Any, choices: Mapping[str, Any]) -> Any:
        from spex_nb.output.annotations.training_set import TrainingSet
        from spex_nb.scene.reopen import open_source
        from spex_nb.scene.windows.scene_source import SceneSource

        opened = scene if isinstance(scene, xr.Dataset) else open_source(SceneSource(scene))
        making = {name: self.provenance.get(name) for name in ("scene", "model", "made")}
        trust = {"trust": "The whole answer cannot be trusted."} if self.is_untrusted else {}
        origin = {"instruction": self.instruction.text, **making, **trust, "notes": list(self.notes)}
        return TrainingSet(self.mask, list(self.class_names), opened, origin=origin, **choices)

    def to_html(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write everything as one HTML page that needs no other file.

        Raises:
            OutputError: If the path exists and may not be overwritten, or cannot be written.
        """
        from spex_nb import extraction

        return extraction.write_result_page(self, path, overwrite=overwrite)

    def add_to(self, leafmap_map: Any, name: str | None = None) -> Any:
        """Lay the mask on a map, and give the map back.

        Args:
            leafmap_map: A ``leafmap.Map``, or any ipyleaflet map.
            name: Of the layer; what the instruction means if not given.

        Raises:
            GridError: If the scene has no CRS.
        """
        from spex_nb.output.leaflet import mask_layer

        leafmap_map.add_layer(mask_layer(self.mask, self.class_colors, name or self.instruction.meaning))
        return leafmap_map

    def _checked_areas(self, prefix: str = "") -> dict[str, pd.DataFrame]:
        """Return the table of areas with intervals; none where no points of the map were checked."""
        intervals = {name: figures.area_interval for name, figures in self.evidence.items()}
        rows = [
            {"target": name, **asdict(interval), "text": str(interval)}
            for name, interval in intervals.items()
            if interval is not None
        ]
        return {f"{prefix}checked_areas": pd.DataFrame(rows)} if rows else {}

    def __str__(self) -> str:
        """Return the answer as text: what was asked, the explanation, the number of regions, the notes."""
        number = f"{len(self.regions):,} {'region' if len(self.regions) == 1 else 'regions'}"
        return "\n".join([f"Asked: {self.instruction.text}", self.explanation, number, *self.notes])

    def _repr_html_(self) -> str:
        from spex_nb import extraction

        return extraction.show_extraction(self)

    def _repr_mimebundle_(self, **_formats: Any) -> dict[str, str]:
        from spex_nb import extraction

        return extraction.bundle_extraction(self)
