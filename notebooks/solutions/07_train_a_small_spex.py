# %% Exercise 1
run.plot()

# %%
measured = pd.DataFrame(run.result.curves).set_index("step").filter(like="iou_").dropna()
measured.round(2)

# %% [markdown]
# Vegetation comes first, because it covers most. Roofs follow, then roads and water. Bare soil is the last, because
# only some suburbs have a quarry. After about half of the steps little changes, so half of the time is enough for a
# first look.

# %% Exercise 2
lakes, truth = sample_scene("lake_30m"), sample_labels("lake_30m") == 1
for name, mask_model in {"trained": model, "index": "index"}.items():
    result = extract(lakes, "water", mask_model, progress=False)
    print(name, f"IoU {iou(confusion_counts(result.mask == 1, truth)):.2f}")
result.plot()

# %% [markdown]
# It finds much of the water, which is dark at any scale. It is worse than the index, whose rule was measured on scenes
# of this kind. Its training never showed a lake at 30 m.

# %% Exercise 3
places = report.places().query("model == 'final' and target == 'bare_soil'").sort_values("iou")
places[["place", "iou", "recall", "precision"]].round(2)

# %%
where = places["place"].iloc[0]
hardest = next(r for r in dataset.records("val") if (r.target, r.place) == ("bare_soil", where))
plot_maps({"red": dataset.tile(hardest)["red"], "bare soil": dataset.mask(hardest)[0]}, columns=2)

# %% [markdown]
# It is the suburb whose quarry lies in the shadow of a cloud. What the model finds is right (precision), but it misses
# most (recall). Six training suburbs have few quarries, and none of these was in the shade. That is why rare targets
# need many places. A suburb without bare soil has no figure, because there is nothing to find.
