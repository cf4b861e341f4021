# %% Exercise 1
(road,) = predictor.predict(tile, ["road"], [build_prompt("road", [])])
print(f"IoU {iou(confusion_counts(road > 0, labels == 5)):.2f}")
plot_maps({"labels": labels == 5, "found": road > 0}, columns=2)

# %% [markdown]
# The model finds most of the road, with gaps and a few false alarms. A road of 10 m at 10 m a pixel is one mixed pixel
# wide. The model learned roads from a few aerial tiles only, as its card states.

# %% Exercise 2
for band in tile.spex.bands:
    (rest,) = predictor.predict(tile.drop_vars(band), ["water"], prompts[:1])
    print(band, round(float(iou(confusion_counts(rest > 0, labels == 1))), 3))

# %% [markdown]
# Green matters most: without it the IoU falls from 0.94 to 0.22. Without any other band it stays above 0.91. The water
# indices NDWI and MNDWI need green too.

# %% Exercise 3
points = [[(40.5, 60.5, True), (100.5, 100.5, False)]]
(clicked,) = predictor.predict(tile, ["water"], prompts[:1], points=points)
print(int(((clicked > 0) != (water > 0)).sum()), "pixels changed")
plot_maps({"change of the logits": clicked - water}, columns=1)

# %% [markdown]
# No pixel changes. This small model has learned little from clicks, and where it is sure they do not move it. The
# workbench (lesson 6) therefore corrects the mask around a click itself.
