"""The six tools of an agent: look, ask, extract, evidence, compare and export. They know nothing of the protocol."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spex_nb.cli.agents.answers import answer_of, change_answer, evidence_of
from spex_nb.cli.agents.workspace import Workspace
from spex_nb.errors import CheckpointError, OutputError, SpexWarning, TargetError, nearest

if TYPE_CHECKING:
    from spex_nb.extraction import Extraction

RESULT_MARK = "extraction.json"
"""File that tells a result from other folders."""
Form = Literal["geopackage", "geojson", "geoparquet", "cog", "html", "coco", "yolo"]
WRITERS: Mapping[Form, Callable[[Extraction, Path, str | None], Path]] = {
    "geopackage": lambda result, place, _: result.to_geopackage(place),
    "geojson": lambda result, place, _: result.to_geojson(place),
    "geoparquet": lambda result, place, _: result.to_geoparquet(place),
    "cog": lambda result, place, _: result.to_cog(place),
    "html": lambda result, place, _: result.to_html(place),
    "coco": lambda result, place, scene: result.to_coco(place, scene),
    "yolo": lambda result, place, scene: result.to_yolo(place, scene),
}
"""How a result is written in each form, from the result, the place, and the scene where images are needed."""
WITH_IMAGES = ("coco", "yolo")
RECTANGLE_SIDES = 4
INDEX = "index"
EXAMPLE = "how much water is there?"
SMALL_PX = 32


@dataclass
class AgentTools:
    """What an agent can do with the scenes and results in its folders.

    Attributes:
        workspace: The folders.
        model: Who answers where a call names no other: ``index``, or a checkpoint that ships.
    """

    workspace: Workspace
    model: str = INDEX
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def prepare(self) -> None:
        """Load what the first question needs, by asking one about a small made-up scene; nothing of it stays.

        Libraries, the words of English and the rules take seconds of a first answer. A call meanwhile waits for it.
        """
        from spex_nb.extraction import extract

        with self._working():
            extract(_small_scene(), EXAMPLE, INDEX, progress=False)

    def look(self, path: str = "") -> dict[str, Any]:
        """See what there is: entries of a folder; bands, pixels and doubts of a scene; the answer of a result.

        Args:
            path: Relative path of a folder, scene or result; empty for all that there is.
        """
        with self._working() as caught:
            place = self.workspace.readable(path) if path else None
            if place is not None and (place / RESULT_MARK).is_file():
                return {"kind": "result", "path": path} | answer_of(self._result(path))
            if place is None or (place.is_dir() and not _is_product(place)):
                return {"kind": "folder", "path": path, "entries": self.workspace.entries(path)}
            return self._described(path, caught)

    def ask(self, scene: str, question: str, model: str | None = None) -> dict[str, Any]:
        """Answer a question about one scene from its pixels, such as "how much water is there?", and write nothing.

        Each sentence says what stands behind it, and each figure in it is one of the facts. Repeat no other figure.

        Args:
            scene: Relative path of the scene.
            question: A question or instruction about land cover, in any of nine languages.
            model: "index" for spectral rules, "tiny" for the neural network; the server's default if not given.
        """
        with self._working() as caught:
            result = self._extracted(scene, question, model, None, None)
            return answer_of(result) | _warned(caught)

    def extract(
        self,
        scene: str,
        instruction: str,
        out: str,
        model: str | None = None,
        area: Sequence[float] | None = None,
        area_crs: str | None = None,
    ) -> dict[str, Any]:
        """Map what an instruction asks for, and save the result as a new folder: mask, regions, evidence.

        Args:
            scene: Relative path of the scene.
            instruction: Such as "the lakes larger than 2 ha", in any of nine languages.
            out: Relative path of the new folder; what exists is never replaced.
            model: As of ask.
            area: Rectangle to look at: left, bottom, right, top. The whole scene if not given.
            area_crs: CRS of the rectangle, such as "EPSG:4326"; that of the scene if not given.
        """
        with self._working() as caught:
            place = self.workspace.writable(out)
            if area is not None and len(area) != RECTANGLE_SIDES:
                raise OutputError(
                    "The area is no rectangle",
                    found=f"{len(area)} numbers",
                    expected="left, bottom, right, top",
                    fix="Give four numbers, or none.",
                )
            rectangle = None if area is None else (tuple(area), area_crs)
            result = self._extracted(scene, instruction, model, place, rectangle)
            return {"result": self.workspace.shown(place)} | answer_of(result) | _warned(caught)

    def evidence(self, result: str, target: str | None = None) -> dict[str, Any]:
        """Return everything that is known of a saved result: all sentences, all facts with their sources, notes.

        Args:
            result: Relative path of the result.
            target: Id of one land cover, such as "water"; all of the result if not given.
        """
        with self._working():
            loaded = self._result(result)
            names = [explanation.target for explanation in loaded.explanations]
            if target is not None and target not in names:
                raise TargetError(
                    "The result knows nothing of this",
                    found=target,
                    expected=", ".join(names),
                    fix=nearest(target, names) or "Extract it first.",
                )
            return evidence_of(loaded, target)

    def compare(
        self, before: str, after: str, targets: Sequence[str], out: str | None = None, model: str | None = None
    ) -> dict[str, Any]:
        """Compare two scenes of one place: what was gained, lost and kept of each target.

        Beside each figure stands its floor, which is what shift and noise alone would show. A change below its floor is
        no change that one can speak of.

        Args:
            before: Relative path of the earlier scene.
            after: Relative path of the later scene.
            targets: Ids of land covers, such as "water".
            out: Relative path of a new folder for the change; nothing is saved if not given.
            model: As of ask.
        """
        from spex_nb.analysis.change import compare

        with self._working() as caught:
            place = None if out is None else self.workspace.writable(out)
            first, second = (str(self._scene(path)) for path in (before, after))
            change = compare(first, second, list(targets), self._model(model), progress=False)
            saved = {} if place is None else {"change": self.workspace.shown(change.save(place))}
            return saved | change_answer(change) | _warned(caught)

    def export(self, result: str, form: Form, out: str, scene: str | None = None) -> dict[str, Any]:
        """Write a saved result in another form, as a new file or folder.

        Args:
            result: Relative path of the result.
            form: "geopackage", "geojson", "geoparquet", "cog" or "html"; "coco" and "yolo" for training data.
            out: Relative path of the new file or folder; what exists is never replaced.
            scene: Relative path of the scene of the result; only "coco" and "yolo" need it, for their images.
        """
        with self._working() as caught:
            place = self.workspace.writable(out)
            if form in WITH_IMAGES and scene is None:
                raise OutputError(
                    "Training data need images",
                    found=f"the form {form} without a scene",
                    expected="the scene of the result",
                    fix="Name it by scene.",
                )
            images = None if scene is None else str(self._scene(scene))
            WRITERS[form](self._result(result), place, images)
            return {"written": self.workspace.shown(place)} | _warned(caught)

    @contextmanager
    def _working(self) -> Iterator[list[warnings.WarningMessage]]:
        """Let one call work at a time, and give its warnings."""
        with self._lock, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SpexWarning)
            yield caught

    def _scene(self, path: str) -> Path:
        """Return the place of a scene all of whose files lie in the folders."""
        from spex_nb.scene.reopen import open_identified
        from spex_nb.scene.windows.scene_source import SceneSource

        place = self.workspace.readable(path)
        _, identity = open_identified(SceneSource(str(place)))
        self.workspace.require_inside(identity.files)
        return place

    def _result(self, path: str) -> Extraction:
        from spex_nb.extraction import load_extraction

        return load_extraction(self.workspace.readable(path))

    def _model(self, name: str | None) -> Any:
        """Return a model by its name; a path is no name."""
        from spex_nb.extraction.mask_models import SHIPPED, load_mask_model

        wanted = name or self.model
        if wanted not in (INDEX, SHIPPED):
            raise CheckpointError(
                "There is no such model",
                found=wanted[:80],
                expected=f"{INDEX} or {SHIPPED}",
                fix="Leave it out for the default of this server.",
            )
        return load_mask_model(wanted)

    def _extracted(
        self, scene: str, instruction: str, model: str | None, out: Path | None, rectangle: Any
    ) -> Extraction:
        from spex_nb.extraction import extract

        area, crs = rectangle or (None, None)
        place = str(self._scene(scene))
        return extract(place, instruction, self._model(model), out=out, progress=False, aoi=area, aoi_crs=crs)

    def _described(self, path: str, caught: list[warnings.WarningMessage]) -> dict[str, Any]:
        from spex_nb.cli.info import describe_scene
        from spex_nb.scene.open import open_scene

        facts, bands = describe_scene(open_scene(str(self._scene(path)), chunks="auto"))
        return {"kind": "scene", "path": path, "facts": facts, "bands": bands} | _warned(caught)


def _small_scene() -> Any:
    """Return a scene in memory, half water and half plants, with a place on the ground as real ones have it."""
    import numpy as np
    import xarray as xr
    from affine import Affine

    is_water = np.arange(SMALL_PX) < np.full((SMALL_PX, 1), SMALL_PX // 2)
    plants_and_water = {"green": (0.08, 0.1), "red": (0.05, 0.06), "nir": (0.4, 0.02), "swir16": (0.2, 0.01)}
    bands = {
        name: (("y", "x"), np.where(is_water, water, plants).astype(np.float32))
        for name, (plants, water) in plants_and_water.items()
    }
    scene = xr.Dataset(bands)
    return scene.rio.write_crs("EPSG:32632").rio.write_transform(Affine(10, 0, 5e5, 0, -10, 5.5e6))


def _is_product(place: Path) -> bool:
    """Return whether a folder is one scene: a product of Sentinel-2 or Landsat, or a Zarr store."""
    marks = ("MTD_MSI*.xml", "*_MTL.txt", ".zgroup", "zarr.json")
    return any(any(place.glob(mark)) for mark in marks)


def _warned(caught: Sequence[warnings.WarningMessage]) -> dict[str, Any]:
    texts = dict.fromkeys(str(entry.message) for entry in caught if issubclass(entry.category, SpexWarning))
    return {"warnings": [*texts]} if texts else {}
