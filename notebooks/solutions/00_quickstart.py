# %% Exercise 1
from spex_nb import parse_instruction

parse_instruction("los bosques a la izquierda").meaning

# %%
bench.ask("los bosques a la izquierda").meaning

# %% [markdown]
# Press **Extract** in the panel, or call `bench.extract()` when the first extraction is done. The parser reports the
# meaning in the language of the instruction. The map shows exactly that meaning.

# %% Exercise 2
from spex_nb import SpexError

try:
    parse_instruction("the big lakes")
except SpexError as refusal:
    print(refusal)

# %% [markdown]
# *Big* has no exact meaning, because everybody would draw the line elsewhere. After a guess the mask would look right,
# but it would answer another question. The refusal shows what to write instead.
