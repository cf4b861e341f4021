"""Answers in other words, by any chat model that lies on this machine. What changes a figure is not kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from spex_nb.errors import DatasetError, require_extra

REQUEST = (
    "Say the following description of a satellite image in other words, in the same language. Keep every number, unit, "
    "size word and place exactly as it is. Add nothing. Reply with the description only.\n\n"
)


@dataclass(frozen=True)
class ChatRewriter:
    """Asks a chat model to say a text in other words; holds only its folder, so that it travels to workers."""

    folder: str
    max_new_tokens: int

    def __call__(self, text: str) -> str:
        """Return the model's version: the likeliest words, so that the same text gives the same version."""
        tokenizer, model = _load(self.folder)
        turns = [{"role": "user", "content": REQUEST + text}]
        request = tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        tokens = model.generate(**request, do_sample=False, max_new_tokens=self.max_new_tokens)
        return str(tokenizer.decode(tokens[0, request["input_ids"].shape[1] :], skip_special_tokens=True)).strip()


def chat_rewriter(folder: str | Path, *, max_new_tokens: int = 400) -> ChatRewriter:
    """Return a rewriter for ``build(..., rewrite=…)``.

    Args:
        folder: Of any Hugging Face causal language model with a chat template. Nothing is fetched.
        max_new_tokens: Longest answer; one that is cut short loses figures, and is therefore not kept.

    Raises:
        MissingExtraError: If transformers or torch are not installed.
        DatasetError: If the folder holds no chat model.
    """
    require_extra("model", "Rewriting answers")
    path = Path(folder)
    if not (path / "config.json").exists():
        raise _no_chat_model(path, "no config.json")
    if not _load(str(path))[0].chat_template:
        raise _no_chat_model(path, "a tokenizer without a chat template")
    return ChatRewriter(str(path), max_new_tokens)


@cache
def _load(folder: str) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return tokenizer, AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()


def _no_chat_model(path: Path, problem: str) -> DatasetError:
    return DatasetError(
        "The folder holds no chat model",
        found=f"{problem} in {path}",
        expected="a Hugging Face causal language model with a chat template, as save_pretrained writes it",
        fix="Name the folder of an instruction-tuned model.",
    )
