# %% Exercise 1
state.point_name = "sand"
state.add_point(135, 120)
state.point_name = "shadow"
state.add_point(70, 255)
SpectraPanel(state)

# %% [markdown]
# The shadow is nearly as dark as water in the visible bands. But it keeps the shape of what lies below it, and rises in
# the near infrared. Sand is bright in every band. It shares nothing with water but its place.

# %% Exercise 2
state.text = "water"
instruction.run.click()
count = len(state.result.regions)
state.tool = "split"
editor.click(state, (150.5, 90.5))
editor.click(state, (150.5, 200.5))
print(count, "→", len(state.result.regions))
state.result.plot()

# %% Exercise 3
extracted = state.extraction.evidence["water"].area_m2
print(f"edited: {(state.result.evidence['water'].area_m2 - extracted) / 1e4:+.2f} ha")
editor.undo(state)
print(f"undone: {(state.result.evidence['water'].area_m2 - extracted) / 1e4:+.2f} ha")

# %% [markdown]
# Yes, to the pixel. Edits are kept as differences, and undo restores the earlier mask.
