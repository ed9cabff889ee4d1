"""Imported by the process that commands are forked from: reads options once, for which typer imports more."""

import contextlib
import io
import sys

from processes import main_of

for command, words in (
    ("convrnn-data", "prepare nowhere nothing --workers 1 --val 0.1"),
    ("convrnn-data", "reformat nowhere nothing"),
    ("convrnn", "train nowhere --perturb noise --width 0.1 --weights none --epochs 1 --out nothing --resume"),
    ("convrnn", "evaluate nowhere nothing"),
    ("convrnn", "report nowhere --human nothing --out nothing"),
):
    if command == "convrnn" and "convrnn_experiments.cli" not in sys.modules:
        continue
    sys.argv = [command, *words.split()]
    with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
        main_of(command)()
