# %% Exercise 1
for name in ("river_10m", "lake_30m"):
    mndwi, truth = compute_index(sample_scene(name), "MNDWI"), sample_labels(name) == 1
    for cut in (-0.2, 0.0, 0.2, 0.4):
        print(name, cut, round(float(iou(confusion_counts(threshold_index(mndwi, "fixed", cut), truth))), 3))

# %% [markdown]
# All thresholds between -0.2 and 0.2 are about as good (0.96 to 0.98). The best one is near 0 for the river, and below
# 0 for the lakes. At 0.4 the clear lakes are lost. The best threshold differs from scene to scene; a good one works in
# all.

# %% Exercise 2
town = sample_scene("town_1m")
roofs = sample_labels("town_1m") == 3
cut = threshold_index(compute_index(town, "NDWI"), "fixed", 0.0)
rule = spectral_prior(town, "water")
print(f"NDWI > 0 {float(cut.where(roofs).mean()):.0%} of the roofs, prior {float(rule.mask.where(roofs).mean()):.0%}")
plot_mask(town, rule.mask)

# %% [markdown]
# NDWI > 0 marks all roofs as water. The numbers are not reflectance: the camera's near infrared is darker than its
# green for everything but plants. The prior's rule for such scenes cuts at 0.3 and still marks more than half of the
# roofs. Without short-wave infrared, roofs and water are hard to distinguish.

# %% Exercise 3
dryness = compute_index(scene, "(swir16 - nir) / (swir16 + nir)")
plot_index(dryness)

# %%
plot_histogram(dryness, threshold=0.05)

# %% [markdown]
# Bare soil has the highest index, and roofs and roads come close behind. Clear water is scattered everywhere, because
# both bands are near zero there. One index is rarely enough. A second rule (nir > 0.1) would remove the water.
