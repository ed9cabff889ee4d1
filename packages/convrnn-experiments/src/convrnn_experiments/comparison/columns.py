"""The measures of a comparison: columns of its table, in one place for tables, page and notes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A column of the table: its name, its unit, its digits, and what it is."""

    key: str
    label: str
    unit: str
    digits: int
    meaning: str
    interval: bool = True


MEASURES = (
    Measure(
        "sat_rmse",
        "SAT-curve RMSE",
        "percentage points",
        1,
        "distance of the two curves, corrected for sampling noise; 0 is the same curve. Where its interval begins at "
        "0, the upper end is a one-sided bound",
    ),
    Measure(
        "sat_rmse_raw",
        "RMSE, raw",
        "percentage points",
        1,
        "the same without the correction: sampling noise makes it too large, so it has no interval",
        interval=False,
    ),
    Measure(
        "sat_rmse_floor",
        "RMSE, noise floor",
        "percentage points",
        1,
        "raw RMSE of two random halves of the people on the same images, over 100 splits",
        interval=False,
    ),
    Measure(
        "sat_rmse_affine",
        "RMSE, affine time",
        "percentage points",
        1,
        "corrected RMSE where time steps are mapped to people's mean response times by a speed and a delay, fitted on "
        "one half of the images and scored on the other",
    ),
    Measure(
        "category_correlation",
        "category correlation",
        "Pearson's r",
        2,
        "whether the same categories are easy for both, corrected for sampling noise",
    ),
    Measure(
        "category_correlation_raw",
        "r, raw",
        "Pearson's r",
        2,
        "the same without the correction: sampling noise makes it too small, so it has no interval",
        interval=False,
    ),
    Measure(
        "category_correlation_ceiling",
        "r, ceiling",
        "Pearson's r",
        2,
        "raw r of two random halves of the people on the same images, stepped up to all of them by Spearman and "
        "Brown's formula, over 100 splits",
        interval=False,
    ),
    Measure(
        "steepness_network",
        "steepness, network",
        "points over all steps",
        1,
        "slope of accuracy over the network's time steps, time taken from 0 to 1",
    ),
    Measure(
        "steepness_people",
        "steepness, people",
        "points from first to last beep",
        1,
        "slope of accuracy over the beeps, time taken from 0 to 1",
    ),
    Measure(
        "steepness_difference",
        "steepness, difference",
        "points",
        1,
        "the network's less people's",
    ),
    Measure(
        "error_consistency",
        "error consistency",
        "Cohen's kappa",
        2,
        "whether network and person err on the same images; by level and response-time block, then the mean over these "
        "and over observers",
    ),
    Measure(
        "error_consistency_people",
        "ceiling among people",
        "Cohen's kappa",
        2,
        "the same among people, mean over pairs",
    ),
    Measure(
        "response_time_correlation",
        "response times",
        "Spearman's rho",
        2,
        "network's (entropy threshold, fitted on one half of the images, tested on the other; images that never reach "
        "it count as slowest) with people's, by image. Within a block the beep drives people's times, so they are "
        "standardised within observer and block",
    ),
    Measure(
        "response_time_correlation_correct",
        "response times, correct",
        "Spearman's rho",
        2,
        "the same with people's times of correct answers alone",
    ),
)
