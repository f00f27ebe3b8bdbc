# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""The pictures of the report. Colours are those of Okabe and Ito."""

import pandas as pd

BLACK, ORANGE, SKY, GREEN = "black", "#E69F00", "#56B4E9", "#009E73"
BLUE, RED, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "0.65"
STYLES = {  # a line is told by its marker as well
    "REAL": {"color": RED, "marker": "o", "linewidth": 2.5, "zorder": 5},
    "CartographyAL": {"color": RED, "marker": "o", "linewidth": 2.5, "zorder": 5},
    "ALPS": {"color": BLACK, "marker": "x", "linestyle": "-."},
    "Entropy": {"color": BLACK, "marker": "s", "linestyle": "--"},
    "BADGE": {"color": BLUE, "marker": "^"},
    "ContrastiveAL": {"color": ORANGE, "marker": "v"},
    "AcTune": {"color": GREEN, "marker": "D"},
    "LeastConfidence": {"color": BLUE, "marker": "^"},
    "DiscriminativeAL": {"color": ORANGE, "marker": "v"},
    "BALD": {"color": PURPLE, "marker": "P"},
    "PLMKM": {"color": SKY, "marker": "X"},
    "BertKM": {"color": SKY, "marker": "X"},
    "RandomSampling": {"color": GREY, "marker": "*", "linestyle": ":"},
}
NAMES = {"ContrastiveAL": "CAL", "DiscriminativeAL": "DAL", "PLMKM": "PLM-KM"}
NAMES |= {"RandomSampling": "random", "CartographyAL": "Cartography AL"}
NAMES |= {"LeastConfidence": "least confidence", "Entropy": "entropy"}
NAMES |= {"BertKM": "BERT-KM"}
DATA = {"trec": "TREC", "snips": "SNIPS", "agnews": "AG News"}
DATA |= {"imdb": "IMDB", "pubmed_subset": "PubMed"}
PANELS = [("dense", name) for name in ("trec", "snips", "agnews")]
PANELS += [("text", name) for name in ("snips", "pubmed_subset")]
OF_REAL = ["REAL", "Entropy", "BADGE", "ContrastiveAL", "AcTune", "BALD", "PLMKM"]
OF_REAL += ["ALPS", "RandomSampling"]


def draw_all(values, results, out):
    """Every picture whose results are there."""
    pictures = {
        "real_curves": draw_real_curves(results),
        "survey": draw_survey(values),
    }
    path = results / "claims" / "claims.csv"
    if path.is_file():
        claims = pd.read_csv(path)
        pictures |= {
            "real_batches": draw_real_batches(claims[claims["part"] == "errors"]),
            "cartography": draw_cartography(claims[claims["part"] == "maps"]),
            "alps": draw_alps(claims[claims["part"].isin(["cold", "batches"])]),
        }
    for name, figure in pictures.items():
        figure.savefig(out / f"{name}.png", dpi=110, metadata={"Software": None})


def figure_of(*size):
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def dress(axes, title, x="", y=""):
    axes.set_title(title, fontsize="medium", loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)


def style(method):
    return {"markersize": 5, **STYLES.get(method, {"color": GREY, "marker": "."})}


def below(figure, axes, n_columns):
    lines, names = axes.get_legend_handles_labels()
    figure.legend(
        lines, names, loc="outside lower center", ncols=n_columns, frameon=False
    )


def draw_real_curves(results):
    """How far each of Table 2's methods is ahead of random, round by round."""
    figure = figure_of(10, 6.2)
    grid = figure.subplots(2, 3)
    shown = {}
    for axes, (part, name) in zip(grid.flat, PANELS, strict=False):
        frame = pd.read_csv(results / "strategies" / f"{part}.csv")
        frame = frame[frame["dataset"] == name]
        mean = frame.pivot_table(
            values="test_accuracy", index="n_labeled", columns="learner"
        )
        ahead = 100 * mean.sub(mean["RandomSampling"], axis=0)
        for method in [method for method in OF_REAL if method in ahead]:
            label = NAMES.get(method, method)
            (shown[label],) = axes.plot(ahead[method], **style(method))
        of = "vectors" if part == "dense" else "texts"
        dress(axes, f"{DATA[name]}, {of}", "labels")
    for axes in grid[:, 0]:
        axes.set_ylabel("points of accuracy\nahead of random")
    grid.flat[-1].axis("off")
    grid.flat[-1].legend(shown.values(), shown, loc="center", frameon=False)
    return figure


def draw_real_batches(frame):
    """Figure 4 and the lifts of Table 3, a small mark per data set and seed."""
    figure = figure_of(10, 4.2)
    left, right = figure.subplots(1, 2)
    table = frame.pivot_table(
        values="value", index=["method", "dataset", "seed"], columns="quantity"
    )
    methods = [name for name in OF_REAL if name in table.index.levels[0]]
    for place, method in enumerate(reversed(methods)):
        runs, mark = table.loc[method], style(method)
        mark = {key: mark[key] for key in ("color", "marker")}
        left.scatter(runs["divergence"], runs["first loss"], s=18, alpha=0.35, **mark)
        right.scatter(runs["lift"], [place] * len(runs), s=18, alpha=0.35, **mark)
        mean = runs.mean()
        big = {"s": 110, "edgecolors": "white", "zorder": 4, **mark}
        label = NAMES.get(method, method)
        left.scatter(mean["divergence"], mean["first loss"], label=label, **big)
        right.scatter(mean["lift"], place, **big)
    names = [NAMES.get(method, method) for method in reversed(methods)]
    right.set_yticks(range(len(methods)), names)
    right.axvline(1, color=BLACK, linewidth=0.8)
    dress(
        left,
        "Loss and place of a batch",
        "divergence from the errors at the boundary, nats",
        "loss before it is learned, nats",
    )
    dress(right, "Lift: errors in a batch, beside the pool", "lift")
    left.legend(fontsize="small", frameon=False, ncols=2)
    return figure


def draw_cartography(frame):
    """Accuracy, and Figure 4: where training put each batch on the data map."""
    figure = figure_of(10, 6.2)
    grid = figure.subplots(2, 3, sharex="row")
    panels = {
        "accuracy": "accuracy on the test set",
        "confidence": "confidence of the batch",
        "variability": "variability of the batch",
    }
    for line, name in zip(grid, ("trec", "agnews"), strict=True):
        of_data = frame[(frame["dataset"] == name) & (frame["method"] != "whole pool")]
        for axes, (quantity, title) in zip(line, panels.items(), strict=True):
            mean = of_data[of_data["quantity"] == quantity].pivot_table(
                values="value", index="n_labeled", columns="method"
            )
            for method in mean:
                label = NAMES.get(method, method)
                axes.plot(mean[method], label=label, **style(method))
            dress(axes, f"{DATA[name]}: {title}", "labels")
            axes.set_xticks(mean.index)
    below(figure, grid[0, 0], 6)
    return figure


def draw_survey(values):
    """All strategies on vectors beside random, sorted by the mean."""
    chosen = values[
        values["dataset"].str.startswith("dense/") & (values["quantity"] == "accuracy")
    ]
    table = chosen.pivot_table(
        values="value", index=["dataset", "seed"], columns="method"
    )
    ahead = table.sub(table["RandomSampling"], axis=0).drop(columns="RandomSampling")
    ahead = ahead[ahead.mean().sort_values().index]
    figure = figure_of(8, 1.4 + 0.24 * ahead.shape[1])
    axes = figure.subplots()
    marks = {"trec": (BLUE, "o"), "snips": (ORANGE, "^"), "agnews": (GREEN, "s")}
    for name, (color, marker) in marks.items():
        of_data = ahead.xs(f"dense/{name}", level="dataset")
        for place, method in enumerate(ahead):
            runs = of_data[method]
            axes.scatter(
                runs,
                [place] * len(runs),
                s=16,
                alpha=0.7,
                color=color,
                marker=marker,
                linewidths=0,
                label=DATA[name] if place == 0 else None,
            )
    axes.scatter(ahead.mean(), range(ahead.shape[1]), color=BLACK, marker="|", s=120)
    axes.set_yticks(range(ahead.shape[1]), ahead.columns, fontsize="small")
    axes.axvline(0, color=BLACK, linewidth=0.8)
    dress(
        axes,
        "Mean height of the learning curve beside random; | is the mean",
        "points of accuracy ahead of random, one mark per seed",
    )
    axes.legend(frameon=False, loc="lower right")
    return figure


def draw_alps(frame):
    """First batches, clusters, and Figure 3: diversity and uncertainty of batches."""
    figure = figure_of(10, 4.2)
    first, clusters, batches = figure.subplots(1, 3)
    draw_dots(first, frame[frame["quantity"] == "first accuracy"])
    dress(first, "Accuracy after a first batch of 100", "", "accuracy")
    draw_dots(clusters, frame[frame["quantity"] == "silhouette"])
    dress(clusters, "Silhouette of 100 clusters")
    runs = frame[frame["part"] == "batches"].pivot_table(
        values="value", index=["method", "n_labeled"], columns="quantity"
    )
    for method in runs.index.unique("method"):
        of_method = runs.loc[method]
        label = NAMES.get(method, method)
        batches.plot(
            of_method["uncertainty"],
            of_method["diversity"],
            **style(method) | {"linestyle": "-", "linewidth": 0.7, "label": label},
        )
        last = of_method.iloc[-1]
        batches.scatter(
            last["uncertainty"],
            last["diversity"],
            s=110,
            facecolors="none",
            edgecolors=style(method)["color"],
        )
    dress(
        batches,
        "Batches on PubMed (ring: last round)",
        "mean entropy, nats",
        "share of the pool's tokens",
    )
    batches.legend(fontsize="x-small", frameon=False, ncols=2)
    return figure


def draw_dots(axes, frame):
    """One column per method, a mark per seed, a kind of mark per data set."""
    methods = list(frame["method"].unique())
    marks = {
        "agnews": (BLUE, "o"),
        "imdb": (ORANGE, "^"),
        "pubmed_subset": (GREEN, "s"),
    }
    for name, runs in frame.groupby("dataset"):
        color, marker = marks[name]
        places = [methods.index(method) for method in runs["method"]]
        axes.scatter(
            places, runs["value"], color=color, marker=marker, label=DATA[name]
        )
    axes.set_xticks(range(len(methods)), [NAMES.get(m, m) for m in methods])
    axes.margins(x=0.2)
    axes.legend(fontsize="small", frameon=False)
