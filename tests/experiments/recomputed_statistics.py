"""Statistics of a report's page by loops and textbook formulas, without the package's code, for `recompute_page`."""

import math
from collections import defaultdict

import numpy as np
from scipy import stats


def number(text):
    return float(text) if text else math.nan


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
