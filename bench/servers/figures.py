"""Figures: samples under labels, shown as a table with medians or as JSON lines."""

import json
import os
import statistics


def spread_of(values):
    """Median, smallest and largest, as spread_of() of bench/measure.h; not of nothing."""
    middle = statistics.median(values)
    return {name: round(value, 4)
            for name, value in (("median", middle), ("min", min(values)), ("max", max(values)))}


def per(count, total):
    """`count` for each of `total`; 0 of nothing."""
    return count / total if total else 0.0


def text_of(number):
    """Three significant digits, and whole numbers as they are."""
    if number == int(number) and abs(number) < 1e6:
        return str(int(number))
    size = abs(number)
    return f"{number:.0f}" if size >= 100 else f"{number:.{1 if size >= 10 else 2}f}" \
        if size >= 1 else f"{number:.3f}"


def cell_of(spread):
    if spread is None:
        return "-"
    middle = text_of(spread["median"])
    if spread["min"] == spread["max"]:
        return middle
    return f"{middle} ({text_of(spread['min'])}..{text_of(spread['max'])})"


class Figures:
    """`environment` is added to each JSON line: commit, compiler, machine."""

    def __init__(self, figure, environment):
        self.figure = figure
        self.environment = environment
        self.rows = {}   # labels -> {"values": {metric: [sample]}, "load": largest}

    def add(self, labels, values):
        """Another sample of the figure with these labels; a value may be a list of samples."""
        row = self.rows.setdefault(tuple(labels.items()), {"values": {}, "load": 0.0})
        row["load"] = max(row["load"], os.getloadavg()[0])
        for metric, value in values.items():
            row["values"].setdefault(metric, []).extend(
                value if isinstance(value, list) else [value])

    def spreads(self):
        """[(labels, {metric: spread}, load)] in the order in which they came."""
        return [(dict(labels),
                 {metric: spread_of(values) for metric, values in row["values"].items() if values},
                 row["load"]) for labels, row in self.rows.items()]

    def json_lines(self):
        lines = []
        for (labels, spreads, load), row in zip(self.spreads(), self.rows.values()):
            runs = max(len(values) for values in row["values"].values())
            lines.append(json.dumps({"figure": self.figure, **labels, "samples": runs, **spreads,
                                     "load": round(load, 2), **self.environment}) + "\n")
        return "".join(lines)

    def table(self):
        """Labels and metrics that are the same or missing in all rows are still shown."""
        rows = self.spreads()
        label_names = list(dict.fromkeys(name for labels, _, _ in rows for name in labels))
        metrics = list(dict.fromkeys(name for _, spreads, _ in rows for name in spreads))
        lines = [[*label_names, *metrics, "load"]]
        for labels, spreads, load in rows:
            lines.append([str(labels.get(name, "-")) for name in label_names]
                         + [cell_of(spreads.get(name)) for name in metrics] + [f"{load:.1f}"])
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        left = len(label_names)
        return "".join("  ".join(
            text.ljust(width) if i < left else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths))).rstrip() + "\n"
            for line in lines)
