# %% Exercise 1
green = folder / "green"
# !{spex} extract "{pattern}" "vegetation" --model index --out "{green}" --quiet 2>&1 | tail -1

# %%
shares = {path.name: load_extraction(path).evidence["vegetation"].share_frac for path in sorted(green.iterdir())}
axes = pd.Series(shares).plot.bar(ylabel="share of vegetation", ylim=(0, 1), rot=0)

# %% Exercise 2
for scene in scenes:
    place = folder / "loop" / scene.name
    place.parent.mkdir(exist_ok=True)
    if not place.exists():
        extract(scene.path, "water", "index", out=place, progress=False)
sorted(path.name for path in (folder / "loop").iterdir())

# %% [markdown]
# That an existing result is of the same question and scene (the command checks it), that one failure does not end the
# loop, and that somebody learns of it: a report, an exit code.

# %% Exercise 3
for tile_px in (64, 256):
    print(plan_extraction(scenes[0].path, "water", "index", tile_px=tile_px))

# %% [markdown]
# Nearly the same: rows of tiles are written as soon as no later tile touches them. What a scene of 10,980 pixels adds
# are three or four bytes a pixel while evidence is measured, about half a gigabyte, and disk.
