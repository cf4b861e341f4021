# %% Exercise 1
low = spectral_prior(scene, "water", threshold=0)
too_many = find_regions(low.mask, scene.spex.valid, index=low.index, min_area_px=10)
print(len(too_many), "regions")
plot_regions(scene, too_many)

# %%
print(build_prompt("water", too_many))

# %% [markdown]
# Eight regions instead of two: the small ones are dark or wet ground and edges. The prompt would describe six water
# bodies that do not exist. The model would have to notice that in the picture.

# %% Exercise 2
pair = "El agua cubre el 8 % de la escena. Se encontraron 5 zonas separadas."
pd.DataFrame(check_explanation(pair, evidence, "es"))[["text", "kind", "measured", "verdict"]]

# %% [markdown]
# The share holds. The number is contradicted: the evidence has two regions.

# %% Exercise 3
lakes = sample_scene("lake_30m")
water = spectral_prior(lakes, "water")
regions = find_regions(water.mask, lakes.spex.valid, index=water.index, min_area_px=10)
wanted = parse_instruction("les 2 plus grands lacs")
print(wanted.meaning)
plot_regions(lakes, apply_filters(regions, wanted, lakes))
