"""The question which bands a file has, where it does not say so: answered by a sensor or by names in their order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as ipw

from spex_nb.errors import BandError, SpexError
from spex_nb.scene.sensors import list_sensors

NUMBER = re.compile(r"(\d+) bands?:")
"""How a `BandError` begins what it found."""


class BandQuestion(ipw.VBox):  # type: ignore[misc]
    """Asks for the bands of a file; hidden until it is asked.

    Args:
        trying: Wraps what the button does, so that its errors are shown.
        answered: Called with the options of `open_scene` that the user chose.
    """

    def __init__(
        self,
        trying: Callable[[Callable[[], object]], Callable[..., None]],
        answered: Callable[[Mapping[str, Any]], None],
    ) -> None:
        super().__init__(layout={"display": "none", "width": "98%"})
        self._answered = answered
        self.sensor = ipw.Dropdown(description="Sensor", layout={"width": "98%"})
        self.names = ipw.Text(
            description="or bands", placeholder="in their order: blue, green, red, nir", layout={"width": "98%"}
        )
        self.open = ipw.Button(
            description="Open with these bands", tooltip="Open the file again", layout={"width": "auto"}
        )
        self.open.on_click(trying(self._answer))
        self.children = [self.sensor, self.names, self.open]

    def ask(self, error: BaseException) -> None:
        """Ask where an error says that bands cannot be told apart, and stop asking after any other.

        Args:
            error: Of `open_scene`.
        """
        is_asked = isinstance(error, BandError)
        self.layout.display = "" if is_asked else "none"
        if is_asked and isinstance(error, SpexError):
            number = NUMBER.match(error.found)
            self._offer(None if number is None else int(number[1]))

    def hide(self) -> None:
        """Ask no more."""
        self.layout.display = "none"

    def _offer(self, number: int | None) -> None:
        """Offer the sensors with so many bands; all where the number is not known."""
        sensors = list_sensors()
        fits = [number is None or len(bands.split()) == number for bands in sensors["bands"]]
        options = [(f"{name}: {bands}", name) for name, bands in sensors["bands"][fits].items()]
        self.sensor.options = [("choose …" if options else f"none has {number} bands: name them below", ""), *options]
        self.sensor.value, self.names.value = "", ""

    def _answer(self) -> None:
        names = [name.strip() for name in re.split(r"[,;\s]+", self.names.value) if name.strip()]
        if not names and not self.sensor.value:
            raise BandError(
                "The bands have no names yet",
                found="neither a sensor nor names",
                expected="one of both",
                fix="Choose a sensor, or write the names in the order of the file: blue, green, red, nir.",
            )
        self._answered({"bands": names} if names else {"sensor": self.sensor.value})


def in_words_of_panel(error: BaseException) -> BaseException:
    """Return an error about bands with a next step that the panel offers, in place of arguments in Python."""
    if not isinstance(error, BandError):
        return error
    fix = "Choose the sensor below, or write the names of the bands in the order of the file."
    return BandError(error.problem, found=error.found, expected=error.expected, fix=fix)
