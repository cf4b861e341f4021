# %% Exercise 1
run.plot()

# %%
measured = pd.DataFrame(run.result.curves).set_index("step").filter(like="iou_").dropna()
measured.round(2)

# %% [markdown]
# Vegetation comes first, as it covers most; then roofs and roads. Bare soil is the last: only some suburbs have a
# quarry. After about half of the steps little is gained, so half of the time would do for a first look.

# %% Exercise 2
lakes, truth = sample_scene("lake_30m"), sample_labels("lake_30m") == 1
for name, one in {"trained": model, "index": "index"}.items():
    found = extract(lakes, "water", one, progress=False)
    print(name, f"IoU {iou(confusion_counts(found.mask == 1, truth)):.2f}")
found.plot()

# %% [markdown]
# It finds much of the water, which is dark at any scale, and is worse than the index, which was measured on scenes of
# this kind. Nothing in its training said what a lake at 30 m looks like.

# %% Exercise 3
places = report.places().query("model == 'final' and target == 'bare_soil'").sort_values("iou")
places[["place", "iou", "recall", "precision"]].round(2)

# %%
where = places["place"].iloc[0]
hardest = next(one for one in dataset.records("val") if (one.target, one.place) == ("bare_soil", where))
plot_maps({"red": dataset.tile(hardest)["red"], "bare soil": dataset.mask(hardest)[0]}, columns=2)

# %% [markdown]
# The one whose quarry lies in the shadow of a cloud: what is found is right (precision), but most is missed (recall).
# Six suburbs hold few quarries, and none of these was in the shade; that is why rare targets need many places. A suburb
# without bare soil has no figure: there is nothing to find.
