"""Recompute every number of a report's page from its CSV files, without the package's code.

    python tests/experiments/recompute_page.py report/index.html

Values are computed from single trials by loops and textbook formulas; intervals that use random draws are drawn
anew, so they agree to the precision of the draws.
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
from scipy import stats

BEEPS = [500, 900, 1100, 1300, 1500]


def read(folder, name):
    path = folder / "tables" / f"{name}.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(text):
    return float(text) if text else math.nan


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


class Side:
    """Accuracy of a network or of humans in groups of images, with its error by images and observers."""

    def __init__(self, scores, images, strata):
        # scores: observer -> image -> percent; a network is a single observer that was not drawn.
        self.scores, self.images, self.strata = scores, images, strata

    def parts(self, groups, network):
        """Return the mean, contributions of images and observers, and residual variance of each group of images."""
        found = []
        residual = {} if network else residuals(self.scores, self.images, self.strata)
        for group in groups:
            members = set(group)
            own = {}
            for who, answers in self.scores.items():
                shown = [answers[image] for image in group if image in answers]
                if shown:
                    own[who] = (sum(shown) / len(shown), len(shown))
            count = len(own)
            mean = sum(value for value, _ in own.values()) / count
            image = dict.fromkeys(self.images, 0.0)
            rest = dict.fromkeys(self.images, 0.0)
            for who, (value, trials) in own.items():
                for one in members & self.scores[who].keys():
                    image[one] += (self.scores[who][one] - value) / (count * trials)
                    rest[one] += (residual.get((who, one), 0.0) / (count * trials)) ** 2
            observer = {
                who: (own[who][0] - mean) / count * math.sqrt(count / max(count - 1, 1))
                if who in own and not network
                else 0.0
                for who in self.scores
            }
            widen = 0 if network else count / max(count - 1, 1)
            found.append((mean, centred(image, self.strata), observer, {
                one: math.sqrt(rest[one] * widen * factor(self.strata, one)) for one in self.images
            }))  # fmt: skip
        return found


def sizes(strata):
    found = defaultdict(int)
    for code in strata.values():
        found[code] += 1
    return found


_SIZES = {}


def factor(strata, image):
    if id(strata) not in _SIZES:
        # The reference to the strata keeps their id from being reused.
        _SIZES[id(strata)] = strata, sizes(strata)
    size = _SIZES[id(strata)][1][strata[image]]
    return size / (size - 1) if size > 1 else 1.0


def centred(values, strata):
    total = defaultdict(float)
    for image, value in values.items():
        total[strata[image]] += value
    count = sizes(strata)
    return {
        image: (value - (total[strata[image]] / count[strata[image]] if count[strata[image]] > 1 else 0))
        * math.sqrt(factor(strata, image))
        for image, value in values.items()
    }


def residuals(scores, images, strata):
    left = {(who, image): value for who, answers in scores.items() for image, value in answers.items()}
    for _ in range(2):
        for key in (lambda who, image: (who, strata[image]), lambda who, image: image):
            total, count = defaultdict(float), defaultdict(int)
            for (who, image), value in left.items():
                total[key(who, image)] += value
                count[key(who, image)] += 1
            left = {
                (who, image): value - total[key(who, image)] / count[key(who, image)]
                for (who, image), value in left.items()
            }
    return left


class Joint:
    """Vector of estimates with their covariance and degrees of freedom."""

    def __init__(self, parts, images, observers, image_freedom):
        self.values = np.array([mean for mean, *_ in parts])
        self.image = np.array([[part[1][one] for one in images] for part in parts]).T
        self.observer = np.array([[part[2].get(who, 0.0) for who in observers] for part in parts]).T
        self.rest = np.array([[part[3][one] for one in images] for part in parts]).T
        self.image_freedom = image_freedom

    def combined(self, weights):
        weights = np.array(weights, dtype=float)
        other = object.__new__(Joint)
        other.values = self.values @ weights
        other.image, other.observer, other.rest = (
            part @ weights for part in (self.image, self.observer, self.rest)
        )
        other.image_freedom = self.image_freedom
        return other

    @property
    def covariance(self):
        image, observer = self.image.T @ self.image, self.observer.T @ self.observer
        total = image + observer - self.rest.T @ self.rest
        diagonal = np.maximum(np.diag(total), np.maximum(np.diag(image), np.diag(observer)))
        np.fill_diagonal(total, diagonal)
        values, vectors = np.linalg.eigh(total)
        if values.min() >= 0:
            return total
        repaired = vectors @ np.diag(np.maximum(values, 0)) @ vectors.T
        scale = np.sqrt(np.where(np.diag(repaired) > 0, diagonal / np.maximum(np.diag(repaired), 1e-300), 0))
        return repaired * scale[:, None] * scale[None, :]

    @property
    def freedom(self):
        image, observer = (self.image**2).sum(0), (self.observer**2).sum(0)
        spread = image**2 / max(self.image_freedom, 1) + observer**2 / max(len(self.observer) - 1, 1)
        variance = np.diag(self.covariance)
        return np.array(
            [max(v**2 / s, 1) if s > 0 else math.inf for v, s in zip(variance, spread, strict=True)]
        )


def wilson(percent, variance, freedom, units):
    p = percent / 100
    trials = p * (1 - p) / (variance / 1e4) if variance > 0 and 0 < p < 1 else units
    t = stats.t.ppf(0.975, freedom)
    middle, half = p + t**2 / (2 * trials), t * math.sqrt(p * (1 - p) / trials + t**2 / (4 * trials**2))
    scale = 1 + t**2 / trials
    return 100 * max((middle - half) / scale, 0), 100 * min((middle + half) / scale, 1)


def student(value, variance, freedom):
    half = stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    return value - half, value + half


def stratify(images):
    """Return strata by level, block and category; single images join each other, or the largest of their block."""
    strata = {image: (level, block, category) for image, (level, block, category) in images.items()}
    codes = {}
    for coarse in sorted({(level, block) for level, block, _ in strata.values()}):
        images_of_block = [image for image in images if strata[image][:2] == coarse]
        count = defaultdict(int)
        for image in images_of_block:
            count[strata[image]] += 1
        alone = [image for image in images_of_block if count[strata[image]] == 1]
        others = [image for image in images_of_block if count[strata[image]] > 1]
        for image in images_of_block:
            codes[image] = strata[image]
        if len(alone) > 1 or not others:
            for image in alone:
                codes[image] = (*coarse, "alone")
        elif alone:
            # Of equally large strata, the first in the order of categories.
            largest = max(sorted({strata[image] for image in others}), key=lambda one: count[one])
            codes[alone[0]] = largest
    return codes


def draws(covariance, freedom, count=20_000):
    rng = np.random.default_rng(1)
    values, vectors = np.linalg.eigh(covariance)
    normal = rng.standard_normal((count, len(values))) * np.sqrt(np.maximum(values, 0))
    spread = rng.chisquare(freedom, count) / freedom if math.isfinite(freedom) else np.ones(count)
    return normal @ vectors.T / np.sqrt(spread)[:, None]


def crossing(share, low, high):
    grid = np.linspace(low, high, 801)
    shares = np.array([share(value) for value in grid])
    ends = []
    for wanted in (0.975, 0.025):
        above = np.flatnonzero(shares > wanted)
        ends.append(grid[above[-1]] if len(above) else low)
    return ends


def rmse_interval(gaps, joint, value):
    size = math.sqrt(np.mean(gaps**2))
    unit = gaps / size
    along = joint.combined((gaps / np.linalg.norm(gaps))[:, None])
    noise = draws(joint.covariance, along.freedom[0])
    low, high = crossing(
        lambda true: np.mean(np.sqrt(np.mean((true * unit + noise) ** 2, axis=1)) <= size), 0, 3 * size + 5
    )
    return min(low, value), max(high, value)


def r_interval(profiles, joint, value, moments):
    k = profiles.shape[1]
    centring = np.kron(np.eye(2), np.eye(k) - 1 / k)
    freedom = float(np.median(joint.combined(centring).freedom))
    noise = draws(joint.covariance, freedom).reshape(-1, 2, k)
    noise = noise - noise.mean(axis=2, keepdims=True)
    a, h = profiles - profiles.mean(axis=1, keepdims=True)
    first = a / math.sqrt(np.mean(a**2))
    other = h - first * (first @ h) / k
    other = other / math.sqrt(np.mean(other**2))
    size_a, size_h = (math.sqrt(moment * (k - 1) / k) for moment in moments[:2])
    raw = np.corrcoef(a, h)[0, 1]

    def share(true):
        x = size_a * first + noise[:, 0]
        y = size_h * (true * first + math.sqrt(1 - true**2) * other) + noise[:, 1]
        return np.mean((x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1)) <= raw)

    low, high = crossing(share, -1, 1)
    return min(low, value), max(high, value)


def slope(times):
    x = (np.array(times, dtype=float) - np.mean(times)) / (max(times) - min(times))
    return x / (x @ x)


class Condition:
    """Trials of one network and humans in one condition."""

    def __init__(self, images, trials):
        self.images = {(row["response_time_block"], row["file_name"]): row for row in images}
        self.keys = list(self.images)
        self.humans = defaultdict(dict)
        for row in trials:
            key = row["response_time_block"], row["file_name"]
            if key in self.images and row["score"]:
                self.humans[row["observer"]][key] = 100 * number(row["score"])
        self.strata = stratify(
            {
                key: (row["level"], row["response_time_block"], row["category"])
                for key, row in self.images.items()
            }
        )
        self.freedom = len(self.keys) - len(set(self.strata.values()))
        self.observers = list(self.humans)

    def side(self, column):
        scores = {"network": {key: 100 * number(row[column]) for key, row in self.images.items()}}
        return Side(scores, self.keys, self.strata)

    def groups(self, *names):
        found = defaultdict(list)
        for key, row in self.images.items():
            found[tuple(row[name] for name in names)].append(key)
        return dict(sorted(found.items()))

    def joint(self, groups, column="score"):
        """Return the network's means, then those of humans."""
        parts = self.side(column).parts(groups, network=True)
        parts += Side(self.humans, self.keys, self.strata).parts(groups, network=False)
        return Joint(parts, self.keys, self.observers, self.freedom)

    def rmse(self, column="score"):
        groups = list(self.groups("level", "response_time_block").values())
        joint = self.joint(groups, column)
        n = len(groups)
        gap = joint.combined(np.concatenate([np.eye(n), -np.eye(n)]))
        square = np.mean(gap.values**2) - np.trace(gap.covariance) / n
        value = math.sqrt(max(square, 0))
        return math.sqrt(np.mean(gap.values**2)), value, rmse_interval(gap.values, gap, value)

    def correlation(self):
        groups = list(self.groups("category").values())
        joint, k = self.joint(groups), len(groups)
        profiles = joint.values.reshape(2, k)
        centring = np.eye(k) - 1 / k
        c = joint.covariance
        noise = [np.trace(centring @ c[i : i + k, j : j + k]) for i, j in ((0, 0), (k, k), (0, k))]
        a, h = profiles @ centring
        moments = [(m - e) / (k - 1) for m, e in zip((a @ a, h @ h, a @ h), noise, strict=True)]
        raw = a @ h / math.sqrt((a @ a) * (h @ h))
        if moments[0] <= 0 or moments[1] <= 0:
            return raw, math.nan, (math.nan, math.nan)
        value = min(max(moments[2] / math.sqrt(moments[0] * moments[1]), -1), 1)
        return raw, value, r_interval(profiles, joint, value, moments)


def kappa(pairs):
    n = len(pairs)
    p, q = sum(a for a, _ in pairs) / n, sum(b for _, b in pairs) / n
    expected = p * q + (1 - p) * (1 - q)
    observed = sum(a == b for a, b in pairs) / n
    return (observed - expected) / (1 - expected) if expected < 1 else math.nan


def mean(values):
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


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
    page(check, path)
    return check


if __name__ == "__main__":
    result = recompute(Path(sys.argv[1]))
    print("\n".join(result.wrong) or "all agree")
    print(f"{result.count} numbers computed again, {len(result.wrong)} differ")
    sys.exit(bool(result.wrong))
