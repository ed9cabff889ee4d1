"""Reader for the devkit's `meta.mat`, in a separate process, since SciPy can crash or hang on a damaged file."""

import io
import json
import os
import subprocess
import sys

SECONDS = 60
"""Time limit for reading; an intact file takes a second, most of it for imports."""

MEMORY = 1 << 32
"""Memory limit for reading, in bytes."""

CLASSES = 1000
"""ILSVRC2012_IDs from 1 to this number are classes; higher ones are their ancestors."""


class UnreadableError(Exception):
    """Reports that a file is damaged, or not from the devkit."""


def read_synsets(meta: bytes) -> dict[int, str]:
    """Read the devkit's numbering of synsets: ILSVRC2012_ID -> synset.

    Args:
        meta: Content of `meta.mat`.

    Raises:
        UnreadableError: The reader failed.
    """
    command = [sys.executable, "-P", "-c", f"from {__name__} import main; main()"]
    try:
        # Threads would only take memory, since nothing is computed.
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(
            command, input=meta, capture_output=True, timeout=SECONDS, env=environment, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableError(f"reading took more than {SECONDS} s") from error
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2].partition(":")[0]
        raise UnreadableError(last if done.returncode > 0 and last else "the reader crashed")
    return {int(number): synset for number, synset in json.loads(done.stdout).items()}


def main() -> None:
    """Read `meta.mat` from standard input and write ILSVRC2012_ID -> synset as JSON; any error ends the process."""
    import resource  # POSIX only

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    import scipy.io

    meta = io.BytesIO(sys.stdin.buffer.read())
    table = scipy.io.loadmat(meta, squeeze_me=True, variable_names=["synsets"])["synsets"]
    pairs = zip(table["ILSVRC2012_ID"].tolist(), table["WNID"].tolist(), strict=True)
    json.dump({int(number): str(synset) for number, synset in pairs if int(number) <= CLASSES}, sys.stdout)
