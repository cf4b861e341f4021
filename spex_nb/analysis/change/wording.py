"""A change in the user's language: what changed and by how much, then the floor, then what makes it unsure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from spex_nb.analysis.change.alignment.registration import AGREEING_FRAC, AGREEING_PX, SMALLEST_WINDOW_PX, Registration
from spex_nb.analysis.change.result import Area, Change, RegionCounts, TargetChange
from spex_nb.language.explanation.change_words import ChangeWords
from spex_nb.types import Statement

_MARK_AND_JOINT = re.compile("([?\\N{FULLWIDTH QUESTION MARK}\\N{ARABIC QUESTION MARK}])[;；؛] ?")
_TWO_MARKS = re.compile(r"([?？؟]\s?\)?)[.。।]")
"""A question that is repeated within a statement, and the full stop after it."""


def explain_change(change: Change) -> tuple[Statement, ...]:
    """Return the explanation of a change: sentences of each target, then of the shift, the ground and doubts.

    Args:
        change: All figures are its data.
    """
    words = ChangeWords(change.language)
    period = _period(change, words)
    statements = [statement for target in change.targets.values() for statement in _of_target(target, period, words)]
    request = _of_request(change, words)
    shift = (_sureness(text, "registration") for text in registration_sentences(change.registration, words))
    doubts = (Statement(text, "confusion", (), "none") for text in change.doubts)
    return (*request, *statements, *shift, *_of_ground(change, words), *doubts)


def _of_request(change: Change, words: ChangeWords) -> Iterator[Statement]:
    """Say which regions meet the filters of the instruction."""
    if not change.meaning:
        return
    regions = change.regions
    if not regions["matches"].any():
        text = words.sentence("filtered_none", meaning=change.meaning)
        yield Statement(_one_mark(text), "answer", ("matches",), "mask")
        return
    for name in change.asked_classes:
        listed = regions[regions["change"] == name]
        matches = listed[listed["matches"]]
        has_ground = bool(matches["area_m2"].notna().all())
        area = Area(float(matches["area_px"].sum()), float(matches["area_m2"].sum()) if has_ground else None)
        text = words.counted(
            f"filtered_{name}",
            len(listed),
            meaning=change.meaning,
            all=words.number(len(listed)),
            matches=words.number(len(matches)),
            area=area_text(area, words),
        )
        yield Statement(_one_mark(text), "answer", ("matches",), "mask")


def _one_mark(text: str) -> str:
    """Return a text whose questions end with their own mark alone, also where more follows."""
    text = _MARK_AND_JOINT.sub(
        lambda match: match[1] + ("" if match[1] == "\N{FULLWIDTH QUESTION MARK}" else " "), text
    )
    return _TWO_MARKS.sub(r"\1", text)


def area_text(area: Area, words: ChangeWords) -> str:
    """Return an area as the language writes it."""
    return words.area(area.px, area.ha)


def _sureness(text: str, *facts: str) -> Statement:
    return Statement(text, "sureness", facts, "independent")


def _period(change: Change, words: ChangeWords) -> str:
    if change.date_before is None or change.date_after is None:
        return words.sentence("between_scenes")
    return words.sentence("between_dates", first=change.date_before, second=change.date_after)


def _of_target(change: TargetChange, period: str, words: ChangeWords) -> Iterator[Statement]:
    yield _first_statement(change, period, words)
    floor, name = change.floor, change.target
    yield _sureness(
        words.sentence(
            "floor",
            gain=area_text(floor.gain, words),
            loss=area_text(floor.loss, words),
            shift=area_text(floor.shift, words),
            noise_gain=area_text(floor.noise_gain, words),
            noise_loss=area_text(floor.noise_loss, words),
        ),
        f"{name}.floor",
    )
    if floor.interpolation_gain.px or floor.interpolation_loss.px:
        gain, loss = (area_text(area, words) for area in (floor.interpolation_gain, floor.interpolation_loss))
        yield _sureness(words.sentence("interpolation", gain=gain, loss=loss), f"{name}.floor")
    yield _sureness(words.sentence("not_subtracted"), f"{name}.floor")
    if (key := _below_floor(change)) is not None:
        yield _sureness(words.sentence(key), f"{name}.floor", f"{name}.gained", f"{name}.lost")
    yield from _regions("gained_regions", change.gained_regions, name, words)
    yield from _regions("lost_regions", change.lost_regions, name, words)


def _first_statement(change: TargetChange, period: str, words: ChangeWords) -> Statement:
    noun, name = words.noun(change.target, begins=True), change.target
    if not (change.before.px or change.after.px):
        return Statement(words.sentence("none_found", target=noun, period=period), "answer", (name,), "mask")
    is_sure = change.is_gain_above_floor or change.is_loss_above_floor
    figures = {
        "before": change.before,
        "after": change.after,
        "gain": change.gain,
        "loss": change.loss,
        "kept_area": change.unchanged,
    }
    texts = {slot: area_text(area, words) for slot, area in figures.items()}
    sentence = words.sentence("became" if is_sure else "no_sure_change", target=noun, period=period, **texts)
    facts = tuple(f"{name}.{figure}" for figure in ("before", "after", "gained", "lost", "kept"))
    return Statement(sentence, "answer", facts, "mask")


def _below_floor(change: TargetChange) -> str | None:
    """Return the sentence about figures below their floor; None where there are none."""
    gain_is_below = bool(change.gain.px) and not change.is_gain_above_floor
    loss_is_below = bool(change.loss.px) and not change.is_loss_above_floor
    if gain_is_below and loss_is_below:
        return "both_below"
    return "gain_below" if gain_is_below else "loss_below" if loss_is_below else None


def _regions(key: str, counts: RegionCounts, target: str, words: ChangeWords) -> Iterator[Statement]:
    if counts.below_floor:
        text = words.counted(
            key,
            counts.listed,
            regions=words.number(counts.listed),
            below=words.number(counts.below_floor),
            area=area_text(counts.below_floor_area, words),
        )
        yield _sureness(text, f"{target}.{key}")


def _of_ground(change: Change, words: ChangeWords) -> Iterator[Statement]:
    """Say which ground was compared."""
    yield _sureness(words.sentence("compared", area=area_text(change.compared, words)), "compared")
    if change.left_out.px:
        share = change.left_out.px / (change.left_out.px + change.compared.px)
        area, percent = area_text(change.left_out, words), words.percent(share, 1)
        yield _sureness(words.sentence("left_out", area=area, share=percent), "left_out")


def registration_sentences(registration: Registration, words: ChangeWords) -> Iterator[str]:
    """Yield what is known of the shift between two scenes."""
    uncertainty = words.short(registration.uncertainty_px)
    if not registration.windows:
        yield words.sentence("few_windows", side=words.number(SMALLEST_WINDOW_PX))
        yield words.sentence("assumed", uncertainty=uncertainty)
        return
    shares = {
        "windows": words.number(registration.windows),
        "brightness": words.percent(registration.agreement_brightness_frac),
        "edges": words.percent(registration.agreement_edges_frac),
        "agreeing": words.short(AGREEING_PX),
    }
    if not registration.is_measured:
        yield words.sentence("scattered", **shares, least=words.percent(AGREEING_FRAC))
        yield words.sentence("spread", spread=words.number(registration.spread_px, 1))
        yield words.sentence("assumed", uncertainty=uncertainty)
        return
    x, y = registration.shift_x_px, registration.shift_y_px
    yield words.sentence(
        "moved" if registration.is_applied else "unmoved",
        x=words.number(abs(x), 2),
        y=words.number(abs(y), 2),
        horizontal=words.sentence("right" if x >= 0 else "left"),
        vertical=words.sentence("down" if y >= 0 else "up"),
    )
    yield words.sentence("shift_known", uncertainty=words.number(registration.uncertainty_px, 2), **shares)
