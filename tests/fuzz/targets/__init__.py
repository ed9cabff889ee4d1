"""Parsers under test, by name."""

from fuzz.harness import Target
from fuzz.targets import archives, images, labels, observers, prepared_sets, reports, runs, weights

TARGETS: dict[str, Target] = {
    name: target
    for subject in (archives, images, prepared_sets, labels, observers, runs, reports, weights)
    for name, target in subject.TARGETS.items()
}
