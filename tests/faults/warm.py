"""Warm-up of the fork server: parses the options of each command once, since typer imports modules then."""

import contextlib
import io
import sys

from faults.processes import main_of

for command, words in (
    ("convrnn-data", "prepare nowhere nothing --workers 1 --val 0.1"),
    ("convrnn-data", "reformat nowhere nothing"),
    ("convrnn-data", "observers nowhere nothing"),
    ("convrnn", "train nowhere --perturb noise --width 0.1 --weights none --epochs 1 --out nothing --resume"),
    ("convrnn", "features nowhere --perturb noise --weights nothing --out nothing"),
    ("convrnn", "evaluate nowhere nothing"),
    ("convrnn", "stimuli nowhere nothing"),
    ("convrnn", "compare nowhere --human nothing --out nothing"),
    ("convrnn", "report nowhere --human nothing --out nothing"),
):
    sys.argv = [command, *words.split()]
    with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
        main_of(command)()
