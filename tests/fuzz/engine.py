"""Run one target under Atheris: `python -m fuzz.engine TARGET [option of libFuzzer ...]`."""

import contextlib
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

INSTRUMENTED = ["convrnn_data", "convrnn_model", "PIL"]
LARGEST = 40_000
"""Maximum size of an input in bytes."""


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    with atheris.instrument_imports(include=INSTRUMENTED):
        from fuzz.harness import check, limited_memory
        from fuzz.targets import TARGETS

    name, *options = sys.argv[1:]
    target = TARGETS[name]
    warnings.simplefilter("error")

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        # One in eight inputs keeps the wrong checksum.
        changed = atheris.Mutate(data, max_size)
        return target.repair(changed)[:max_size] if seed % 8 else changed

    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, contextlib.ExitStack() as stack:
        scratch, corpus = Path(folder) / "input", Path(folder) / "corpus"
        if not any(Path(option).is_file() for option in options):
            corpus.mkdir()
            for seed, data in target.seeds.items():
                (corpus / seed).write_bytes(data)
            (Path(folder) / "tokens").write_text("".join(map(_quoted, target.tokens)))
            options += [f"-dict={folder}/tokens", str(corpus)]
        stack.enter_context(limited_memory())
        # libFuzzer restarts itself, by argv[0], to minimise.
        words = [f"{sys.executable} -m fuzz.engine {name}", f"-max_len={LARGEST}", "-timeout=60", *options]
        atheris.Setup(words, lambda data: check(target, data, scratch), custom_mutator=mutate)
        atheris.Fuzz()


def _quoted(token: bytes) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n'


if __name__ == "__main__":
    main()
