"""What all panels share: a view of the state, errors as text under the controls, and an end that leaves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import ipywidgets as ipw

from spex_widgets.messages import STYLE, error_html
from spex_widgets.remedies import Remedy, RemedyRow, remedies_of
from spex_widgets.state import StateObserver, WorkbenchState

WIDE = {"width": "98%"}


class Panel(ipw.VBox):  # type: ignore[misc]
    """A part of the workbench, which also stands alone.

    Args:
        state: What it shows and changes.
        title: Of its tab.
    """

    title = ""

    def __init__(self, state: WorkbenchState) -> None:
        super().__init__(layout={"width": "100%", "flex": "0 0 auto"})
        self.state = state
        self.error = ipw.HTML()
        """Where errors appear."""
        self.ways_out = RemedyRow(self.trying)
        """What a button can do about the error."""
        self._observer = StateObserver(state)
        self.add_class("spex-panel")

    def lay_out(self, *parts: Any) -> None:
        """Show these widgets, with the errors below them unless they stand among them."""
        placed = [*walk_widgets(parts)]
        errors = [widget for widget in (self.error, self.ways_out) if not any(widget is part for part in placed)]
        self.children = [ipw.HTML(STYLE, layout={"display": "none"}), *parts, *errors]

    def follow(self, show: Callable[[], None], *names: str) -> None:
        """Call ``show`` now, and whenever one of these traits of the state changes."""
        show_or_fail = self._showing(show)
        self._observer.follow(show_or_fail, *names)
        show_or_fail()

    def trying(self, action: Callable[..., object]) -> Callable[..., None]:
        """Return an action whose errors appear in the panel; the button or change it is called with is dropped."""

        def tried(*_: Any) -> None:
            self._clear_error()
            try:
                action()
            except Exception as error:  # noqa: BLE001 (shown, whatever it is)
                self.fail(error, tried)

        return tried

    def _showing(self, show: Callable[[], None]) -> Callable[[], None]:
        """Return what shows a part of the state; a button cannot repeat it."""

        def shown() -> None:
            self._clear_error()
            try:
                show()
            except Exception as error:  # noqa: BLE001 (shown, whatever it is)
                self.fail(error)

        return shown

    def _clear_error(self) -> None:
        self.error.value = ""
        if self.ways_out.offered:
            self.ways_out.offer(())

    def fail(self, error: BaseException, again: Callable[[], object] | None = None) -> None:
        """Show an error, with a button for each thing that can be done about it.

        Args:
            error: Whatever went wrong.
            again: Repeats what failed; None where that makes no sense.
        """
        self.error.value = error_html(error)
        self.ways_out.offer(self.remedies(error, again))

    def remedies(self, error: BaseException, again: Callable[[], object] | None) -> Sequence[Remedy]:
        """Return what a button can do about an error, the most helpful first."""
        return remedies_of(error, self.state, again)

    def close(self) -> None:
        """Let go of the state and of all widgets."""
        self._observer.close()
        close_all(self.children)
        super().close()


def button(text: str, tooltip: str, action: Callable[..., None], **options: Any) -> ipw.Button:
    """Return a button that does something."""
    control = ipw.Button(description=text, tooltip=tooltip, **options)
    control.on_click(action)
    return control


def walk_widgets(widgets: Iterable[Any]) -> Iterator[Any]:
    """Yield widgets with all that they hold, inner ones first."""
    for widget in widgets:
        yield from walk_widgets(getattr(widget, "children", ()))
        parts = getattr(widget, "layout", None), getattr(widget, "style", None)
        yield from (part for part in parts if isinstance(part, ipw.Widget))
        yield widget


def close_all(widgets: Iterable[Any]) -> None:
    """Close widgets with all that they hold: ipywidgets keeps each one alive until it is closed."""
    for widget in [*walk_widgets(widgets)]:
        widget.unobserve_all()
        widget.close()
