"""The commands ``spex extract`` and ``spex report``: results from scenes and an instruction, and a result as a page."""

from __future__ import annotations

import glob
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spex_nb.cli.options import client_of, open_options, scene_options
from spex_nb.errors import OutputError

if TYPE_CHECKING:
    from spex_nb.extraction import Extraction
    from spex_nb.extraction.storage import StoredRequest

SOME_FAILED = 1
"""Exit status where not every scene has a whole result."""
FILE = click.Path(path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


FORMS: Mapping[str, Callable[[Extraction, Path, Any], Path]] = {
    "coco": lambda result, place, scene: result.to_coco(place, scene, overwrite=True),
    "yolo": lambda result, place, scene: result.to_yolo(place, scene, overwrite=True),
    "geojson": lambda result, place, _: result.to_geojson(place, overwrite=True),
    "geoparquet": lambda result, place, _: result.to_geoparquet(place, overwrite=True),
    "html": lambda result, place, _: result.to_html(place, overwrite=True),
}
"""Forms beside a result: how each is written, from result, place and scene."""


@dataclass(frozen=True)
class Outcome:
    """How the extraction from one scene ended."""

    scene: str
    result: Path
    status: str
    """One of: extracted, done before, extracted in part, failed."""
    regions: int | None = None
    why: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.scene}: {self.status}" + (f"; {self.why}" if self.why else f" → {self.result}")


@click.command()
@click.argument("scenes", nargs=-1, required=True, metavar="SCENE...")
@click.argument("instruction")
@click.option("--model", default="tiny", show_default=True, help="Name or folder of a checkpoint; index for none.")
@click.option(
    "-o",
    "--out",
    type=FOLDER,
    default=Path("extractions"),
    show_default=True,
    help="Folder for the results; each has the name of its scene.",
)
@click.option(
    "--threshold", type=float, default=0.5, show_default=True, help="Least probability of a pixel of the mask."
)
@click.option("--min-area-px", type=int, default=4, show_default=True, help="Smaller regions are left out.")
@click.option("--tile-px", type=int, help="Side of a tile; by default what suits model and resolution.")
@click.option("--overlap-px", type=int, help="How far tiles overlap; an eighth of a tile by default.")
@click.option("--aoi", help="Area of interest: a vector file, or left,bottom,right,top.")
@click.option("--aoi-crs", help="CRS of --aoi where it states none; that of the scene by default.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the wording.")
@click.option("--taught", multiple=True, type=FILE, help="A class that `spex teach` wrote; may be given several times.")
@click.option("--scheduler", help="Address of a dask scheduler whose workers predict the tiles.")
@click.option("--also", help="Further forms beside each result, separated by commas: " + ", ".join(FORMS) + ".")
@scene_options
@click.option("--overwrite", is_flag=True, help="Replace results and unfinished runs of other questions.")
@click.option("--anyway", is_flag=True, help="Begin though memory or disk may not suffice.")
@click.option("--report", "report_file", type=FILE, help="JSON file to write, with the outcome of each scene.")
@click.option("--quiet", is_flag=True, help="No progress bars.")
def extract(  # noqa: PLR0913, PLR0917 (one argument an option)
    scenes: tuple[str, ...],
    instruction: str,
    model: str,
    out: Path,
    threshold: float,
    min_area_px: int,
    tile_px: int | None,
    overlap_px: int | None,
    aoi: str | None,
    aoi_crs: str | None,
    seed: int,
    taught: tuple[Path, ...],
    scheduler: str | None,
    also: str | None,
    overwrite: bool,
    anyway: bool,
    report_file: Path | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Extract what INSTRUCTION asks for from each SCENE: files, product folders, or a quoted pattern such as '*.tif'.

    Run the same command again to continue: it skips finished scenes and keeps finished tiles.
    """
    places, forms = _places(scenes, out), _forms_of(also)
    choices = {
        "threshold": threshold,
        "min_area_px": min_area_px,
        "tile_px": tile_px,
        "overlap_px": overlap_px,
        "seed": seed,
    }
    extractor = Extractor.of(instruction, model, choices, open_options(**options), scheduler, taught)
    extractor = replace(extractor, overwrite=overwrite, progress=not quiet)
    extractor = replace(
        extractor, anyway=anyway, aoi=None if aoi is None else _area_of(aoi), aoi_crs=aoi_crs, forms=forms
    )
    out.mkdir(parents=True, exist_ok=True)
    outcomes = list(extractor.run(places))
    _print_table(outcomes)
    _print_summary(outcomes)
    if report_file is not None:
        _write_outcomes(outcomes, report_file)
    if any(outcome.status not in ("extracted", "done before") for outcome in outcomes):
        raise SystemExit(SOME_FAILED)


@click.command()
@click.argument("result", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", type=FILE, help="HTML file to write; report.html in the result by default.")
def report(result: Path | None, output: Path | None) -> None:
    """Write RESULT, a folder of `spex extract`, as one HTML page.

    Without it, print versions, drivers, accelerators and memory, for bug reports.
    """
    if result is None:
        from spex_nb.cli.environment import show_versions

        click.echo(str(show_versions()))
        return
    from spex_nb.extraction import load_extraction

    page = load_extraction(result).to_html(output or result / "report.html", overwrite=True)
    click.echo(f"written to {page}", err=True)


@dataclass(frozen=True)
class Extractor:
    """One instruction for many scenes, with the model loaded once."""

    instruction: Any
    model: Any
    choices: dict[str, Any]
    opening: dict[str, Any]
    client: Any
    request: dict[str, Any]
    """The provenance that a result of the same request has."""
    taught: tuple[Any, ...] = ()
    """Taught classes that the instruction may name."""
    overwrite: bool = False
    progress: bool = True
    anyway: bool = False
    """Whether to begin though memory or disk may not suffice."""
    aoi: Any = None
    aoi_crs: str | None = None
    forms: tuple[str, ...] = ()
    """Further forms in which each result is written."""

    @classmethod
    def of(
        cls,
        instruction: str,
        model: str,
        choices: dict[str, Any],
        opening: dict[str, Any],
        scheduler: str | None,
        taught: Sequence[Path] = (),
    ) -> Extractor:
        """Parse the instruction and load the model and taught classes, before any scene is opened."""
        from spex_nb.analysis.teaching import load_taught
        from spex_nb.extraction.mask_models import load_mask_model
        from spex_nb.extraction.planning.plan import Choices, hash_of
        from spex_nb.extraction.planning.taught_names import hashes_of_classes, names_of_classes
        from spex_nb.language.instructions import parse_instruction

        classes = tuple(map(load_taught, taught))
        parse_instruction(instruction, classes=names_of_classes(classes))  # refuses before the model is loaded
        loaded = load_mask_model(model)
        parsed = parse_instruction(instruction, loaded.card.targets, classes=names_of_classes(classes))
        Choices(**choices)
        client = client_of(scheduler) if scheduler else None
        parameters = {name: value for name, value in choices.items() if value is not None}
        request = {
            "instruction": instruction,
            "model": loaded.id,
            "model_hash": hash_of(loaded),
            "model_settings": loaded.card.settings_fingerprint,
            "parameters": parameters,
            "taught": hashes_of_classes(classes, parsed),
        }
        # Workers load a model by its name; here it is loaded already.
        extractor_model = loaded if client is None else model
        return cls(parsed, extractor_model, parameters, opening, client, request, classes)

    def run(self, places: Sequence[tuple[str, Path]]) -> Iterator[Outcome]:
        """Extract from each scene, print its outcome and yield it.

        Args:
            places: Scenes, each with the folder for its result.
        """
        for number, (scene, result) in enumerate(places, start=1):
            start = time.monotonic()
            try:
                outcome = self._extract(scene, result)
                self._write_forms(scene, result, replaces=outcome.status != "done before")
            except Exception as error:  # noqa: BLE001 (the other scenes go on, and this one is reported)
                outcome = Outcome(scene, result, "failed", why=f"{type(error).__name__}: {error}")
            outcome = replace(outcome, seconds=round(time.monotonic() - start, 1))
            position = f"[{number:,} of {len(places):,}] " if len(places) > 1 else ""
            click.echo(f"{position}{outcome}", err=True)
            yield outcome

    def _extract(self, scene: str, result: Path) -> Outcome:
        from spex_nb.extraction import extract as extract_scene
        from spex_nb.extraction.extract_scene import remove_traces

        previous = self._previous_result(scene, result)
        if previous.holds == "all":
            remove_traces(result)
            return Outcome(scene, result, "done before")
        if previous.changes and not self.overwrite:
            raise _made_of_something_else(result, previous.changes)
        extraction = extract_scene(
            scene,
            self.instruction,
            self.model,
            out=result,
            overwrite=self.overwrite or previous.holds == "in part",
            progress=self.progress,
            client=self.client,
            open_options=self.opening,
            anyway=self.anyway,
            aoi=self.aoi,
            aoi_crs=self.aoi_crs,
            taught=self.taught,
            **self.choices,
        )
        _print_extraction(scene, extraction)
        failures, regions = len(extraction.failures), len(extraction.regions)
        if failures:
            return Outcome(scene, result, "extracted in part", regions, f"{failures} tiles failed")
        return Outcome(scene, result, "extracted", regions)

    def _write_forms(self, scene: str, result: Path, replaces: bool) -> None:
        """Write a result in further forms beside it; what an earlier run wrote of the same result stays."""
        from spex_nb.extraction import load_extraction
        from spex_nb.scene.reopen import open_source
        from spex_nb.scene.windows.scene_source import SceneSource

        places = {form: result.with_name(f"{result.name}.{form}") for form in self.forms}
        missing = {form: place for form, place in places.items() if replaces or not place.exists()}
        if missing:
            extraction, opened = load_extraction(result), open_source(SceneSource(scene, self.opening))
            for form, place in missing.items():
                FORMS[form](extraction, place, opened)

    def _previous_result(self, scene: str, result: Path) -> StoredRequest:
        """Return how much of this result the folder holds, and what differs."""
        from spex_nb.extraction.storage import StoredRequest, compare_request
        from spex_nb.regions.area_of_interest import area_of_interest
        from spex_nb.scene.reopen import open_identified
        from spex_nb.scene.windows.scene_source import SceneSource

        if not result.exists():
            return StoredRequest("no")
        opened, identity = open_identified(SceneSource(scene, self.opening))
        area = None if self.aoi is None else area_of_interest(self.aoi, opened, self.aoi_crs).fingerprint
        state = {"scene_fingerprint": identity.fingerprint, "scene_files": dict(identity.files)}
        parameters = {"parameters": self.request["parameters"] | {"aoi": area}}
        return compare_request(result, self.request | state | parameters)


def _forms_of(text: str | None) -> tuple[str, ...]:
    """Return the forms of ``coco,yolo``."""
    forms = tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))
    unknown = [form for form in forms if form not in FORMS]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}: choose among {', '.join(FORMS)}", param_hint="--also")
    return forms


def _area_of(text: str) -> str | tuple[float, ...]:
    """Return the rectangle of ``left,bottom,right,top``, or else a path."""
    try:
        numbers = tuple(map(float, text.split(",")))
    except ValueError:
        return text
    return numbers if len(numbers) == 4 else text  # noqa: PLR2004 (sides of a rectangle)


def _made_of_something_else(result: Path, changes: Sequence[str]) -> OutputError:
    return OutputError(
        "The result here was made of something else",
        found=f"{result}, with other {', '.join(changes)}",
        expected="a result of the same scene, instruction, model and parameters, or none",
        fix="Choose another --out, or replace it with --overwrite.",
    )


def _places(scenes: Sequence[str], out: Path) -> list[tuple[str, Path]]:
    """Return each scene with the folder of its result."""
    matches = [(scene, _matching(scene)) for scene in scenes]
    missing = [scene for scene, paths in matches if not paths]
    if missing:
        raise click.BadParameter(f"there is no {', '.join(missing)}; a scene is a file or folder, or a quoted pattern")
    places = [(path, out / Path(path).stem) for _, paths in matches for path in paths]
    results = [result for _, result in places]
    doubled = sorted({result.name for result in results if results.count(result) > 1})
    if doubled:
        raise click.BadParameter(f"several scenes are called {', '.join(doubled)}; extract them with different --out")
    return places


def _matching(scene: str) -> list[str]:
    """Return the scenes that a path or pattern names; an address that GDAL fetches stays as it is."""
    if Path(scene).exists() or "://" in scene or scene.startswith("/vsi"):
        return [scene]
    return sorted(glob.glob(scene))  # noqa: PTH207 (a Path cannot glob an absolute pattern)


def _print_extraction(scene: str, extraction: Extraction) -> None:
    from spex_nb.extraction.explain import mark_legend

    click.echo(f"{scene}: {extraction.instruction.meaning}\n{extraction.explanation}")
    click.echo(mark_legend(extraction.instruction.language))
    for note in extraction.notes:
        click.echo(f"  {note}")


def _print_table(outcomes: Sequence[Outcome]) -> None:
    """Print a line a scene on stderr, where there are several: its status, regions and seconds."""
    if len(outcomes) == 1:
        return
    width = max(len(Path(outcome.scene).name) for outcome in outcomes)
    for outcome in outcomes:
        regions = "" if outcome.regions is None else f"{outcome.regions:,} regions"
        line = f"{Path(outcome.scene).name:<{width}}  {outcome.status:<17}  {regions:>14}  {outcome.seconds:8,.1f} s"
        click.echo(f"{line}  {outcome.why}".rstrip(), err=True)


def _print_summary(outcomes: Sequence[Outcome]) -> None:
    statuses = [outcome.status for outcome in outcomes]
    counts = ", ".join(f"{statuses.count(status):,} {status}" for status in dict.fromkeys(statuses))
    click.echo(f"{len(outcomes):,} scene{'' if len(outcomes) == 1 else 's'}: {counts}", err=True)


def _write_outcomes(outcomes: Sequence[Outcome], report_file: Path) -> None:
    from spex_nb.output.files import write_whole

    rows = [vars(outcome) | {"result": str(outcome.result)} for outcome in outcomes]
    with write_whole(report_file, overwrite=True) as part:
        part.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
