"""The progress bar of transformers, as others set it, once nothing of ours keeps it away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from transformers.utils import logging

from spex_nb.model.progress_bar import without_progress_bar


@pytest.fixture(autouse=True)
def _bar_of_others() -> Iterator[None]:
    logging.enable_progress_bar()
    yield
    logging.enable_progress_bar()


def test_what_ends_first_does_not_bring_the_bar_back_for_the_other() -> None:
    first, second = ExitStack(), ExitStack()
    first.enter_context(without_progress_bar())
    second.enter_context(without_progress_bar())
    first.close()
    assert not logging.is_progress_bar_enabled()
    second.close()
    assert logging.is_progress_bar_enabled()


def test_a_bar_that_was_off_stays_off() -> None:
    logging.disable_progress_bar()
    with without_progress_bar():
        pass
    assert not logging.is_progress_bar_enabled()


def test_an_error_brings_the_bar_back() -> None:
    with pytest.raises(KeyError), without_progress_bar():
        raise KeyError
    assert logging.is_progress_bar_enabled()
