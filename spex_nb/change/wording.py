"""A change in plain English: what changed and by how much, then the floor, then what makes it unsure."""

from __future__ import annotations

from collections.abc import Iterator

from spex_nb.change.result import Change, RegionCounts, TargetChange
from spex_nb.targets import TARGETS


def explain_change(change: Change) -> str:
    """Return the explanation of a change, a paragraph for each target and one for doubts; all figures are its data."""
    period = _period(change)
    paragraphs = [" ".join(_sentences(target, period)) for target in change.targets.values()]
    common = [*change.registration.sentences, *_ground(change), *change.doubts]
    return "\n".join([*paragraphs, " ".join(common)])


def _period(change: Change) -> str:
    if change.date_before is None or change.date_after is None:
        return "between the two scenes"
    return f"between {change.date_before} and {change.date_after}"


def _sentences(change: TargetChange, period: str) -> Iterator[str]:
    word = TARGETS[change.target].word.capitalize()
    yield _first_sentence(change, word, period)
    floor = change.floor
    yield (
        f"If nothing had changed, shift and noise alone would show up to {floor.gain} gained ({floor.shift} by shift, "
        f"{floor.noise_gain} by noise) and {floor.loss} lost ({floor.shift} and {floor.noise_loss})."
    )
    if floor.interpolation_gain.px or floor.interpolation_loss.px:
        yield (
            f"These hold {floor.interpolation_gain} and {floor.interpolation_loss} for the interpolation of one scene "
            "alone, which smooths it."
        )
    yield "This floor is subtracted from no figure."
    yield from _beside_floor(change)
    yield from _regions("gained", change.gained_regions)
    yield from _regions("lost", change.lost_regions)


def _first_sentence(change: TargetChange, word: str, period: str) -> str:
    if not (change.before.px or change.after.px):
        return f"{word}: none was found in either scene, so that no change shows {period}."
    figures = f"{change.gain} gained, {change.loss} lost, {change.unchanged} kept"
    areas = f"{change.before} before, {change.after} after"
    if not (change.is_gain_above_floor or change.is_loss_above_floor):
        return f"{word}: no sure change {period}, {areas} ({figures})."
    return f"{word}: {change.before} became {change.after} {period} ({figures})."


def _beside_floor(change: TargetChange) -> Iterator[str]:
    """Say which figure lies below its floor."""
    below = [
        name
        for name, area, is_above in (
            ("gain", change.gain, change.is_gain_above_floor),
            ("loss", change.loss, change.is_loss_above_floor),
        )
        if area.px and not is_above
    ]
    if below:
        lies = "both lie" if len(below) > 1 else "it lies"
        yield f"The {' and the '.join(below)} may be no change at all: {lies} below the floor."


def _regions(word: str, counts: RegionCounts) -> Iterator[str]:
    if counts.below_floor:
        regions = f"{counts.listed:,} {word} region{'' if counts.listed == 1 else 's'}"
        yield (
            f"Of {regions}, {counts.below_floor:,} may be shift or noise alone; marked so in the table, they cover "
            f"{counts.below_floor_area}."
        )


def _ground(change: Change) -> Iterator[str]:
    """Say which ground was compared."""
    yield f"Compared are {change.compared} that both scenes show."
    if change.left_out.px:
        share = change.left_out.px / (change.left_out.px + change.compared.px)
        yield f"Left out are {change.left_out} of the overlap ({share:.1%}), which have no data in one of the scenes."
