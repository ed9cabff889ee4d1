"""Server that runs commands in processes forked from it: a start costs milliseconds instead of an import.

Reads one JSON object a line: the words of the command, its folder, and the files for its standard output and error.
Answers with the exit code. Nothing that is imported here starts threads, so that forking is safe.
"""

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import convrnn_data.cli
import convrnn_experiments.cli
import convrnn_model.cli

MAIN: dict[str, Callable[[], Any]] = {
    "convrnn": convrnn_experiments.cli.main,
    "convrnn-data": convrnn_data.cli.main,
    "convrnn-model": convrnn_model.cli.main,
}


def become(words: Sequence[str], folder: str, out: str, err: str) -> int:
    """Run a command in this process; returns its exit code."""
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for path, number in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = list(words)
    code = 0
    try:
        MAIN[words[0]]()
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def serve() -> None:
    """Fork a process for each request."""
    assert threading.active_count() == 1
    for line in sys.stdin:
        request = json.loads(line)
        process = os.fork()
        if not process:
            os._exit(become(**request))
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
