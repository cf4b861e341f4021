# %% Exercise 1
swapped = compare(after, scene, "water", "index", progress=False)
print(swapped.statements[0].text)
print([text for text in swapped.doubts if "order" in text])
swapped.plot("water")

# %% [markdown]
# Gain and loss change their places, to a few pixels. The explanation says that the scene before has the later date.

# %% Exercise 2
far = {}
for name in scene.spex.bands:
    moved = ndimage.shift(scene[name].values, (3, 3), order=1, mode="nearest")
    far[name] = scene[name].copy(data=(moved + random.normal(0, 0.004, moved.shape)).astype("float32"))
shifted = compare(scene, scene.assign(far), "water", "index", progress=False)
print(shifted.registration)
floors = {"half a pixel": nothing, "three pixels": shifted}
bars = {name: item.targets["water"].floor.gain.ha for name, item in floors.items()}
axes = pd.Series(bars).plot.bar(rot=0, ylabel="ha")

# %% [markdown]
# Three pixels are measured as well as half a one, for it is the agreement of windows that counts. The floor depends on
# what the shift may be wrong by, not on how large it is.

# %% Exercise 3
frequency = series.frequency["water"].values
always, sometimes = frequency == 100, (frequency > 0) & (frequency < 100)
print(f"always {always.sum() / 100:,.0f} ha, in some years {sometimes.sum() / 100:,.0f} ha")
plot_maps({"in every year": always, "in some years": sometimes}, columns=2)

# %% [markdown]
# A pixel of 10 m is a hundredth of a hectare. The years share the river and the lake; the flood and the bay come and
# go.
