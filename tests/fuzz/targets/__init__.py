"""Every parser of the packages: what it is given, how that is broken, and what has to hold where it is accepted."""

from fuzz.runner import Target
from fuzz.targets import answers, archives, lists, networks, reports, run_folders, sets, stimuli

TARGETS: dict[str, Target] = {
    target.name: target
    for subject in (archives, stimuli, sets, lists, answers, run_folders, reports, networks)
    for target in subject.TARGETS
}
"""By name, in the order in which `make fuzz` runs them."""
