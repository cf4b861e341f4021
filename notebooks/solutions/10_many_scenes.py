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
# The command checks that an existing result belongs to the same instruction and scene. It goes on after a failure. It
# informs somebody, with a report and an exit code.

# %% Exercise 3
for tile_px in (64, 256):
    print(plan_extraction(scenes[0].path, "water", "index", tile_px=tile_px))

# %% [markdown]
# Nearly the same, because the run writes rows of tiles as soon as no later tile touches them. A scene of 10,980 pixels
# adds three or four bytes a pixel while evidence is measured. That is about half a gigabyte, and disk space.
