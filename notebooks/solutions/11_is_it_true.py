# %% Exercise 1
west = np.argwhere(is_data[:, :107])
chosen = west[np.random.default_rng(0).choice(len(west), 100, replace=False)]
green = is_green[chosen[:, 0], chosen[:, 1]].mean()
print(f"west {green:.0%} ± {1.96 * np.sqrt(green * (1 - green) / 100):.0%}, whole scene {true_share:.1%}")
plot_mask(scene, sample_labels("river_10m") == 2, color="#009e73")

# %% [markdown]
# The interval promises something about the west, and nothing about the rest. It gets narrower with more points and
# stays about the wrong place. A sample speaks only of what it could have drawn.

# %% Exercise 2
blank = check_map(result, n=100, seed=1)
second = check
for point in range(9, 100, 10):
    second = second.answer(point, "other" if check.answers[point] == "vegetation" else "vegetation")
file = second.save(Path(tempfile.mkdtemp()) / "second.gpkg")
print(check.agreement(load_check(file, result)))
print(read_answers(blank, file, person="second").areas["vegetation"])
both = {"first": check.areas["vegetation"].share_frac, "second": second.areas["vegetation"].share_frac}
axes = pd.Series(both).plot.bar(rot=0, ylim=(0.5, 1), ylabel="share of vegetation")

# %% [markdown]
# Nine of ten answers agree, and kappa is lower, since chance alone gives many. The area moves. The interval knows the
# luck of the draw, not the errors of the person: so let two persons answer, and talk about the points on which they
# differ.

# %% Exercise 3
widths = {}
for n in (50, 200, 800):
    drawn = check_map(result, n=n, seed=0)
    answers = names[drawn.points["row"], drawn.points["column"]]
    item = replace(drawn, answers=tuple(map(str, answers))).areas["vegetation"]
    widths[n] = item.high_frac - item.low_frac
axes = pd.Series(widths).plot(style="o-", loglog=True, xlabel="points", ylabel="width of the interval")

# %% [markdown]
# Four times the points halve the width. A width of one percent costs thousands of points: decide beforehand what width
# your question needs.
