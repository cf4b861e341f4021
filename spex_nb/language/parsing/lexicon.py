"""From text to tokens with a meaning, in one language. The lexicon knows words and typing errors, but no grammar."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from itertools import groupby
from typing import Any

from spex_nb.errors import LanguageError
from spex_nb.language.concepts import concept_names
from spex_nb.language.frequent_words import foreign_words, is_frequent
from spex_nb.language.languages import NUMBER, Language, fold, get_language, read_number
from spex_nb.language.parsing.implied_words import sense_of, with_implied_words
from spex_nb.language.parsing.quantities import compound_number, merge_quantities
from spex_nb.language.parsing.set_aside import places_set_aside
from spex_nb.language.parsing.tokens import UNKNOWN, Sense, Token, join_words

SHORTEST_MENDED = 5
"""Letters of the shortest word that is mended: shorter ones have too many neighbours."""
LONG_WORD = 8
"""Letters from which on two typing errors are mended instead of one."""
LONGEST_ABBREVIATION = 3
"""Letters up to which a dot ends an abbreviation rather than a sentence."""
SHORTEST_LEMMA = 4
"""Letters of the shortest word whose invented forms are no typing errors."""
SHORTEST_STEM = 3
"""Letters that must remain of an Arabic word without its article."""

_MARKS = r"\u0300-\u036f\u0640\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963\u200c\u200d"
_ATOM = re.compile(
    rf"(?<![^\W\d_\u3400-\u9fff])(?:km|m|км|м|كم|م)\^?[23](?!\d)"  # square (or cubic) units end in a digit
    rf"|{NUMBER}"
    r"|[\u3400-\u9fff]"  # Chinese characters stand one by one
    rf"|(?:(?![\u3400-\u9fff])[^\W\d_][{_MARKS}]*)+"
    r"|[<>]=|\S",
    re.IGNORECASE,
)
_IGNORED = frozenset(".?!()[]{}\"'`“”„«»‹›।؟¿¡…·*_")
_COMMAS = frozenset(",،、;؛:。")
_DASHES = frozenset("-‐‑–—")
_COMMA, _MINUS, _UP_TO = ",", "-", "–"
_ARTICLE = "ال"
_DROPPED = frozenset({"ask", "every", "filler", "modal", "purpose", "purpose_after", "request", "those", "which"})
"""Kinds of words that the grammar does not read."""
_AMOUNTS = frozenset({"about", "article", "half", "number", "numeral", "packed", "quarter", "unclear_unit", "unit"})
"""Kinds of words that an amount starts with."""
_LATIN = ("en", "de", "es", "fr", "pt")
_GAP = Token(Sense("filler"), "")
_SENTENCE_ENDS = frozenset(".!?。।؟")
_ELIDED = {"d": "de"}
"""French words before a vowel -> their whole form."""
_ACCUSATIVE = "ا"
"""Ending of an Arabic word without article in the accusative."""
_SHARE = re.compile(r"(?=(\w{3,}?)(?:e?n|e?s)?anteil)(\w+?)anteil(?:e|en|s|es)?")
"""German words such as Waldanteil: the share of a land cover. The groups are its name without and with a linking s."""
_CLITICS = ("و", "ف", "لل", "ب", "ل", "ك")


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as one language reads it."""

    language: Language
    tokens: tuple[Token, ...]
    mended: tuple[tuple[str, str], ...]
    """Typing errors: (as typed, as read)."""
    odd: int
    """Number of words with a missing or a needless accent."""

    unknown: tuple[str, ...]
    """The words that the language does not have, those in a row together."""
    dropped: frozenset[str] = frozenset()
    """Kinds of the words that the grammar does not read, but that decide what "but" means: every, those."""
    set_aside: tuple[str, ...] = ()
    """The unknown words that have no part in the meaning."""
    text: str = ""
    """As typed."""

    @property
    def is_known(self) -> bool:
        """Whether the language has every word and unit, and no unit that differs from place to place."""
        return not self.unknown and all(token.sense.kind != "unclear_unit" for token in self.tokens)

    def without_unknown(self) -> Reading:
        """Return the reading of the known words alone."""
        tokens = tuple(token for token in self.tokens if token.sense.kind not in ("unknown", "unclear_unit"))
        return replace(self, tokens=tokens, unknown=(), mended=(), set_aside=())

    @property
    def cost(self) -> tuple[int, int, int]:
        """The misfit of the language: unknown words, then mended ones, then odd accents."""
        strange = sum(token.sense.kind in ("unknown", "foreign") for token in self.tokens)
        return strange + len(self.set_aside), len(self.mended), self.odd


@dataclass(frozen=True, slots=True)
class _Atom:
    """The smallest piece of a text: a word, a number, a sign."""

    text: str
    """As typed."""
    key: str
    """As the lexicon lists it."""

    @property
    def spelling(self) -> str:
        """As typed, but for capitals."""
        return self.text.casefold()


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The words of one language that instructions are made of."""

    language: Language
    spelled: Mapping[tuple[str, ...], Sense] = field(repr=False)
    """By the words of each phrase, accents and all: où is not ou."""
    senses: Mapping[tuple[str, ...], Sense] = field(repr=False)
    """By the folded words of each phrase; where two phrases fold to one, harmless words give way."""
    vocabulary: Mapping[str, frozenset[Sense]] = field(repr=False)
    """Every folded word, and what the phrases that hold it mean."""
    spellings: Mapping[str, tuple[str, ...]] = field(repr=False)
    """Every folded word -> the ways to spell it, accents and all."""
    mendable: Mapping[tuple[str, int], tuple[tuple[str, int], ...]] = field(repr=False)
    """By first letter and length, the words that a typing error may be mended to, and the letters of each as bits."""

    longest: int
    """Words in the longest phrase."""

    def mend(self, key: str) -> str | None:
        """Return the one known word that this may be a typing error of."""
        if len(key) < SHORTEST_MENDED or not key.isalpha() or _is_everyday(key, self.language.code):
            return None
        limit = 2 if len(key) >= LONG_WORD else 1
        letters = _letters(key)
        by_distance: dict[int, list[str]] = defaultdict(list)
        # Typists seldom miss the first letter, and words that differ there are mostly other words.
        for length in range(len(key) - limit, len(key) + limit + 1):
            for word, others in self.mendable.get((key[0], length), ()):
                if (letters ^ others).bit_count() <= 2 * limit:  # each error changes two letters at most
                    by_distance[_distance(key, word, limit)].append(word)
        nearest = min(by_distance, default=limit + 1)
        if nearest > limit:
            return None
        words = by_distance[nearest]
        meanings = {frozenset((s.kind, s.value) for s in self.vocabulary[word]) for word in words}
        return words[0] if len(meanings) == 1 and not self._is_inflected(key, words[0]) else None

    def _is_inflected(self, key: str, word: str) -> bool:
        """Say whether a word is a form of one that has nothing to do with its nearest known word: mouses, mosses."""
        for ending in self.language.instructions["endings"]:
            stem = key.removesuffix(fold(ending))
            is_known = stem in self.vocabulary or _is_everyday(stem, self.language.code)
            is_long = stem != key and len(stem) >= SHORTEST_LEMMA
            if is_long and is_known and not _undoubled(word).startswith(_undoubled(stem)):
                return True
        return False


@cache
def get_lexicon(code: str) -> Lexicon:
    """Return the lexicon of a language by its code.

    Raises:
        LanguageError: If the language is not among `LANGUAGES`.
    """
    language = get_language(code)
    senses: dict[tuple[str, ...], Sense] = {(sign,): sense for sign, sense in _SIGNS.items()}
    vocabulary: dict[str, set[Sense]] = defaultdict(set, {sign: {sense} for sign, sense in _SIGNS.items()})
    spellings: dict[str, list[str]] = defaultdict(list)
    spelled: dict[tuple[str, ...], Sense] = {}
    for form, sense in sorted(
        _entries(language), key=lambda entry: (entry[1].kind in _DROPPED, entry[1].kind == "filler")
    ):
        atoms = _atoms(form)
        spelled.setdefault(tuple(atom.spelling for atom in atoms), sense)
        keys = tuple(atom.key for atom in atoms)
        senses.setdefault(keys, sense)
        for atom in atoms:
            vocabulary[atom.key].add(senses[keys])
            spellings[atom.key].append(atom.text)
    return Lexicon(
        language,
        spelled,
        senses,
        {key: frozenset(meanings) for key, meanings in vocabulary.items()},
        {key: tuple(dict.fromkeys(texts)) for key, texts in spellings.items()},
        _mendable(vocabulary),
        max(map(len, senses)),
    )


def with_classes(lexicon: Lexicon, classes: Mapping[str, Sequence[str]]) -> Lexicon:
    """Return a lexicon that also knows the names of taught classes; a name that it has already means the class.

    Args:
        lexicon: Of one language.
        classes: By the id of each class its names, of any language.
    """
    phrases = {
        form: Sense("target", name) for name, forms in classes.items() for word in forms for form in _numbers(word)
    }
    spelled, senses = dict(lexicon.spelled), dict(lexicon.senses)
    vocabulary, spellings = dict(lexicon.vocabulary), dict(lexicon.spellings)
    for form, sense in phrases.items():
        atoms = _atoms(form)
        spelled[tuple(atom.spelling for atom in atoms)] = senses[tuple(atom.key for atom in atoms)] = sense
        for atom in atoms:
            vocabulary[atom.key] = vocabulary.get(atom.key, frozenset()) | {sense}
            spellings[atom.key] = (*spellings.get(atom.key, ()), atom.text)
    longest = max(lexicon.longest, *(len(_atoms(form)) for form in phrases))
    return replace(
        lexicon,
        spelled=spelled,
        senses=senses,
        vocabulary=vocabulary,
        spellings=spellings,
        mendable=_mendable(vocabulary),
        longest=longest,
    )


def _numbers(name: str) -> tuple[str, ...]:
    """Return a name and its other number, as English, French, Portuguese and Spanish write it."""
    is_latin = name[-1:].isascii() and name[-1:].isalpha()
    if not is_latin:
        return (name,)
    return (name, name.removesuffix("s")) if name.endswith("s") and not name.endswith("ss") else (name, f"{name}s")


def words_in(text: str) -> list[tuple[str, str]]:
    """Return the words of a text, each as typed and as a lexicon lists it; of Chinese, its characters."""
    return [(atom.text, atom.key) for atom in _atoms(text) if any(char.isalpha() for char in atom.text)]


def _mendable(vocabulary: Iterable[str]) -> dict[tuple[str, int], tuple[tuple[str, int], ...]]:
    words: dict[tuple[str, int], list[tuple[str, int]]] = defaultdict(list)
    for word in vocabulary:
        if len(word) >= SHORTEST_MENDED - 1:
            words[word[0], len(word)].append((word, _letters(word)))
    return {key: tuple(of_key) for key, of_key in words.items()}


def _undoubled(word: str) -> str:
    """Return a word with each doubled letter once: forrest is forest."""
    return "".join(char for char, _ in groupby(word))


def _letters(word: str) -> int:
    """Return the letters of a word as bits."""
    bits = 0
    for char in word:
        bits |= 1 << (ord(char) & 63)
    return bits


def _is_everyday(key: str, code: str) -> bool:
    """Say whether a word is a frequent one of any language in the same script: then it is no typing error."""
    codes = {code, *(_LATIN if code in _LATIN or key.isascii() else ())}
    return any(is_frequent(key, other) for other in codes)


def read_text(text: str, code: str, classes: Mapping[str, Sequence[str]] | None = None) -> Reading:
    """Read a text as words of one language: longest phrases first, typing errors mended, the rest ``unknown``.

    Args:
        text: What was typed.
        code: The language.
        classes: By the id of each taught class its names; none by default.

    Returns:
        The tokens in the order of the text, without harmless words and signs.

    Raises:
        LanguageError: If the language is not among `LANGUAGES`.
    """
    lexicon = with_classes(get_lexicon(code), classes) if classes else get_lexicon(code)
    mended: dict[str, str] = {}
    plain_text = _asked_plainly(text, lexicon.language)
    atoms = [_mend(part, lexicon, mended) for atom in _atoms(plain_text) for part in _parts(atom, lexicon)]
    every = with_implied_words(list(_tokens(atoms, lexicon)), code)
    aside = places_set_aside(every)
    tokens = [token for place, token in enumerate(every) if place not in aside]
    read = [token for token in tokens if token.sense.kind not in _DROPPED]
    return Reading(
        lexicon.language,
        tuple(merge_quantities(read, code)),
        tuple(mended.items()),
        odd=sum(atom.spelling not in _spellings(atom.key, lexicon) for atom in atoms),
        unknown=_unknown_words(tokens),
        dropped=_DROPPED & {token.sense.kind for token in tokens},
        set_aside=_unknown_words([token if place in aside else _GAP for place, token in enumerate(every)]),
        text=text,
    )


def _asked_plainly(text: str, language: Language) -> str:
    """Return a text in plainer words: "isn't there any water?" asks whether there is some, and so does "or not?"."""
    for pattern, plain in language.instructions["plain words"]:
        text = re.sub(pattern, plain, text, flags=re.IGNORECASE)
    return text


def _unknown_words(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Return the unknown words, those in a row together."""
    runs = groupby(tokens, lambda token: token.sense is UNKNOWN)
    return tuple(join_words([token.text for token in run]) for is_unknown, run in runs if is_unknown)


def _entries(language: Language) -> Iterator[tuple[str, Sense]]:
    """Yield every form that the language's data hold, with its sense; the first sense of a form counts."""
    yield from _words(language.instructions["words"])
    yield from _nouns(language)
    articles = set(language.instructions["words"]["filler"])
    for number, forms in language.numbers.items():
        for form in forms:
            yield form, Sense("article" if form in articles else "numeral", float(number))
    for unit, forms in language.units.items():
        for form in forms:
            yield form, Sense("length" if unit in ("m", "km") else "unit", unit)


def _words(words: Mapping[str, Any]) -> Iterator[tuple[str, Sense]]:
    """Yield the words of the grammar: kind -> forms, or kind -> value -> forms."""
    for kind, entry in words.items():
        for value, forms in entry.items() if isinstance(entry, dict) else [(None, entry)]:
            for form in forms:
                for text, sense in _forms(form, Sense(kind, float(value) if value and kind == "numeral" else value)):
                    yield text, _of_shape(text, sense) if value in ("compact", "elongated") else sense


def _of_shape(text: str, sense: Sense) -> Sense:
    """Return the sense of a shore that is listed under a shape: it belongs to water of that shape."""
    return replace(sense, value="water", lemma=text, shape=sense.value)


def _nouns(language: Language) -> Iterator[tuple[str, Sense]]:
    """Yield the names of what people ask for: land covers, narrower things, and what nothing can extract."""
    for target, names in language.targets.items():
        for name in names:
            yield name, Sense("target", target, is_plural(target, name, language))
    words = language.instructions["words"]
    exclusions = tuple(f"{form} " for kind in ("except", "not") for form in words.get(kind, ()))
    for named in concept_names(language.code):
        # "Without vegetation" leaves vegetation out, though bare soil is called so.
        if not named.form.startswith(exclusions):
            yield named.form, sense_of(named)


def is_plural(target: str, name: str, language: Language) -> bool | None:
    """Say whether a usual name of a target is plural, if its concept shows it."""
    forms = {fold(other.form): other.plural for other in concept_names(language.code) if other.concept == target}
    return forms.get(fold(name))


_SIGNS = {
    _COMMA: Sense("comma"),
    _MINUS: Sense("minus"),
    _UP_TO: Sense("to"),
    "&": Sense("and"),
    "+": Sense("and"),
    ">": Sense("compare", ">"),
    "<": Sense("compare", "<"),
    ">=": Sense("compare", ">="),
    "<=": Sense("compare", "<="),
    "≥": Sense("compare", ">="),
    "≤": Sense("compare", "<="),
}
"""Signs mean the same in all languages."""


def _forms(entry: str, sense: Sense) -> Iterator[tuple[str, Sense]]:
    """Yield the forms of ``stem|endings/plural endings``, where endings are parted by commas.

    Without ``|`` the forms are written out; without ``/`` the word does not show whether it is plural.
    """
    stem, _, endings = entry.rpartition("|")
    numbers = endings.split("/")
    for ends, plural in zip(numbers, (False, True), strict=False):
        for end in ends.split(","):
            yield stem + end.strip(), replace(sense, plural=plural if len(numbers) > 1 else None)


@lru_cache(maxsize=64)
def _atoms(text: str) -> tuple[_Atom, ...]:
    """Split a text into words, numbers and the signs that have a meaning. Every language asks for the same text."""
    wide = unicodedata.normalize("NFKC", text)
    matches = list(_ATOM.finditer(wide))
    keys = ["", *(fold(match.group()).replace("^", "") for match in matches), ""]
    atoms = []
    for match, before, key, after in zip(matches, keys, keys[1:], keys[2:], strict=False):
        spaced = match.start() == 0 or wide[match.start() - 1].isspace()
        meant = _dash(before, after, spaced) if key in _DASHES else key
        if key in _SENTENCE_ENDS and len(before) > LONGEST_ABBREVIATION and after and wide[match.end()].isspace():
            meant = _COMMA
        if meant and meant not in _IGNORED:
            atoms.append(_Atom(match.group(), _COMMA if meant in _COMMAS else _bare(meant)))
    return tuple(atoms)


def _dash(before: str, after: str, spaced: bool) -> str:
    """Return the meaning of a dash: up to, minus, a pause, or nothing inside a word."""
    if after[:1].isdigit() and before[:1].isdigit():
        return _UP_TO
    if not spaced:
        return ""
    return _MINUS if after[:1].isdigit() else _COMMA


def _bare(key: str) -> str:
    """Return an Arabic word without its article, and a French one with its vowel."""
    stem = key.removeprefix(_ARTICLE)
    return stem if len(stem) >= SHORTEST_STEM else _ELIDED.get(key, key)


def _parts(atom: _Atom, lexicon: Lexicon) -> list[_Atom]:
    """Split an Arabic word from the short words written together with it; read a German number, and a German share."""
    share = _SHARE.fullmatch(atom.key) if lexicon.language.code == "de" else None
    if share and (head := next((head for head in share.groups() if head in lexicon.vocabulary), "")):
        return [_Atom("Anteil", "anteil"), _Atom(atom.text, head)]
    if atom.key in lexicon.vocabulary:
        return [atom]
    if lexicon.language.code == "de" and (number := compound_number(atom.key, _number_words("de"))) is not None:
        return [_Atom(atom.text, f"{number:g}".replace(".", ","))]
    for clitic in _CLITICS:
        rest = atom.key.removeprefix(clitic)
        if rest == atom.key:
            continue
        first = _Atom(clitic, clitic[0])
        parts = _parts(_Atom(atom.text[len(clitic) :], _bare(rest)), lexicon)
        if parts[-1].key in lexicon.vocabulary:
            return [first, *parts]
    bare = atom.key.removesuffix(_ACCUSATIVE)
    if lexicon.language.code == "ar" and bare != atom.key and bare in lexicon.vocabulary:
        return [_Atom(atom.text, bare)]
    return [atom]


@cache
def _number_words(code: str) -> dict[str, float]:
    words = {key[0]: sense for key, sense in get_lexicon(code).senses.items() if len(key) == 1}
    ones = {fold(form): float(value) for value, forms in get_language(code).numbers.items() for form in forms}
    return ones | {key: float(sense.value) for key, sense in words.items() if sense.kind == "numeral"}


def _mend(atom: _Atom, lexicon: Lexicon, mended: dict[str, str]) -> _Atom:
    """Return the known word that an unknown one is a typing error of, and add both to ``mended``."""
    if atom.key in lexicon.vocabulary or atom.key in foreign_words():
        return atom
    # Everyday words are looked up as typed too, for a key has no Arabic article.
    if _is_everyday(atom.text, lexicon.language.code) or (word := lexicon.mend(atom.key)) is None:
        return atom
    mended[atom.text] = lexicon.spellings[word][0]
    return _Atom(atom.text, word)


def _spellings(key: str, lexicon: Lexicon) -> set[str]:
    return {text.casefold() for text in lexicon.spellings.get(key, (key,))}


def _tokens(atoms: list[_Atom], lexicon: Lexicon) -> Iterator[Token]:
    """Yield the longest known phrase at each place; unknown Chinese characters together."""
    i = 0
    while i < len(atoms):
        length, sense = _longest(atoms, i, lexicon)
        if sense.kind == "compare_after" and length > 1:
            further, following = _longest(atoms, i + 1, lexicon)
            if following.kind == "compare" and further >= length:  # "and less" of "and less than" is no phrase
                length, sense = _longest(atoms[: i + 1], i, lexicon)
        elif sense.kind == "compare" and length > 1 and not _is_amount(atoms, i + length, lexicon):
            shorter, rank = _longest(atoms[: i + length - 1], i, lexicon)
            if rank.kind == "rank":  # el más grande de la mitad norte
                length, sense = shorter, rank
        yield Token(sense, join_words([atom.text for atom in atoms[i : i + length]]))
        i += length


def _is_amount(atoms: list[_Atom], place: int, lexicon: Lexicon) -> bool:
    """Say whether an amount starts at a place, as a comparison wants it."""
    return place < len(atoms) and _longest(atoms, place, lexicon)[1].kind in _AMOUNTS


def _longest(atoms: list[_Atom], start: int, lexicon: Lexicon) -> tuple[int, Sense]:
    words = atoms[start : start + lexicon.longest]
    spellings, keys = tuple(atom.spelling for atom in words), tuple(atom.key for atom in words)
    is_accented_target = _is_accented_target(atoms[start], lexicon)
    for length in range(len(words), 0, -1):
        sense = lexicon.spelled.get(spellings[:length])
        if not sense and not (length > 1 and is_accented_target):
            sense = lexicon.senses.get(keys[:length])
        if sense:
            return length, sense
    if atoms[start].key[0].isdigit():
        return 1, _number(atoms[start], lexicon.language)
    return 1, UNKNOWN


def _is_accented_target(atom: _Atom, lexicon: Lexicon) -> bool:
    """Say whether accents make a word a land cover, so that it begins no phrase without them: prés is not près."""
    sense = lexicon.spelled.get((atom.spelling,))
    has_accents = atom.key.isascii() and not atom.spelling.isascii()
    return sense is not None and sense.kind == "target" and has_accents and len(lexicon.spellings.get(atom.key, ())) > 1


def _number(atom: _Atom, language: Language) -> Sense:
    try:
        number = read_number(atom.key, language)
    except LanguageError:  # 1.2.3, or cubic metres
        return UNKNOWN
    return Sense("number", number) if math.isfinite(number) else UNKNOWN  # hundreds of digits


def _distance(typed: str, word: str, limit: int) -> int:
    """Return the number of letters to add, drop, replace or swap with their neighbour; a larger one is cut short."""
    same = next((i for i, (a, b) in enumerate(zip(typed, word, strict=False)) if a != b), min(len(typed), len(word)))
    typed, word = typed[same:], word[same:]
    before: list[int] = []
    last = list(range(len(word) + 1))
    for i, a in enumerate(typed, start=1):
        row = [i]
        for j, b in enumerate(word, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and (a, typed[i - 2]) == (word[j - 2], b):
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
        before, last = last, row
    return last[-1]
