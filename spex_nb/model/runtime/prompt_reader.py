"""The language model on ONNX Runtime: prompts to condensed tokens, and an answer token by token."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spex_nb.language.prompts import in_language, keep_regions
from spex_nb.model.runtime.channels import language_cells
from spex_nb.model.runtime.checkpoint import Checkpoint
from spex_nb.model.runtime.prompt_arrays import prompt_tokens, require_length

NEW_TOKENS = 256
"""Longest explanation, in tokens."""
NOWHERE = np.float32(-1e9)
"""Added to the score of a place that a token may not look at."""
BROKEN = "\ufffd"
"""Stands for a letter of which only the first bytes have been written."""


@dataclass(frozen=True)
class TokenRows:
    """Prompts as tokens, shorter ones filled up on the right."""

    ids: NDArray[np.int64]
    """int64 [N, L]."""
    is_token: NDArray[np.bool_]
    """bool [N, L]."""
    cells: NDArray[np.int64]
    """int64 [N, L], the number of the visual token in a place; -1 for text."""


class PromptReader:
    """Reads prompts about an image, and writes answers.

    Args:
        checkpoint: Whose graphs, tokenizer and settings it uses.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint, self._text = checkpoint, checkpoint.text

    def condensed(
        self, prompts: Sequence[str], shape: tuple[int, int], aggregated: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the condensed tokens of prompts.

        Args:
            prompts: From `build_prompt`.
            shape: (height, width) of the image in pixels.
            aggregated: float32 [1, C, h, w], its aggregated map.

        Returns:
            float32 [N, T, D].

        Raises:
            ValueError: If a prompt is too long, does not hold the image once, or has no text after it.
        """
        rows = self._rows(prompts, shape)
        return self._read(rows, self._visual(shape, aggregated), self._pooling(rows))[0]

    def answer(
        self, prompt: str, language: str, shape: tuple[int, int], aggregated: NDArray[np.float32]
    ) -> Generator[str, None, None]:
        """Yield the likeliest answer to a prompt, piece by piece.

        Args:
            prompt: From `build_prompt`.
            language: ISO 639-1 code of the answer.
            shape: (height, width) of the image in pixels.
            aggregated: float32 [1, C, h, w], its aggregated map.

        Raises:
            ValueError: As in `condensed`.
        """
        rows = self._rows([in_language(prompt, language)], shape)
        visual = self._visual(shape, aggregated)
        nothing = np.zeros((1, self._text.num_tokens, rows.ids.shape[1]), np.float32)
        _, scores, keys, values = self._read(rows, visual, nothing)
        written: list[int] = []
        shown = ""
        while (token := int(scores[0].argmax())) != self._text.end_token_id and len(written) < NEW_TOKENS:
            written.append(token)
            text = self._decode(written)
            if not text.endswith(BROKEN):
                yield text.removeprefix(shown)
                shown = text
            place = np.array([[keys.shape[3]]])
            _, scores, keys, values = self._step(token, place, visual, keys, values)

    def _decode(self, tokens: Sequence[int]) -> str:
        special = (self._text.pad_token_id, self._text.image_token_id)
        text: str = self._checkpoint.tokenizer.decode([token for token in tokens if token not in special])
        return text

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._checkpoint.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _rows(self, prompts: Sequence[str], shape: tuple[int, int]) -> TokenRows:
        """Return prompts about an image (height, width) as tokens."""
        text = self._text
        rows, columns = language_cells(shape, text.language_grid)
        most = text.named_regions
        texts = prompts if most is None else [keep_regions(prompt, most) for prompt in prompts]
        tokens = [prompt_tokens(prompt, self._encode, text.image_token_id, rows * columns) for prompt in texts]
        longest = max(map(len, tokens))
        require_length(longest, rows * columns, text.max_length)
        ids = np.array([[*row, *[text.pad_token_id] * (longest - len(row))] for row in tokens])
        is_token = np.arange(longest) < np.array([len(row) for row in tokens])[:, None]
        is_image = ids == text.image_token_id
        return TokenRows(ids, is_token, np.where(is_image, is_image.cumsum(1) - 1, -1))

    def _visual(self, shape: tuple[int, int], aggregated: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the visual tokens of an image, float32 [S, C]: its map averaged to few cells, row by row."""
        rows, columns = language_cells(shape, self._text.language_grid)
        height, width = aggregated.shape[2:]
        cells = averaging(height, rows) @ aggregated[0] @ averaging(width, columns).T
        return np.ascontiguousarray(cells.reshape(len(cells), -1).T)

    def _pooling(self, rows: TokenRows) -> NDArray[np.float32]:
        """Return by which weights each condensed token averages the text after the image: float32 [N, T, L]."""
        pooling = np.zeros((len(rows.ids), self._text.num_tokens, rows.ids.shape[1]), np.float32)
        for weights, cells, is_token in zip(pooling, rows.cells, rows.is_token, strict=True):
            first = int(np.flatnonzero(cells >= 0)[-1]) + 1
            count = int(is_token.sum()) - first
            if not count:
                raise ValueError(
                    "A prompt has no text after its image; expected an instruction. build_prompt gives one."
                )
            weights[:, first : first + count] = averaging(count, self._text.num_tokens)
        return pooling

    def _read(
        self, rows: TokenRows, visual: NDArray[np.float32], pooling: NDArray[np.float32]
    ) -> list[NDArray[np.float32]]:
        """Read whole prompts: condensed tokens, scores of the next token, keys and values."""
        layers, heads, width = self._text.past_shape
        count, length = rows.ids.shape
        past = np.zeros((layers, count, heads, 0, width), np.float32)
        may_look = np.tri(length, dtype=bool) & rows.is_token[:, None, None, :]
        return self._checkpoint.graphs.run(
            "language",
            input_ids=rows.ids,
            cells=rows.cells,
            visual=visual,
            positions=np.maximum(rows.is_token.cumsum(1) - 1, 0),
            bias=np.where(may_look, np.float32(0), NOWHERE),
            past_keys=past,
            past_values=past,
            pooling=pooling,
        )

    def _step(
        self,
        token: int,
        place: NDArray[np.int64],
        visual: NDArray[np.float32],
        keys: NDArray[np.float32],
        values: NDArray[np.float32],
    ) -> list[NDArray[np.float32]]:
        """Read one token more."""
        return self._checkpoint.graphs.run(
            "language",
            input_ids=np.array([[token]]),
            cells=np.array([[-1]]),
            visual=visual,
            positions=place,
            bias=np.zeros((1, 1, 1, keys.shape[3] + 1), np.float32),
            past_keys=keys,
            past_values=values,
            pooling=np.zeros((1, self._text.num_tokens, 1), np.float32),
        )


def averaging(length: int, parts: int) -> NDArray[np.float32]:
    """Return the matrix float32 [parts, length] that averages a row in spans of about the same length.

    The spans are those of torch's ``adaptive_avg_pool``; they overlap where the length is no multiple.
    """
    matrix = np.zeros((parts, length), np.float32)
    for part in range(parts):
        begin, end = part * length // parts, -(-(part + 1) * length // parts)
        matrix[part, begin:end] = 1 / (end - begin)
    return matrix
