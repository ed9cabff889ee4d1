"""Recompute every number of a report's page from its CSV files, without the package's code.

    python tests/experiments/recompute_page.py report/index.html

Values are computed from single trials by `recomputed_statistics`; intervals that use random draws are drawn anew, so
they agree to the precision of the draws.
"""

import csv
import html.parser
import itertools
import math
import re
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from recomputed_statistics import Condition, Joint, Side, kappa, mean, number, slope, student, wilson
from scipy import stats

BEEPS = [500, 900, 1100, 1300, 1500]


def read(folder, name):
    path = folder / "tables" / f"{name}.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Cells(html.parser.HTMLParser):
    """Parser of a page's tables into rows of text cells."""

    def __init__(self):
        super().__init__()
        self.tables, self.inside = [], False

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.inside = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.tables[-1][-1][-1] += data


class Check:
    """Collector of comparisons; a difference beyond its tolerance is a failure."""

    def __init__(self):
        self.count, self.wrong = 0, []

    def near(self, label, on_page, recomputed, tolerance=1e-4):
        self.count += 1
        same = math.isnan(on_page) and math.isnan(recomputed)
        if not same and not abs(on_page - recomputed) <= tolerance * max(1, abs(recomputed)):
            self.wrong.append(f"{label}: {on_page} on the page, {recomputed} computed again")

    def interval(self, label, row, ends, names=("low", "high"), tolerance=1e-4):
        for name, end in zip(names, ends, strict=True):
            self.near(f"{label}, {name}", number(row[name]), end, tolerance)


def comparison(check, folder):
    images, trials = read(folder, "images_networks"), read(folder, "trials_people")
    found = defaultdict(dict)
    for row in read(folder, "comparison"):
        found[row["network"], row["condition"]][row["measure"]] = row
    by_network = defaultdict(list)
    for row in images:
        by_network[row["network"], row["condition"]].append(row)
    for (network, condition), rows in found.items():
        regime = condition.split()[0]
        (pooled,) = [one for one in by_network if one[0] == network and one[1].split()[0] == regime]
        level = None if condition == pooled[1] else condition.split()[1]
        chosen = [row for row in by_network[pooled] if level is None or row["level"] == level]
        human_trials = [row for row in trials if row["condition"] == pooled[1]]
        numbers(check, f"{network}, {condition}", rows, Condition(chosen, human_trials), human_trials)
        curves(check, folder, network, condition, Condition(chosen, human_trials))


def numbers(check, label, rows, both, trials):
    raw, value, ends = both.rmse()
    check.near(f"{label}: RMSE, raw", number(rows["sat_rmse_raw"]["value"]), raw)
    check.near(f"{label}: RMSE", number(rows["sat_rmse"]["value"]), value)
    width = ends[1] - ends[0]
    check.interval(
        f"{label}: RMSE", rows["sat_rmse"], ends, tolerance=0.05 * max(width, 1) / max(1, ends[1]) + 0.02
    )
    if rows["sat_rmse_affine"]["value"]:
        _, value, _ = both.rmse("affine_score")
        check.near(f"{label}: RMSE, affine", number(rows["sat_rmse_affine"]["value"]), value, 1e-3)
    raw, value, ends = both.correlation()
    check.near(f"{label}: r, raw", number(rows["category_correlation_raw"]["value"]), raw)
    check.near(f"{label}: r", number(rows["category_correlation"]["value"]), value)
    if not math.isnan(value):
        check.interval(f"{label}: r", rows["category_correlation"], ends, tolerance=0.04)
    steepness(check, label, rows, both)
    agreement(check, label, rows, both, trials)


def steepness(check, label, rows, both):
    steps = [name for name in next(iter(both.images.values())) if name.startswith("correct_step")]
    if len(steps) < 2:
        return
    weights = slope(range(len(steps)))
    scores = {
        key: 100 * sum(w * int(row[s]) for w, s in zip(weights, steps, strict=True))
        for key, row in both.images.items()
    }
    parts = Side({"network": scores}, both.keys, both.strata).parts([both.keys], network=True)
    blocks = list(both.groups("response_time_block").values())
    parts += Side(both.humans, both.keys, both.strata).parts(blocks, network=False)
    joint = Joint(parts, both.keys, both.observers, both.freedom)
    human_weights = np.concatenate([[0], slope(BEEPS)])
    for name, weight in {
        "steepness_network": np.eye(6)[0],
        "steepness_people": human_weights,
        "steepness_difference": np.eye(6)[0] - human_weights,
    }.items():
        one = joint.combined(weight[:, None])
        check.near(f"{label}: {name}", number(rows[name]["value"]), one.values[0])
        check.interval(
            f"{label}: {name}", rows[name], student(one.values[0], one.covariance[0, 0], one.freedom[0])
        )


def agreement(check, label, rows, both, trials):
    answers = defaultdict(dict)
    for row in trials:
        key = row["response_time_block"], row["file_name"]
        if row["correct"] and key in both.images:
            answers[row["observer"]][key] = number(row["correct"])
    cells = list(both.groups("level", "response_time_block").values())
    if all(number(row["score"]) in (0, 1) for row in both.images.values()):
        each = []
        for observer in answers.values():
            by_cell = []
            for cell in cells:
                pairs = [
                    (number(both.images[key]["score"]), observer[key]) for key in cell if key in observer
                ]
                by_cell.append(kappa(pairs) if pairs else math.nan)
            each.append(mean(by_cell))
        check.near(f"{label}: kappa", number(rows["error_consistency"]["value"]), mean(each))
    pairs_of = []
    for one, other in itertools.combinations(answers.values(), 2):
        by_cell = []
        for cell in cells:
            pairs = [(one[key], other[key]) for key in cell if key in one and key in other]
            by_cell.append(kappa(pairs) if pairs else math.nan)
        pairs_of.append(mean(by_cell))
    check.near(f"{label}: ceiling", number(rows["error_consistency_people"]["value"]), mean(pairs_of))


def curves(check, folder, network, condition, both):
    blocks = both.groups("response_time_block")
    joint = both.joint(list(blocks.values()))
    n = len(blocks)
    gap = joint.combined(np.concatenate([np.eye(n), -np.eye(n)]))
    for row in read(folder, "curves"):
        if (row["network"], row["condition"]) != (network, condition):
            continue
        place = list(blocks).index((row["response_time_block"],))
        label = f"{network}, {condition}, block {row['response_time_block']}"
        sides = (
            ("network", place, len(blocks[(row["response_time_block"],)])),
            ("people", n + place, len(both.observers)),
        )
        for name, at, units in sides:
            value, variance, freedom = joint.values[at], joint.covariance[at, at], joint.freedom[at]
            check.near(f"{label}: {name}", number(row[f"{name}_percent"]), value)
            ends = (f"{name}_low", f"{name}_high")
            check.interval(
                f"{label}: {name}", row, wilson(value, max(variance, 0), freedom, units), ends, 0.02
            )
        check.near(f"{label}: difference", number(row["difference_points"]), gap.values[place])
    categories = both.groups("category")
    joint = both.joint(list(categories.values()))
    for row in read(folder, "categories"):
        if (row["network"], row["condition"]) == (network, condition):
            place = list(categories).index((row["category"],))
            check.near(f"{condition}, {row['category']}", number(row["network_percent"]), joint.values[place])
            check.near(
                f"{condition}, {row['category']}",
                number(row["people_percent"]),
                joint.values[place + len(categories)],
            )


def misses(check, folder):
    shown, missed = defaultdict(lambda: defaultdict(int)), defaultdict(lambda: defaultdict(int))
    for row in read(folder, "trials_people"):
        names = {row["condition"]}
        if row["condition"].endswith("(all levels)"):
            names.add(f"{row['condition'].split()[0]} {row['level']}")
        for name in names:
            shown[name, row["response_time_block"]][row["observer"]] += 1
            missed[name, row["response_time_block"]][row["observer"]] += row["missed"] == "True"
    for row in read(folder, "misses"):
        key = row["condition"], row["response_time_block"]
        shares = [100 * missed[key][who] / count for who, count in shown[key].items()]
        check.near(f"misses, {key}", number(row["missed_percent"]), mean(shares))


def seeds(check, folder):
    """Check mean, SD and Student's interval of each measure over the seeds of a group."""
    single = {
        (row["network"], row["condition"], row["measure"]): number(row["value"])
        for row in read(folder, "comparison")
    }
    last = {}
    for row in read(folder, "accuracy"):  # by time step
        last[row["network"], row["test_set"], row["level"]] = number(row["accuracy_percent"])
    for row in read(folder, "seeds"):
        names = row["networks"].split("; ")
        level = row["condition"].partition(" ")[2].replace("(all levels)", "all") or "all"
        values = np.array(
            [last[name, row["test_set"], level] for name in names]
            if row["measure"] == "accuracy_last_step"
            else [single[name, row["condition"], row["measure"]] for name in names]
        )
        label = f"seeds of {row['network']}, {row['condition']}: {row['measure']}"
        check.near(f"{label}, mean", number(row["mean"]), values.mean())
        check.near(f"{label}, SD", number(row["sd"]), values.std(ddof=1))
        error = values.std(ddof=1) / math.sqrt(len(values))
        half = stats.t.ppf(0.975, len(values) - 1) * error
        # With two seeds, an interval is 13 times as wide as the error of its six-digit values.
        ends = values.mean() - half, values.mean() + half
        check.interval(label, row, ends, tolerance=1e-3)


def page(check, path):
    """Check that every number in a table of the page is the rounding of one in the CSV files."""
    known = set()
    for file in sorted((path.parent / "tables").glob("*.csv")):
        if file.stem in ("images_networks", "trials_people"):
            continue
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.reader(lines):
                for cell in row:
                    try:
                        value = float(cell)
                    except ValueError:
                        continue
                    # The files have six digits, so a value at the edge of rounding may go either way.
                    near = {value * (1 - 5e-6), value, value * (1 + 5e-6)}
                    known |= {
                        f"{round(one, digits) + 0.0:.{digits}f}" for one in near for digits in (0, 1, 2)
                    }
    reader = Cells()
    reader.feed(path.read_text(encoding="utf-8"))
    for table in reader.tables:
        for row in table[1:]:
            for cell in row[1:]:
                for text in re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?![\w.])", cell):
                    check.count += 1
                    if text.replace(",", "") not in known:
                        check.wrong.append(f"{text} in row {row[:2]} of the page is in no CSV file")


def recompute(path):
    """Recompute every number of the page; return the checks with the numbers that differ."""
    check = Check()
    comparison(check, path.parent)
    misses(check, path.parent)
    seeds(check, path.parent)
    page(check, path)
    return check


if __name__ == "__main__":
    result = recompute(Path(sys.argv[1]))
    print("\n".join(result.wrong) or "all agree")
    print(f"{result.count} numbers computed again, {len(result.wrong)} differ")
    sys.exit(bool(result.wrong))
