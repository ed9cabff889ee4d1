"""Results that a report presents, and the tables written with it."""

from dataclasses import dataclass, field
from functools import cached_property

from convrnn_experiments.comparison.accuracy_rows import AccuracyComparison, compare_accuracies
from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.contenders import (
    Contender,
    contender_differences,
    contenders,
    with_seeds,
)
from convrnn_experiments.comparison.curves import ConditionCurves, curves_by_condition
from convrnn_experiments.comparison.differences import Difference
from convrnn_experiments.comparison.exits import Exits
from convrnn_experiments.comparison.network_times import NetworkTimes, network_times
from convrnn_experiments.comparison.observer_group import ObserverGroup
from convrnn_experiments.comparison.over_time import TimeCourse, time_courses
from convrnn_experiments.comparison.seed_groups import SeedRow, seed_rows
from convrnn_experiments.evaluation.results import Evaluation
from convrnn_experiments.evaluation.threshold_sweep import ThresholdSweep, sweep_thresholds
from convrnn_experiments.report import (
    comparison_tables,
    network_tables,
    observer_tables,
    over_time_plots,
    ranking_tables,
    seed_tables,
)
from convrnn_experiments.report.answer import Ranking, rank
from convrnn_experiments.report.formats import Table
from convrnn_experiments.report.unranked import Unranked, unranked
from convrnn_experiments.rows.accuracies import AccuracyRow


@dataclass(frozen=True)
class Findings:
    """Results of a report.

    Attributes:
        evaluations: Evaluations of networks.
        group: Human answers; None for a report on networks only.
        rows: Comparisons of networks and humans.
        differences: Paired differences between networks.
        match: Method of matching exits to response times.
        accuracies: Networks of which only accuracies are known.
    """

    evaluations: list[Evaluation]
    group: ObserverGroup | None
    rows: list[Comparison]
    differences: list[Difference]
    match: Exits
    accuracies: list[AccuracyRow] = field(default_factory=list)

    @cached_property
    def pooled(self) -> list[Comparison]:
        """Comparisons over all levels."""
        return [row for row in self.rows if row.pooled]

    @cached_property
    def networks(self) -> list[str]:
        """Names of all networks, each once."""
        names = [evaluation.network for evaluation in self.evaluations]
        return list(dict.fromkeys([*names, *(row.network for row in self.accuracies)]))

    @cached_property
    def others(self) -> list[AccuracyComparison]:
        """Comparisons of networks of which only accuracies are known."""
        return [] if self.group is None else compare_accuracies(self.accuracies, self.group)

    @property
    def noun(self) -> str:
        """Name of the observers."""
        return self.group.noun if self.group else "humans"

    @cached_property
    def pairs(self) -> list[tuple[Evaluation, Comparison | None]]:
        """Evaluations, each with its comparison over all levels."""
        return [
            (evaluation, next((row for row in self.pooled if row.evaluation is evaluation), None))
            for evaluation in self.evaluations
        ]

    @cached_property
    def timed(self) -> list[tuple[Evaluation, Comparison | None, NetworkTimes]]:
        """Evaluations whose answers have an entropy, with their comparisons and the network's response times."""
        return [
            (evaluation, row, times)
            for evaluation, row in self.pairs
            if (times := network_times(evaluation, row)) is not None
        ]

    @cached_property
    def sweeps(self) -> list[tuple[Evaluation, ThresholdSweep]]:
        """Evaluations whose answers have an entropy at several time steps, with accuracy over thresholds."""
        return [
            (evaluation, sweep)
            for evaluation in self.evaluations
            if (sweep := sweep_thresholds(evaluation.answers)) is not None
        ]

    @cached_property
    def curves(self) -> list[ConditionCurves]:
        """Speed-accuracy curves by condition."""
        return curves_by_condition(self.evaluations, self.rows, self.accuracies)

    @cached_property
    def courses(self) -> list[TimeCourse]:
        """Balanced accuracy, sensitivity and calibration over time, by condition."""
        return time_courses(self.curves)

    @cached_property
    def contenders(self) -> list[Contender]:
        """Networks to rank, by condition; those that differ only in the training seed are one."""
        return contenders(self.rows)

    @cached_property
    def contender_differences(self) -> list[Difference]:
        """Differences between every two contenders of a condition."""
        return contender_differences(self.contenders, self.differences)

    @property
    def seed_differences(self) -> list[Difference]:
        """Differences between contenders of which at least one is several seeds."""
        return with_seeds(self.contenders, self.contender_differences)

    @cached_property
    def rankings(self) -> list[Ranking]:
        """Rankings of the contenders by condition."""
        return rank(self.contenders, self.contender_differences)

    @cached_property
    def unranked(self) -> list[Unranked]:
        """Networks without a rank over all levels of a regime."""
        pooled = [one for one in self.contenders if one.row.pooled]
        return unranked(pooled, [other for other in self.others if other.pooled])

    @cached_property
    def seeds(self) -> list[SeedRow]:
        """Spread of the measures over networks that differ only in the training seed."""
        return seed_rows(self.evaluations, self.rows)

    def tables(self) -> dict[str, Table]:
        """Return the tables by name; empty ones are not written."""
        tables = {
            "accuracy": network_tables.accuracies(self.evaluations),
            "confusion_networks": network_tables.confusions(self.pairs),
            "response_times_networks": [
                row
                for evaluation, _, times in self.timed
                for row in network_tables.response_times(evaluation, times)
            ],
            "threshold_sweeps": network_tables.threshold_sweeps(self.sweeps),
            "over_time": over_time_plots.over_time_table(self.courses, self.noun),
            "runs": network_tables.provenance(self.evaluations),
            "seeds": seed_tables.seeds(self.seeds),
        }
        return tables | ({} if self.group is None else self._comparison_tables(self.group))

    def _comparison_tables(self, group: ObserverGroup) -> dict[str, Table]:
        rows, pooled = self.rows, self.pooled
        return {
            "comparison": comparison_tables.comparison(rows, group, self.match, self.others),
            "ranking": ranking_tables.ranking(self.rankings, unranked(self.contenders, self.others)),
            "differences": comparison_tables.differences(self.differences),
            "seed_differences": comparison_tables.differences(self.seed_differences),
            "compared": comparison_tables.compared(rows),
            "misses": observer_tables.misses(rows, group),
            "curves": comparison_tables.curves(rows, group),
            "curves_networks": comparison_tables.network_curves(rows),
            "images_networks": comparison_tables.network_images(rows),
            "trials_people": observer_tables.compared_trials(rows, group),
            "categories": comparison_tables.categories(rows, group),
            "confusion_people": observer_tables.confusions(pooled, group),
            "consistency": comparison_tables.consistency(pooled),
            "response_times_people": observer_tables.response_times(pooled, group),
            "observers": observer_tables.observers(group, self.evaluations),
            "trials": observer_tables.trials(group, self.evaluations),
            "observer_problems": observer_tables.problems(group),
            "digitised": observer_tables.digitised(),
        }
