"""Evaluation of a model beside baselines on a labelled dataset: every tile, every target."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from spex_nb.errors import BandError, DatasetError, TargetError
from spex_nb.evaluation.baselines import UNET_STEPS, Fitting, fit_baselines
from spex_nb.evaluation.pictures import TilePicture, draw_tile
from spex_nb.evaluation.report import (
    ALL,
    CONFUSION,
    LEFT_OUT_COLUMNS,
    TILE_COLUMNS,
    EvaluationReport,
    Explained,
)
from spex_nb.evaluation.tiles import EvaluationTile, PriorSource, PromptCondition, load_tile, require_fair, tile_records
from spex_nb.extraction.mask_models import load_mask_model, model_at_scale
from spex_nb.language.claims import check_explanation
from spex_nb.language.evidence import measure_evidence
from spex_nb.language.languages import get_language
from spex_nb.language.prompts import build_prompt
from spex_nb.regions import metrics
from spex_nb.spie.dataset import SpieDataset, open_dataset
from spex_nb.spie.records import Record
from spex_nb.spie.settings import draw
from spex_nb.types import MaskModel
from spex_nb.types.targets import get_target, overlap

if TYPE_CHECKING:
    import pandas as pd

Records = Mapping[str, Sequence[Record]]
Masks = dict[str, Any]
COUNTED = (metrics.confusion_counts, metrics.matched_counts, metrics.boundary_counts)
_PLACE_OF_WINDOW = re.compile(r"-\d+-\d+$")


def evaluate(  # noqa: PLR0913 (the only entry point, with every option)
    model: str | Path | MaskModel,
    dataset: str | Path | SpieDataset,
    *,
    split: str = "val",
    targets: Sequence[str] | None = None,
    subsets: Mapping[str, Iterable[str]] | None = None,
    datasets: Sequence[str] | None = None,
    baselines: Sequence[str | MaskModel] = (),
    unet_steps: int = UNET_STEPS,
    priors: PriorSource = "index",
    attributes: PriorSource = "index",
    bands: Sequence[str] | None = None,
    explanations: int = 0,
    languages: Sequence[str] = ("en",),
    pictures: int = 4,
    seed: int = 0,
    progress: bool = True,
) -> EvaluationReport:
    """Measure how well the masks and sentences of a model agree with the labels of a dataset.

    Every tile of the split is asked for all its targets in one call. A pixel belongs to the target where its logit is
    above 0, a probability of one half; pixels that the label does not know, or without data, do not count.

    Args:
        model: Its name, folder, or itself; see `load_mask_model`.
        dataset: A folder that `spie.build` made, whose attributes come from indices, not from labels.
        split: ``val``, ``test`` or ``train``.
        targets: Ids; all that the split asks for if not given.
        subsets: By name of a subset, the names of its tiles or scenes; each subset gets rows in the table.
        datasets: Ids of those that the tiles must come from, the train tiles of baselines too; all if not given.
        baselines: Names out of `baselines.BASELINES`, fitted on the train split here, once for each set of bands that
            tiles have; or models, to measure them as well. One that is the model itself is not repeated.
        unet_steps: For how long the network among the baselines is trained.
        priors: Source of the priors: ``index``, ``withheld``, or ``swapped`` for those of another target.
        attributes: Source of the regions in the prompts, with the same choices; the question still names the target.
        bands: All that models may see, and that priors and attributes are made of; all bands of a tile if not given.
        explanations: On how many tiles of each target the model's explanation is held against its own mask.
        languages: Of the explanations, in turn.
        pictures: How many of the worst tiles of each target are drawn, and as many of the best.
        seed: Seed of the baselines, of the draw of tiles to explain, and of the bootstrap.
        progress: Whether to show progress bars.

    Returns:
        Counts of every tile, from which it makes tables, JSON and HTML.

    Raises:
        DatasetError: If the dataset has no such records, or attributes made from labels, or a subset is empty.
        TargetError: If a target is unknown.
        CheckpointError: If there is no such model.
        MissingBandError: If a tile lacks one of ``bands``.
        LanguageError: If a language is not spoken here.
        MissingExtraError: If model or baselines need packages that are not installed.
    """
    opened = dataset if isinstance(dataset, SpieDataset) else open_dataset(dataset)
    opened = opened if datasets is None else opened.only(datasets)
    condition = PromptCondition(priors, attributes, None if bands is None else tuple(bands))
    for language in languages:
        get_language(language)
    ids = None if targets is None else tuple(get_target(name).id for name in targets)
    records = tile_records(opened, split, ids)
    require_fair(records)
    members = _members(subsets or {}, records, opened)
    evaluated = load_mask_model(model)
    limit = evaluated.card.parameters
    fitting = Fitting(seed, unet_steps, limit, progress)
    rivals = [rival for rival in _rivals(baselines, opened, records, condition, fitting) if rival.id != evaluated.id]
    _require_apart([rival.id for rival in rivals])
    tally = _Tally()
    explained: list[Explained] = []
    questions = _to_explain(records, explanations, languages, seed)
    for tile in _load_tiles(opened, records, condition, progress):
        for contender in (evaluated, *rivals):
            answering = model_at_scale(contender, tile.scene.spex.gsd_m)
            masks, refused = predict_masks(answering, tile)
            if contender is not evaluated:  # a baseline of one target needs no line for each of the others
                refused = {target: why for target, why in refused.items() if target in contender.card.targets}
            tally.add(contender.id, tile, masks, refused)
            if contender is evaluated:
                languages_of = questions.get(tile.name, {})
                explained += _explain(answering, tile, masks, languages_of, opened.settings.min_area_px)
    tiles = tally.tiles()
    return EvaluationReport(
        folder=opened.folder,
        split=split,
        condition=condition,
        models={contender.id: contender.card.parameters for contender in (evaluated, *rivals)},
        tiles=tiles,
        left_out=tally.left_out(),
        subsets=members,
        explanations=tuple(explained),
        notes=tuple(note for rival in rivals if (note := getattr(rival, "note", ""))),
        pictures=tuple(_draw(evaluated, opened, records, condition, tiles, pictures)),
        seed=seed,
    )


def _require_apart(ids: Sequence[str]) -> None:
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise DatasetError(
            "Two baselines are called alike",
            found=", ".join(twice),
            expected="another id for each",
            fix="Leave one out, or set the id of one.",
        )


def predict_masks(model: MaskModel, tile: EvaluationTile) -> tuple[Masks, dict[str, str]]:
    """Ask a model for all targets of a tile in one call; one by one where it refuses that for want of a band or index.

    Returns:
        The mask of each target, bool [H, W]; and for each target that it cannot be asked for, why.

    Raises:
        ValueError: If what it returns are no mask logits of this tile.
    """
    lacking = [band for band in model.card.required_bands if band not in tile.scene.spex.bands]
    if lacking:
        return {}, dict.fromkeys(tile.targets, f"the tiles lack {', '.join(lacking)}")
    places = [i for i, target in enumerate(tile.targets) if target in model.card.targets]
    refused = {target: "not one of its targets" for target in tile.targets if target not in model.card.targets}
    try:
        return _predict(model, tile, places), refused
    except (BandError, TargetError):
        pass
    masks: Masks = {}
    for place in places:
        try:
            masks |= _predict(model, tile, [place])
        except (BandError, TargetError) as error:
            refused[tile.targets[place]] = error.problem
    return masks, refused


def _predict(model: MaskModel, tile: EvaluationTile, places: Sequence[int]) -> Masks:
    if not places:
        return {}
    targets, prompts, priors = ([of[i] for i in places] for of in (tile.targets, tile.prompts, tile.priors))
    logits = np.asarray(model.predict(tile.scene, targets, prompts, priors=priors))
    expected = (len(places), *tile.scene.spex.shape)
    if logits.shape != expected or np.isnan(logits).any():
        raise ValueError(
            f"The model {model.id!r} returned {logits.dtype} {logits.shape}, {np.isnan(logits).mean():.0%} of it NaN; "
            f"expected mask logits {expected}, one map a target, without NaN."
        )
    return dict(zip(targets, logits > 0, strict=True))


class _Tally:
    """Counts of every model, target and tile, and the targets that were left out."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._left_out: Counter[tuple[str, ...]] = Counter()

    def add(self, model: str, tile: EvaluationTile, masks: Masks, refused: Mapping[str, str]) -> None:
        for target, label, counted in zip(tile.targets, tile.labels, tile.counted, strict=True):
            if target in refused:
                self._left_out[model, target, tile.dataset, tile.sensor, refused[target]] += 1
            elif target in masks and counted.any():
                counts = (of(masks[target], label, counted) for of in COUNTED)
                self._rows.append((model, target, tile.dataset, tile.sensor, tile.place, tile.name, *chain(*counts)))

    def tiles(self) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(self._rows, columns=TILE_COLUMNS)

    def left_out(self) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame([(*what, count) for what, count in self._left_out.items()], columns=LEFT_OUT_COLUMNS)


def _rivals(
    baselines: Sequence[str | MaskModel],
    dataset: SpieDataset,
    records: Records,
    condition: PromptCondition,
    fitting: Fitting,
) -> list[MaskModel]:
    """Return the baselines, those that are named fitted to what the tiles show."""
    targets = tuple(dict.fromkeys(record.target for group in records.values() for record in group))
    band_sets = dataset.index.loc[[group[0].id for group in records.values()], "bands"].unique()
    bands = [str(names).split() for names in band_sets] if condition.bands is None else [condition.bands]
    named = [baseline for baseline in baselines if isinstance(baseline, str)]
    return [
        *(baseline for baseline in baselines if not isinstance(baseline, str)),
        *fit_baselines(named, dataset, targets, bands, fitting),
    ]


def _load_tiles(
    dataset: SpieDataset, records: Records, condition: PromptCondition, progress: bool
) -> Iterator[EvaluationTile]:
    from tqdm.auto import tqdm

    for group in tqdm(records.values(), unit="tile", disable=not progress):
        yield load_tile(dataset, group, condition)


def _members(subsets: Mapping[str, Iterable[str]], records: Records, dataset: SpieDataset) -> dict[str, frozenset[str]]:
    """Return the tiles of the split that each subset names, by their own name or that of their scene."""
    members = {}
    for name, named in subsets.items():
        wanted = set(named)
        members[name] = frozenset(
            tile
            for tile, group in records.items()
            if wanted & _names(tile, str(dataset.index.loc[group[0].id, "dataset"]))
        )
        if not members[name] or name == ALL:
            raise DatasetError(
                f"The subset {name!r} cannot be told apart",
                found=f"{len(members[name])} of {len(records)} tiles for {', '.join(sorted(wanted)[:3])} …",
                expected=f"names of tiles of the split, such as {next(iter(records))}; and another name than {ALL!r}",
                fix="Name tiles as in index.parquet, or the scenes that they were cut from.",
            )
    return members


def _names(tile: str, dataset: str) -> set[str]:
    """Return what a tile may be called: its own name, its scene's, and its scene's without the dataset."""
    scene = _PLACE_OF_WINDOW.sub("", tile)
    return {tile, scene, scene.removeprefix(f"{dataset}-")}


def _to_explain(records: Records, count: int, languages: Sequence[str], seed: int) -> dict[str, dict[str, str]]:
    """Draw the tiles that are explained: for each tile the targets, and for each of them the language."""
    tiles_of: dict[str, list[str]] = {}
    for tile, group in records.items():
        for record in group:
            tiles_of.setdefault(record.target, []).append(tile)
    languages_of: dict[str, dict[str, str]] = {}
    for target, tiles in tiles_of.items():
        drawn = sorted(tiles, key=lambda tile: draw(seed, "explain", target, tile))[:count]
        for tile, language in zip(drawn, cycle(languages), strict=False):
            languages_of.setdefault(tile, {})[target] = language
    return languages_of


def _explain(
    model: MaskModel, tile: EvaluationTile, masks: Masks, languages: Mapping[str, str], min_area_px: int
) -> Iterator[Explained]:
    """Let a model explain some of its masks, as `extract` does, and check the claims against these masks."""
    for target, language in languages.items():
        if target not in masks:
            continue
        others = {name: mask for name, mask in masks.items() if not overlap(name, target)}
        evidence = measure_evidence(masks[target], tile.scene, target, others=others, min_area_px=min_area_px)
        options = {"evidence": evidence} if model.card.explains_evidence else {}
        text = "".join(model.explain(tile.scene, build_prompt(target, evidence.regions), language, **options))
        yield Explained(target, tile.name, language, text, tuple(check_explanation(text, evidence, language)))


def _draw(
    model: MaskModel,
    dataset: SpieDataset,
    records: Records,
    condition: PromptCondition,
    tiles: pd.DataFrame,
    count: int,
) -> Iterator[TilePicture]:
    """Draw the tiles on which a model is at its worst and at its best: few enough to predict them once more."""
    counts = tiles[tiles["model"] == model.id]
    scored = counts.assign(iou=metrics.iou(counts[CONFUSION]), wrong=counts["false_alarms"] + counts["missed"])
    scored = scored.dropna(subset="iou").sort_values(["iou", "wrong"], ascending=[True, False], kind="stable")
    for target, rows in scored.groupby("target", sort=False):
        worst, best = (half.drop_duplicates("place")[:count] for half in _halves(rows))
        ends: tuple[tuple[Literal["worst", "best"], pd.DataFrame], ...] = (("worst", worst), ("best", best))
        for kind, end in ends:
            for name, figure in zip(end["tile"], end["iou"], strict=True):
                tile = load_tile(dataset, records[name], condition)
                mask = _predict(model, tile, [tile.targets.index(str(target))])[str(target)]
                yield draw_tile(tile, str(target), mask, kind, float(figure))


def _halves(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the first half, and the second from its end."""
    return rows[: len(rows) // 2], rows[len(rows) // 2 :][::-1]
