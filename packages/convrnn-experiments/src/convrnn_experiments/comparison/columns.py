"""Names, units and meanings of the measures of a comparison."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """Measure of a comparison.

    Attributes:
        key: Name in CSV files.
        label: Column heading of the page.
        unit: Unit of the value.
        digits: Decimal places on the page.
        meaning: Explanation for the notes.
        interval: Whether the measure has a confidence interval.
    """

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
        "distance between the two curves, corrected for sampling noise; 0 means equal curves. If the interval begins "
        "at 0, the upper end is a one-sided bound",
    ),
    Measure(
        "sat_rmse_raw",
        "RMSE, raw",
        "percentage points",
        1,
        "RMSE without the correction: sampling noise makes it too large, so it has no interval",
        interval=False,
    ),
    Measure(
        "sat_rmse_floor",
        "RMSE, noise floor",
        "percentage points",
        1,
        "raw RMSE between two random halves of the observers on the same images, over 100 splits",
        interval=False,
    ),
    Measure(
        "sat_rmse_affine",
        "RMSE, affine time",
        "percentage points",
        1,
        "corrected RMSE with time steps mapped to mean human response times by a speed and a delay, fitted to one half "
        "of the images and scored on the other",
    ),
    Measure(
        "category_correlation",
        "category correlation",
        "Pearson's r",
        2,
        "high if the same categories are easy for network and humans; corrected for sampling noise",
    ),
    Measure(
        "category_correlation_raw",
        "r, raw",
        "Pearson's r",
        2,
        "correlation without the correction: sampling noise makes it too small, so it has no interval",
        interval=False,
    ),
    Measure(
        "category_correlation_ceiling",
        "r, ceiling",
        "Pearson's r",
        2,
        "raw r between two random halves of the observers on the same images, stepped up to all observers by the "
        "Spearman-Brown formula, over 100 splits",
        interval=False,
    ),
    Measure(
        "steepness_network",
        "steepness, network",
        "points over all steps",
        1,
        "slope of accuracy over the time steps of the network, with time scaled to 0 to 1",
    ),
    Measure(
        "steepness_people",
        "steepness, humans",
        "points from first to last beep",
        1,
        "slope of accuracy over the beeps, with time scaled to 0 to 1",
    ),
    Measure(
        "steepness_difference",
        "steepness, difference",
        "points",
        1,
        "steepness of the network minus steepness of the humans",
    ),
    Measure(
        "error_consistency",
        "error consistency",
        "Cohen's kappa",
        2,
        "high if network and human err on the same images; computed by level and response-time block, then averaged "
        "over these and over observers",
    ),
    Measure(
        "error_consistency_people",
        "ceiling among humans",
        "Cohen's kappa",
        2,
        "error consistency among humans, averaged over pairs",
    ),
    Measure(
        "response_time_correlation",
        "response times",
        "Spearman's rho",
        2,
        "correlation over images of network and human response times. The entropy threshold of the network is fitted "
        "to one half of the images and tested on the other; images that never reach it count as slowest. The beep "
        "drives human times within a block, so they are standardised within observer and block",
    ),
    Measure(
        "response_time_correlation_correct",
        "response times, correct",
        "Spearman's rho",
        2,
        "response times, with human times of correct answers only",
    ),
    Measure(
        "response_time_area",
        "response times, area",
        "Spearman's rho",
        2,
        "response times of the network by the area under its uncertainty curve, the entropy averaged over all time "
        "steps, without a threshold",
    ),
    Measure(
        "response_time_margin",
        "response times, margin",
        "Spearman's rho",
        2,
        "response times of the network by a threshold on its margin, the probability of the likeliest category minus "
        "that of the second",
    ),
    Measure(
        "response_time_accumulator",
        "response times, accumulator",
        "Spearman's rho",
        2,
        "response times of the network by a bound on accumulated evidence, the confidence of its answers summed by "
        "category over the time steps; the bound is fitted like the threshold",
    ),
    Measure(
        "sat_asymptote_network",
        "asymptote, network",
        "percent",
        1,
        "accuracy after unlimited time, of the SAT function fitted over the time steps of the network",
    ),
    Measure(
        "sat_asymptote_people",
        "asymptote, humans",
        "percent",
        1,
        "accuracy after unlimited time, of the SAT function fitted over mean response times",
    ),
    Measure(
        "sat_rate_network",
        "rate, network",
        "per time step",
        2,
        "speed of the approach to the asymptote, whose distance falls by the factor exp(-rate) per unit of time",
    ),
    Measure(
        "sat_rate_network_cost",
        "rate over cost, network",
        "per billion multiply-adds",
        2,
        "rate of the SAT function fitted over multiply-adds",
    ),
    Measure(
        "sat_rate_people",
        "rate, humans",
        "per second",
        2,
        "rate of the SAT function fitted over mean response times",
    ),
    Measure(
        "sat_intercept_network",
        "intercept, network",
        "time steps",
        2,
        "time at which accuracy begins to rise above chance; below 1, it would have begun before the first step",
    ),
    Measure(
        "sat_intercept_network_cost",
        "intercept over cost, network",
        "billion multiply-adds",
        2,
        "intercept of the SAT function fitted over multiply-adds",
    ),
    Measure(
        "sat_intercept_people",
        "intercept, humans",
        "ms",
        0,
        "response time at which accuracy begins to rise above chance",
    ),
    Measure(
        "accuracy_range_network",
        "accuracy range, network",
        "points",
        1,
        "highest minus lowest accuracy over the time steps",
    ),
    Measure(
        "accuracy_range_people",
        "accuracy range, humans",
        "points",
        1,
        "highest minus lowest accuracy over the beeps",
    ),
)
