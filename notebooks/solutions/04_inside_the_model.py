# %% Exercise 1
(road,) = predictor.predict(tile, ["road"], [build_prompt("road", [])])
print(f"IoU {iou(confusion_counts(road > 0, labels == 5)):.2f}")
plot_maps({"labels": labels == 5, "found": road > 0}, columns=2)

# %% [markdown]
# The model finds about half of the road, in pieces. A road of 10 m at 10 m a pixel is one mixed pixel wide. The model
# learned roads from a few aerial tiles only, as its card states.

# %% Exercise 2
for band in tile.spex.bands:
    (rest,) = predictor.predict(tile.drop_vars(band), ["water"], prompts[:1])
    print(band, round(float(iou(confusion_counts(rest > 0, labels == 1))), 3))

# %% [markdown]
# Near infrared matters most, then green. The others hardly matter. The indices for water use the same two bands.

# %% Exercise 3
points = [[(40.5, 60.5, True), (100.5, 100.5, False)]]
(clicked,) = predictor.predict(tile, ["water"], prompts[:1], points=points)
print(int(((clicked > 0) != (water > 0)).sum()), "pixels changed")
plot_maps({"change of the logits": clicked - water}, columns=1)

# %% [markdown]
# A few pixels change. This small model has learned little from clicks. Where it is sure, they do not move it.
