# %% Exercise 1
largest = extract(sample_scene("lake_30m"), "the largest lake", tiny, progress=False)
print(round(largest.regions["area_m2"].iloc[0] / 1e4), "ha")
largest.plot()

# %% Exercise 2
masks = {cut: extract(scene, "water", tiny, threshold=cut, progress=False) for cut in (0.1, 0.9)}
for cut, result in masks.items():
    print(cut, round(result.regions["area_m2"].sum() / 1e4, 1), "ha")

# %%
shore = (masks[0.1].mask == 1) != (masks[0.9].mask == 1)
plot_mask(scene, shore, color="#d55e00")

# %% [markdown]
# The area falls from about 89 to 81 ha. The difference lies along the shores, where pixels are mixed. Elsewhere the
# model is sure.

# %% Exercise 3
town = extract(scene, "buildings", tiny, progress=False)
print(*town.notes, town.explanation, sep="\n")
sealed = sample_labels("river_10m").isin([3, 5])
print(f"IoU {iou(confusion_counts(town.mask == 1, sealed)):.2f}")
town.plot()

# %% [markdown]
# At 10 m no single house can be seen, so that the answer is built-up area. About half of it is right. ▫ means only that
# a figure was measured on the mask. ✓ means that the bands agree, and they agree with bare rock too.
