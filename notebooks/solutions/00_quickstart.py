# %% Exercise 1
from spex_nb import parse_instruction

parse_instruction("las zonas de agua al norte").meaning

# %%
bench.state.text = "las zonas de agua al norte"
bench.panels["Instruct"].start()

# %% [markdown]
# The meaning is said in the language of the question. What you see on the map is what was understood, no more.

# %% Exercise 2
from spex_nb import SpexError

try:
    parse_instruction("the big lakes")
except SpexError as refusal:
    print(refusal)

# %% [markdown]
# *Big* has no exact meaning: everybody would draw the line elsewhere. A guess would give a mask that looks right and
# answers another question; the refusal says what to write instead.
