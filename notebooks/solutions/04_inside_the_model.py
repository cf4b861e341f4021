# %% Exercise 1
(road,) = predictor.predict(tile, ["road"], [build_prompt("road", [])])
print(f"IoU {iou(confusion_counts(road > 0, labels == 5)):.2f}")
plot_maps({"labels": labels == 5, "found": road > 0}, columns=2)

# %% [markdown]
# About half of the road, in pieces. A road of 10 m at 10 m a pixel is one mixed pixel wide, and the model learned roads
# from a few aerial tiles only. Its card says so.

# %% Exercise 2
for band in tile.spex.bands:
    (rest,) = predictor.predict(tile.drop_vars(band), ["water"], prompts[:1])
    print(band, round(float(iou(confusion_counts(rest > 0, labels == 1))), 3))

# %% [markdown]
# Near infrared costs most, then green; the others hardly matter. It is what the indices for water are made of, too.

# %% Exercise 3
points = [[(40.5, 60.5, True), (100.5, 100.5, False)]]
(clicked,) = predictor.predict(tile, ["water"], prompts[:1], points=points)
print(int(((clicked > 0) != (water > 0)).sum()), "pixels changed")
plot_maps({"change of the logits": clicked - water}, columns=1)

# %% [markdown]
# A few pixels. This small model has learned little from clicks: where it is sure, they do not move it.
