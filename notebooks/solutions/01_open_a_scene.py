# %% Exercise 1
lakes = sample_scene("lake_30m")
plot_scene(lakes)

# %%
plot_scene(lakes, ["swir16", "nir", "red"])

# %% [markdown]
# In true colour dry fields and young crops differ in tone only. In the picture of short-wave and near infrared, plants
# are green and bare ground is reddish. Plants reflect near infrared, and dry ground reflects short-wave infrared.

# %% Exercise 2
plot_spectra(lakes, {"water": (154, 113), "forest": (38, 138), "bare soil": (6, 114)})

# %% [markdown]
# Water is low everywhere. Forest rises steeply behind red. Bare soil rises slowly and goes on rising.

# %% Exercise 3
labels = sample_labels("river_10m")
for name, code in {"water": 1, "vegetation": 2}.items():
    print(name, round(float(scene["nir"].where(labels == code).mean()), 3))

# %% [markdown]
# About 0.04 and 0.28: a factor of seven. Lesson 2 uses that contrast.
