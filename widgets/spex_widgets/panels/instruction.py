"""The instruction: typed in any of nine languages, repeated before anything runs, carried out beside the kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from html import escape

import ipywidgets as ipw
import xarray as xr

from spex_nb.errors import (
    EmptySceneError,
    ExtractionCancelledError,
    ExtractionError,
    InstructionError,
    JobCancelledError,
)
from spex_nb.extraction import Extraction, Progress, extract
from spex_nb.extraction.mask_models import INDEX, usual_model
from spex_nb.extraction.planning.taught_names import names_of_classes
from spex_nb.language.instructions import parse_instruction
from spex_nb.types import Instruction, Window
from spex_widgets.jobs import Job, when_quiet
from spex_widgets.messages import block, error_html, quiet
from spex_widgets.panels.panel import WIDE, Panel, button
from spex_widgets.remedies import Remedy
from spex_widgets.state import WorkbenchState

ON_EARTH = ("water", "lakes larger than 2 ha", "vegetation in the north", "everything except water")
"""Examples for a scene with a CRS: hectares and north mean something there."""
IN_PICTURE = ("vegetation", "the 3 largest forests", "bare soil on the left", "everything except vegetation")
"""Examples for a scene without CRS."""
PARTS = {
    "tiles": "finding",
    "assembling": "finding",
    "regions": "measuring",
    "measurement": "measuring",
    "explanation": "explaining",
    "saving": "saving",
}
"""What each part of a run does, in words."""
EXAMPLES = (
    "lakes larger than 2 ha in the eastern half",
    "los 3 lagos más grandes",
    "les forêts au nord",
    "Wälder und Gewässer",
    "água e vegetação",
    "леса и озёра",
    "水体",
    "जल",
    "المياه",
)
OTHER_SCENE = "Another scene was opened meanwhile: the answer about the last one is dropped. Ask again."
QUIET_S = 0.6
"""Seconds without typing before a refusal shows: half a word is not yet wrong."""
FRESH = "spex-fresh"
"""Class of the ask bar while its examples are seen."""
PAST = 20
"""Instructions that are remembered."""
WINDOW, WHOLE = "what the map shows", "whole scene"


class InstructionPanel(Panel):
    """Understands an instruction while it is typed, and extracts what it asks for."""

    title = "Ask"

    def __init__(self, state: WorkbenchState) -> None:
        super().__init__(state)
        self.text = ipw.Text(
            description="Instruction",
            placeholder="such as: lakes larger than 2 ha in the north",
            layout={"flex": "1 1 auto", "width": "auto", "min_width": "120px"},
        )
        self.first_examples = [
            button(text, "Ask for this", self.trying(partial(self._take_first, number)), layout={"width": "auto"})
            for number, text in enumerate(ON_EARTH)
        ]
        """Four instructions that suit the scene, one click each."""
        self.examples = ipw.Dropdown(description="Others", layout=WIDE)
        self.model = ipw.Combobox(
            description="Model",
            options=[*dict.fromkeys((usual_model(), INDEX))],
            layout=WIDE,
            continuous_update=False,
            placeholder="index, a checkpoint's name or folder",
        )
        self.scope = ipw.RadioButtons(description="Where", options=[WHOLE, WINDOW])
        self.run = button(
            "Extract",
            "Find what the instruction asks for",
            self.trying(self.start),
            button_style="primary",
            icon="play",
        )
        self.cancel = button(
            "Cancel", "Stop after the current tile", self.trying(self._cancel), disabled=True, icon="stop"
        )
        self.cancel.layout.display = "none"
        self.run.layout.width = self.cancel.layout.width = "auto"
        self.bar = ipw.FloatProgress(min=0, max=1, layout={"width": "98%", "display": "none"})
        self.meaning, self.progress, self.words = ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.suggestions = ipw.HBox(layout={"flex_flow": "row wrap"})
        self.text.observe(self.trying(self._type), "value")
        self.text.on_msg(self._enter)
        self.examples.observe(self.trying(self._take_example), "value")
        self.model.observe(self.trying(self._choose_model), "value")
        self._put_together()
        self._job: Job | None = None
        self._explanation = ""
        self._forget: Callable[[], None] = _nothing
        self.follow(self._show_text, "text", "scene", "taught")
        self.follow(self._show_first, "scene")
        self.follow(self._show_past, "past")
        self.follow(self._show_model, "model")

    def _put_together(self) -> None:
        """Lay out what is asked, what the model says, and what is chosen less often."""
        examples = ipw.HBox(self.first_examples, layout={"flex_flow": "row wrap"})
        examples.add_class("spex-examples")
        line = ipw.HBox([self.text, self.run, self.cancel])
        self.ask = ipw.VBox([line, examples, self.meaning, self.suggestions, self.bar, self.progress, self.error])
        self.ask.children = (*self.ask.children, self.ways_out)
        """What is typed, said back and run; a workbench lays it on the map."""
        self.ask.add_class("spex-ask")
        choices = ipw.VBox([self.examples, self.model, self.scope])
        self.choices = ipw.Accordion([choices], titles=["Other examples, model, extent"])
        self.lay_out(self.ask, self.words, self.choices)

    def _enter(self, _text: object, content: dict[str, object], _buffers: object) -> None:
        """Run what is typed when Enter is pressed, if it can be run."""
        if content.get("event") == "submit" and not self.run.disabled:
            self.trying(self.start)()

    def _type(self) -> None:
        self.state.text = self.text.value

    def _show_text(self) -> None:
        """Say back what is understood, or what is not."""
        self.text.value = self.state.text
        self._forget()
        self.suggestions.children = ()
        self.state.instruction, self.meaning.value = None, ""
        try:
            self.state.instruction, self.meaning.value = _understood(self.state)
        except InstructionError as refusal:
            self._forget = when_quiet(partial(self._show_refusal, refusal), QUIET_S)
        else:
            self._ask_for_scene()
        self.run.disabled = self._job is not None or self.state.instruction is None or self.state.scene is None

    def _ask_for_scene(self) -> None:
        """Say that a scene is missing where there is an instruction for it, with the button that leads to one."""
        if self.state.scene is None and self.state.instruction is not None:
            self.meaning.value += quiet("There is no scene yet: open one first.")
            self.ways_out.offer(self.remedies(_no_scene(), None))

    def _show_refusal(self, refusal: InstructionError) -> None:
        """Show why an instruction is not understood, with a button for each instruction that would be."""
        self.meaning.value = error_html(refusal)
        self.suggestions.children = [
            button(text, "Ask for this instead", self.trying(partial(self._take, text)), layout={"width": "auto"})
            for text in refusal.suggestions
        ]
        if not refusal.suggestions:
            self.ways_out.offer([self._show_examples()])

    def _show_examples(self) -> Remedy:
        """Return a button that shows instructions which are understood."""

        def act() -> None:
            self.ask.add_class(FRESH)
            self.choices.selected_index = 0

        return Remedy("Show what I can ask", "Show examples in nine languages", act)

    def remedies(self, error: BaseException, again: Callable[[], object] | None) -> Sequence[Remedy]:
        """Return what a button can do about an error: while another extraction runs, also cancel it."""
        if self._job is not None and isinstance(error, ExtractionError):
            return [Remedy("Cancel the one that runs", "Stop after the current tile", self._cancel)]
        examples = [self._show_examples()] if isinstance(error, InstructionError) else []
        return [*super().remedies(error, again), *examples]

    def _take(self, text: str) -> None:
        """Take over an instruction, and run it if it can be run."""
        self.state.text = text
        if not self.run.disabled:
            self.start()

    def _take_first(self, number: int) -> None:
        self._take(self.first_examples[number].description)

    def _show_first(self) -> None:
        """Offer examples that the scene can answer; an answer about another scene is not waited for."""
        scene = self.state.scene
        if self._job is not None:
            self._job.cancel()
        texts = IN_PICTURE if scene is not None and scene.spex.crs is None else ON_EARTH
        for example, text in zip(self.first_examples, texts, strict=True):
            example.description = text
        self.text.placeholder = f"such as: {texts[1]}"

    def _show_past(self) -> None:
        past = [(f"↺ {text}", text) for text in self.state.past]
        fresh = [(text, text) for text in EXAMPLES if text not in self.state.past]
        self.examples.options = [("choose …", ""), *past, *fresh]
        self.examples.value = ""

    def _take_example(self) -> None:
        if self.examples.value:
            self.state.text = self.examples.value

    def _show_model(self) -> None:
        model = self.state.model
        self.model.value = model if isinstance(model, str) else str(getattr(model, "id", model))

    def _choose_model(self) -> None:
        chosen, model = self.model.value.strip(), self.state.model
        if chosen and chosen != str(getattr(model, "id", model)):
            self.state.model = chosen

    def start(self) -> Job:
        """Start to extract.

        Returns:
            The job; over at once where the executor runs jobs immediately.

        Raises:
            EmptySceneError: If there is no scene.
            ExtractionError: If another extraction is running.
            InstructionError: If the parser does not understand the instruction.
        """
        state = self.state
        if self._job is not None:
            raise ExtractionError(
                "An extraction is running already",
                found="a second start",
                expected="one extraction at a time",
                fix="Wait until it is done, or cancel it.",
            )
        if state.scene is None:
            raise _no_scene()
        instruction = parse_instruction(state.text, classes=names_of_classes(state.taught))
        scene = state.scene
        height, width = scene.spex.shape
        window: Window = state.view_window if self.scope.value == WINDOW else (0, 0, height, width)
        self._explanation, self.words.value = "", ""
        self._set_running(True)
        job = state.jobs.start(
            lambda job: (self._extract(instruction, scene, window, job), window, scene),
            self._done,
            lambda error: self._failed(error, scene),
            self._show_progress,
        )
        self._job = None if job.is_over else job
        return job

    def _extract(self, instruction: Instruction, asked_scene: xr.Dataset, window: Window, job: Job) -> Extraction:
        """Extract, in a job that tells how far it is and passes on what the model says."""
        state = self.state
        job.report(0, "loading the model")
        model = state.loaded_model()
        job.require_wanted()
        scene = asked_scene.spex.window(*window)
        job.report(0, "reading")
        with state.model_lock:
            return extract(
                scene,
                parse_instruction(instruction.text, model.card.targets, classes=names_of_classes(state.taught)),
                model,
                taught=state.taught,
                progress=lambda at: job.report(at.done / at.total, _step(at)),
                on_text=lambda piece: job.call(self._show_piece, piece),
                cancel=job.is_cancelled,
            )

    def _show_piece(self, piece: str) -> None:
        """Show the explanation as it is written."""
        self._explanation += piece
        self.words.value = block(escape(self._explanation), "quote")
        self.progress.value = quiet("The model explains what it found …")

    def _show_progress(self, share: float, text: str) -> None:
        self.bar.value = share
        self.progress.value = quiet(text)

    def _done(self, outcome: tuple[Extraction, Window, xr.Dataset]) -> None:
        result, window, scene = outcome
        self._job = None
        self._set_running(False)
        if self.state.scene is not scene:
            self.progress.value = quiet(OTHER_SCENE)
            return
        self.progress.value = ""
        self.state.show_result(result, window)
        past = [result.instruction.text, *(text for text in self.state.past if text != result.instruction.text)]
        self.state.past = tuple(past[:PAST])

    def _failed(self, error: BaseException, scene: xr.Dataset) -> None:
        self._job = None
        self._set_running(False)
        if self.state.scene is not scene:
            self.progress.value = quiet(OTHER_SCENE)
        elif isinstance(error, JobCancelledError | ExtractionCancelledError):
            self.progress.value = quiet("Cancelled.")
        else:
            self.progress.value = ""
            self.fail(error, self.start)

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()
            self.cancel.disabled = True
            self.progress.value = quiet("Stopping after this tile …")

    def _set_running(self, is_running: bool) -> None:
        self.run.disabled, self.cancel.disabled = is_running, not is_running
        self.cancel.layout.display = None if is_running else "none"
        self.bar.layout.display = None if is_running else "none"
        self.state.busy = "extracting" if is_running else ""


def _step(at: Progress) -> str:
    """Return what is being done, in words."""
    doing = PARTS.get(at.part, at.part)
    return f"{doing}, tile {at.done + 1} of {at.total}" if at.done < at.total else doing


def _understood(state: WorkbenchState) -> tuple[Instruction | None, str]:
    """Return the parsed instruction, if anything was typed, and the HTML that says it back."""
    if not state.text.strip():
        return None, quiet("Type what to extract, or choose an example. Nine languages are understood.")
    instruction = parse_instruction(state.text, state.answered_targets(), classes=names_of_classes(state.taught))
    return instruction, block(f"<strong dir='auto'>{escape(instruction.meaning)}</strong>", "quote")


def _no_scene() -> EmptySceneError:
    return EmptySceneError("There is no scene", found="none", expected="one", fix="Open one in the tab 'Scene'.")


def _nothing() -> None:
    """Do nothing: there is nothing to forget."""
