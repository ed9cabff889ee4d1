"""Every parser of the packages: what it is given, how that is broken, and what has to hold where it is accepted."""

import atexit
import csv
import hashlib
import io
import json
import math
import os
import random
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

import convrnn_data
import convrnn_experiments.errors
import convrnn_model
from convrnn_data import human, images, plan, prepared, shards, sources, splits, stats, verifying, workspace
from convrnn_data.categories import CATEGORIES, read_lists, shipped_lists
from convrnn_data.copying import Reader
from convrnn_data.tarwalk import walk
from convrnn_experiments import config, jatos, observers, results, runs
from convrnn_experiments.conditions import Regime
from convrnn_model.inspection import inspect_weights
from fuzz import mutations, pictures, tars, texts, weights
from fuzz.runner import Target, WrongAnswer, fast_folder

Parse = Callable[[bytes, Path], None]
Breaks = Callable[[random.Random, Sequence[bytes]], bytes]

REFUSALS = (convrnn_data.ConvRNNError, convrnn_model.ConvRNNError, convrnn_experiments.errors.ConvRNNError)


class NotOne(Exception):
    """The answer of parsers that answer None."""


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise WrongAnswer(what)


def _choice(data: bytes, count: int) -> int:
    """One of several ways to parse an input, by its bytes alone."""
    return hashlib.blake2b(data, digest_size=2).digest()[0] % count


def _put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# --- tars ----------------------------------------------------------------------------------------------

CONTENT = pictures.saved("JPEG", size=(8, 8))
TAR_TOKENS = (
    *(
        b"ustar",
        b"\x80",
        b"\xff" * 12,
        b"00000000000\0",
        b"77777777777",
        b"-1000",
        b" path=",
        b" size=",
        b"9 path=\n",
    ),
    *(b"@LongLink", b"GNU.sparse.", b"n02690373_1.JPEG", b".tar\0", b"L", b"x", b"g", b"0"),
)


def _tar_seeds() -> dict[str, bytes]:
    return tars.sound(CONTENT) | tars.hostile(CONTENT)


def _imagenet_seeds() -> dict[str, bytes]:
    inner = tars.sound(CONTENT)
    outer = [
        tars.member(f"n0{number}.tar".encode(), tar) for number, tar in enumerate(inner.values(), 2690373)
    ]
    return {"tar_of_tars": b"".join(outer) + tars.END} | _tar_seeds()


def _break_tar(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Half are drawn, member by member, half broken bytes, mostly with checksums put right, so that they are read."""
    if rng.random() < 0.5:
        return tars.drawn(rng, CONTENT)
    return _broken_tar(rng, rng.choice(seeds)[:40_000], seeds)


def _break_imagenet(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    kind = rng.random()
    data = tars.drawn_outer(rng, CONTENT) if kind < 0.6 else tars.drawn(rng, CONTENT)
    return data if kind < 0.3 else _broken_tar(rng, data if kind < 0.8 else rng.choice(seeds)[:40_000], seeds)


def _broken_tar(rng: random.Random, sound: bytes, seeds: Sequence[bytes]) -> bytes:
    data = mutations.broken_bytes(rng, sound, seeds, TAR_TOKENS)
    if rng.random() < 0.2:
        return data
    blocks = [data[at : at + tars.BLOCK] for at in range(0, len(data), tars.BLOCK)]
    return b"".join(
        tars.with_checksum(one) if one[257:262] == b"ustar" and len(one) == 512 else one for one in blocks
    )


def _walk(data: bytes, folder: Path) -> None:
    path = _put(folder / "a.tar", data)
    with path.open("rb") as file:
        found = list(walk(file.fileno(), path))
    for entry in found:
        _demand(0 <= entry.offset <= entry.offset + entry.size <= len(data), f"{entry} lies outside the tar")
    expected = _by_tarfile(data)
    # `tarfile` leaves out a slash at the end of some names.
    ours = [(entry.name.rstrip("/"), entry.offset, entry.size) for entry in found]
    _demand(
        expected is None or expected == ours,
        f"{found}\ntarfile finds\n{expected}",
    )


def _by_tarfile(data: bytes) -> list[tuple[str, int, int]] | None:
    """What Python's own reader finds; None where it refuses, or stops where only an end mark may make it stop."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:", errorlevel=2) as tar:
            members = tar.getmembers()
            ended = not any(data[tar.offset : tar.offset + tars.BLOCK])
    except Exception:  # Its own failures are many, and none of ours.
        return None
    return (
        [(one.name.rstrip("/"), one.offset_data, one.size) for one in members if one.isreg()]
        if ended
        else None
    )


def _imagenet(data: bytes, folder: Path) -> None:
    outer = data[:100].partition(b"\0")[0].endswith(b".tar")
    path = _put(folder / (sources.OFFICIAL if outer else "n02690373.tar"), data)
    listing = sources.list_images(sources.find_source(path if outer else folder), shipped_lists().categories)
    made = plan.make_plan(listing, shipped_lists(), plan.Settings(images="all", val=0.5))
    workspace.seal(plan.describe(made))
    with Reader() as reader:
        for shard in made.shards:
            for member in made.members(shard):
                _demand(len(reader.read(member)) == member.size, f"{member} has another size")
                shards.ustar_header(f"{member.key}.json", member.size)


# --- pictures ------------------------------------------------------------------------------------------

PICTURE_TOKENS = (
    *(
        b"\xff\xc0",
        b"\xff\xc2",
        b"\xff\xc4",
        b"\xff\xda",
        b"\xff\xd9",
        b"\xff\xdd",
        b"\xff\xe1",
        b"\xff\xee\0\x0eAdobe",
    ),
    *(
        b"IHDR",
        b"IDAT",
        b"PLTE",
        b"tRNS",
        b"IEND",
        b"acTL",
        b"iCCP",
        b"zTXt",
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"RIFF",
    ),
)


def _break_picture(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    data = mutations.broken_bytes(rng, rng.choice(seeds), seeds, PICTURE_TOKENS)
    return pictures.with_checksums(data) if data[:4] == b"\x89PNG" and rng.random() < 0.8 else data


def _picture(data: bytes, folder: Path) -> None:
    check, resize = (("header", None), ("decode", None), ("decode", 4), ("header", 9))[_choice(data, 4)]
    picture = images.make_ready(data, check=check, resize=resize)
    _demand(picture.change is not None or picture.data == data, "bytes changed without a note")
    _demand(
        picture.width * picture.height <= images.MOST_PIXELS, f"{picture.width}x{picture.height} is too large"
    )
    if picture.change is not None:
        with Image.open(io.BytesIO(picture.data)) as image:
            _demand(image.size == (picture.width, picture.height), f"{image.size} is not what is stated")
            _demand(
                image.format == "JPEG" and image.mode in ("L", "RGB"),
                f"it became {image.format} {image.mode}",
            )


# --- stimulus names ------------------------------------------------------------------------------------

NAMES = (
    "24_color_gray_g_car.JPEG", "45_color_gray_c_boat.JPEG", "41_blur_9_bird.JPEG", "14_noise_0.16_bicycle.JPEG",
    "0_noise_0_oven_exit4.jpg", "007_blur_3_dog_exit0.jpeg", "9_color_gray_c_truck_exit1.JPEG",
)  # fmt: skip
NAME_TOKENS = tuple(
    text.encode()
    for text in ("_", ".", "-", "_exit0", ".JPEG", "color_gray", "noise", "blur", "0.04", "1e5", "٣", "²", "\n", "\0", "inf",
                 *CATEGORIES)
)  # fmt: skip


def _break_name(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A name of drawn parts, most of them possible ones, or broken text, or both."""
    parts = [
        rng.choice(part) if rng.random() < 0.95 else rng.choice(NAME_TOKENS).decode() for part in NAME_PARTS
    ]
    if parts[1].startswith("color_gray_") and rng.random() < 0.9:
        del parts[2]  # Its level is in its name.
    name = ("_".join(parts[:-2]) + "".join(parts[-2:])).encode()
    return (
        name
        if rng.random() < 0.7
        else mutations.broken_text(rng, rng.choice((name, *seeds)), seeds, NAME_TOKENS)
    )


NAME_PARTS = (
    (*("0", "7", "007", "41", "999999999") * 3, "1234567890", "-1", "+1", " 1"),
    ("color_gray_c", "color_gray_g", "noise", "noise", "blur", "blur", "color", "NOISE"),
    (*("0", "0.0", "0.04", "0.16", "3", "9", "9999") * 2, "12345", "0.1234567", "1e1", ".5", "5."),
    CATEGORIES,
    ("", "", "_exit0", "_exit1", "_exit4", "_exit5", "_exit", "_exit00"),
    (".JPEG", ".JPEG", ".JPEG", ".jpg", ".jpeg", ".JPG", ".png", ""),
)


def _name(data: bytes, folder: Path) -> None:
    name = data.decode("utf-8", "surrogateescape")
    parsed = human.parse_name(name)
    if parsed is None:
        raise NotOne("not a stimulus")
    _demand(str(parsed) == name.rpartition(".")[0] + ".JPEG", f"{name!r} became {parsed}")
    _demand(parsed.regime in human.REGIMES and int(parsed.number) >= 0, f"{parsed}")
    _demand(parsed.regime in ("color", "grayscale") or math.isfinite(float(parsed.level)), f"{parsed}")
    key = human.key_of(parsed)
    _demand(
        human.parse_name(f"{key.replace('-', '.')}.JPEG") == parsed,
        f"the key {key!r} is not that of {parsed}",
    )
    shards.ustar_header(f"{key}.json", 1)


# --- JSON with and without a seal ----------------------------------------------------------------------

TEXT_TOKENS = (
    *(
        b'"',
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b":",
        b"null",
        b"NaN",
        b"-1",
        b"1e999",
        b'"train"',
        b'"sha256"',
        b"\\ud800",
    ),
    *(b"\0", b"\xff", b"\n", b"\xef\xbb\xbf"),
)


def _break_json(values: Sequence[Any], finish: Callable[[bytes], bytes] = bytes) -> Breaks:
    """Values broken as values, and now and then as text; `finish` makes the file of the text."""

    def breaks(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
        value = rng.choice(values)
        kind = rng.random()
        text = mutations.as_json(rng, mutations.broken_value(rng, value) if kind < 0.9 else value)
        if kind > 0.85:
            text = mutations.broken_text(rng, text, seeds, TEXT_TOKENS)
        data = finish(text)
        return mutations.broken_bytes(rng, data, seeds, TEXT_TOKENS) if rng.random() < 0.03 else data

    return breaks


def _sealed(text: bytes) -> bytes:
    body = text[:-1].rstrip()
    return body + b',\n"sha256": "' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'


def _json_seeds(
    values: Sequence[Any], finish: Callable[[bytes], bytes] = bytes
) -> Callable[[], dict[str, bytes]]:
    return lambda: {str(number): finish(json.dumps(value).encode()) for number, value in enumerate(values)}


SHARD = {"imagenet": "train/000000", "human": "color/000000"}
MANIFESTS = [texts.manifest(kind, shard) for kind, shard in SHARD.items()]
INDEXES = [texts.index(shard, b"abc") for shard in SHARD.values()]
PLANS = [texts.plan(kind, shard) for kind, shard in SHARD.items()]


def _kind(data: bytes) -> str:
    return "human" if b"color/0" in data else "imagenet"


def _set(folder: Path, kind: str, name: str, content: dict[str, Any], index: dict[str, Any] | bytes) -> Path:
    """A set of one shard: its manifest or plan, its split, its tar and index."""
    sealed = index if isinstance(index, bytes) else prepared_bytes(index)
    _put(folder / f"{SHARD[kind]}.tar", b"abc")
    _put(folder / f"{SHARD[kind]}.json", sealed)
    _put(folder / prepared.SPLIT, prepared_bytes({"format": 1, "train": []}))
    return _put(folder / name, prepared_bytes(content))


def prepared_bytes(body: dict[str, Any]) -> bytes:
    """A body as a prepared set keeps it."""
    return _sealed(json.dumps(body).encode())


def _manifest(data: bytes, folder: Path) -> None:
    kind = _kind(data)
    _set(folder, kind, prepared.MANIFEST, {}, texts.index(SHARD[kind], b"abc"))
    _put(folder / prepared.MANIFEST, data)
    if _choice(data, 8) == 0:
        _demand(
            all(line.isprintable() for line in verifying.verify(folder).problems),
            "a problem of several lines",
        )
    _read_all(prepared.PreparedSet(folder), kind)


def _index(data: bytes, folder: Path) -> None:
    kind = _kind(data)
    _set(folder, kind, prepared.MANIFEST, texts.manifest(kind, SHARD[kind]), data)
    shards.is_whole(folder / f"{SHARD[kind]}.tar", texts.PLAN)
    told = shards.read_index(folder / f"{SHARD[kind]}.tar")["samples"]
    table = prepared.PreparedSet(folder).table(SHARD[kind].partition("/")[0])
    for name in shards.COLUMNS:
        _demand(getattr(table, name).tolist() == told[name], f"{name} are not those of the file")
    _read_all(prepared.PreparedSet(folder), kind)


def _read_all(data: prepared.PreparedSet, kind: str) -> None:
    stats.table(data)
    for split in data.splits:
        table = data.table(split)
        columns = (table.labels, table.widths, table.heights, table.shard_ids, table.offsets, table.sizes)
        _demand(all(len(column) == len(table.keys) for column in columns), "columns of unlike length")
        _demand(all(0 <= label < len(CATEGORIES) for label in table.labels.tolist()), "a label that is none")
        _demand(all(len(read) == size for read, size in zip(table.read(range(len(table))), table.sizes, strict=True)),
                "another size")  # fmt: skip
        table.close()
    if kind == "human":
        human.list_stimuli(data.path)


def _plan(data: bytes, folder: Path) -> None:
    kind = _kind(data)
    _set(folder, kind, prepared.PLAN, {}, texts.index(SHARD[kind], b"abc"))
    _put(folder / prepared.PLAN, data)
    if _choice(data, 4) == 0:
        verifying.verify(folder)
    workspace.is_complete(folder, texts.plan("imagenet", SHARD["imagenet"]))


def _split(data: bytes, folder: Path) -> None:
    assigned = splits.read_split(_put(folder / "split.json", data))
    told = json.loads(data)
    for code, name in enumerate(splits.SPLITS):
        ours = {key.decode() for key, to in assigned.items() if to == code}
        _demand(ours == set(told.get(name, [])), f"{name} is not what the file says")


LISTS = {name: f"{synset}_1.JPEG\n{synset}_22.JPEG\n".encode() for name, synset in
         zip(CATEGORIES, (f"n0{number}" for number in range(2690373, 2690389)), strict=True)}  # fmt: skip


def _listing() -> Parse:
    """With a folder of lists, made once, in which one is replaced again and again."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-lists-", dir=fast_folder()))
    atexit.register(shutil.rmtree, folder)
    for name, content in LISTS.items():
        _put(folder / f"{name}.txt", content)
    return lambda data, scratch: _lists(data, folder)


def _lists(data: bytes, folder: Path) -> None:
    found = read_lists(_put(folder / "bear.txt", data).parent)
    _demand(sum(len(found.names(synset)) for synset in found.categories) == found.total, "another total")
    ours = {
        name
        for synset in found.categories
        if found.categories[synset] == "bear"
        for name in found.names(synset)
    }
    _demand(ours == set(data.decode().split()), "other names than the file's")


def _break_lists(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Lines changed, names changed within the form or just beyond it, or text broken."""
    lines = [f"n{rng.choice(SYNSETS)}_{rng.choice(NUMBERS)}.JPEG" for _ in range(rng.choice((1, 2, 3, 9)))]
    data = "\n".join([*lines, ""]).encode()
    if rng.random() < 0.5:
        return mutations.broken_text(
            rng, data, seeds, (*CSV_TOKENS, b".JPEG", b"n02690374_", b"\n\n", b"\x0c", b"\x1c")
        )
    return mutations.broken_rows(
        rng, data, (*mutations.CELLS[:20], "n02690374_1.JPEG", "n02690374_01.JPEG", "n02690374_1.jpeg"), " "
    )


SYNSETS = (*("02690374",) * 6, "02690373", "02690388", "99999999", "2690374", "026903740")
NUMBERS = (
    *(str(number) for number in range(40)),
    "9223372036854775807",
    "9223372036854775808",
    "9" * 30,
    "00",
    "-1",
)


# --- people's answers ----------------------------------------------------------------------------------


def _observers_of(trials: tuple[int, ...]) -> list[Any]:
    """Two observers: the first blocks have so many trials, of which the first ten are practice."""
    return [
        texts.observer("noise", ("0", "0.04", "0.16"), 0, trials),
        texts.observer("color_gray", ("c", "g"), 1, trials),
    ]


def _lines(text: bytes) -> bytes:
    return text + b"\n" + SECOND


SECOND = json.dumps(texts.observer("blur", ("0", "3", "9"), 2, (11,))).encode() + b"\n"


class Reported(Exception):
    """What a file of answers holds that was left out, and said so."""


def _answers(data: bytes, folder: Path) -> None:
    sessions, problems = jatos.read_file(_put(folder / "jatos_results_1.txt", data))
    for session in sessions:
        for row in session.rows:
            _demand(row[1] in human.EXPERIMENTS and row[2] in range(5) and row[5] in (1, -1), f"{row}")
            _demand(row[11] == (row[9] is None) and row[9] in (None, *CATEGORIES), f"{row}")
    told = {str(problem).partition(": ")[2] for problem in problems} - {""}
    usual = {what for what in told if "half a session" in what or "no trial after" in what}
    if rest := sorted(told - usual):
        raise Reported(rest[0])


def _observers(data: bytes, folder: Path) -> None:
    strict = _choice(data, 4) == 1
    table = observers.read_observers(_put(folder / "jatos_results_1.txt", data), strict=strict)
    _demand(set(table["category"]) <= set(CATEGORIES), "a category that is none")
    _demand(set(table["response"].dropna()) <= set(CATEGORIES), "a response that is none")
    observers.is_simulated(table)
    right = ~table["missed"] & (table["response"] == table["category"])
    _demand(
        bool((right == table["correct"]).all()),
        "an answer that is right and counted as wrong, or the reverse",
    )
    if _choice(data, 16) == 0:
        observers.by_image(observers.with_misses(table, "random"))
        observers.observer_curves(observers.exclude(table, named=["satbench"], misses=0.5))
        table.to_csv(folder / "table.csv")


# --- runs ----------------------------------------------------------------------------------------------

CSV_TOKENS = (
    *(
        b",",
        b"\n",
        b'"',
        b"\r",
        b"\0",
        b"nan",
        b"inf",
        b"-1",
        b"16",
        b"1e400",
        b"9223372036854775808",
        b"0.5",
        b"\xff",
    ),
    *(
        b"predictions_exit0",
        b"predictions_exit1",
        b"predictions_exit99999",
        b"labels",
        b"level",
        b"block",
        b"\xef\xbb\xbf",
    ),
)


def _break_table(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Rows and cells changed, or broken text."""
    if rng.random() < 0.7:
        return mutations.broken_rows(rng, rng.choice(seeds))
    return mutations.broken_text(rng, rng.choice(seeds), seeds, CSV_TOKENS)


def _predictions(data: bytes, folder: Path) -> None:
    answers = results.read_answers(_put(folder / "predictions.csv", data))
    _check_answers(answers)
    _check_against_csv(answers, data)


def _check_against_csv(answers: results.Answers, data: bytes) -> None:
    """Python's own reader finds the same, row by row."""
    if len(data) > csv.field_size_limit():
        return
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig").lstrip("\r\n"), newline="")))
    _demand(len(rows) == len(answers.labels), f"{len(answers.labels)} rows; csv finds {len(rows)}")
    for at, row in enumerate(rows):
        _demand(float(row["labels"]) == answers.labels[at], f"label {answers.labels[at]} in {row}")
        _demand(row["file_names"] == answers.names[at], f"name {answers.names[at]!r} in {row}")
        _demand(float(row["block"] or -1) == answers.blocks[at], f"block {answers.blocks[at]} in {row}")
        for step, answer in enumerate(answers.answers[at]):
            _demand(float(row[f"predictions_exit{step}"]) == answer, f"answer {answer} in {row}")
            _demand(
                math.isclose(float(row[f"entropy_exit{step}"]), answers.entropy[at, step]),
                f"entropy in {row}",
            )


def _check_answers(answers: results.Answers) -> None:
    _demand(((answers.labels >= 0) & (answers.labels < 16)).all(), "a label that is none")
    _demand(((answers.answers >= 0) & (answers.answers < 16)).all(), "an answer that is none")
    _demand(((answers.blocks >= -1) & (answers.blocks < 5)).all(), "a block that is none")
    _demand((answers.confidence >= 0).all() and (answers.entropy >= 0).all(), "a confidence that is none")
    _demand(answers.right.shape == answers.answers.shape == answers.entropy.shape, "unlike shapes")


def _config(data: bytes, folder: Path) -> None:
    _put(folder / "config.json", data)
    found = runs.Run(folder).config()
    _demand(config.exits(found) >= 1 and found.image_size >= 1, "a network without an image or an exit")
    _demand(
        isinstance(found.condition.levels, tuple) and isinstance(found.data, str), "values of other kinds"
    )
    same = json.loads(json.dumps(found.to_json(), allow_nan=False)) == json.loads(data)
    _demand(same, "values that are not those of the file")


def _measures(data: bytes, folder: Path) -> None:
    run, evaluation = folder / "noise", folder / "noise" / "evaluation" / "noise"
    _put(run / "config.json", json.dumps(texts.config()).encode())
    _put(run / "environment.json", json.dumps(texts.ENVIRONMENT).encode())
    _put(run / "weights.h5", b"")
    _put(evaluation / "predictions.csv", texts.predictions(2, human=True))
    _put(evaluation / "measures.json", data)
    (one,) = results.read_evaluations([run])
    _demand(len(one.multiply_adds) == one.answers.answers.shape[1], "a cost for other time steps")
    _demand(isinstance(one.measures["environment"]["command"], str) and len(one.conditions) > 0, "no command")


def _history(data: bytes, folder: Path) -> None:
    _put(folder / "history.csv", data)
    rows = runs.Run(folder).history()
    _demand(all(isinstance(value, int | float) for row in rows for value in row.values()), "no number")
    # As training does when it goes on.
    epoch = dict.fromkeys(texts.HISTORY.decode().splitlines()[0].split(","), 0.5)
    runs.Run(folder).write_history([*rows, epoch])
    _demand(
        _same(runs.Run(folder).history(), [*rows, epoch]), "what was read and written reads as something else"
    )


def _same(these: list[dict[str, float]], those: list[dict[str, float]]) -> bool:
    """Not-a-number is the same as itself, here."""
    return [sorted(map(str, row.items())) for row in these] == [
        sorted(map(str, row.items())) for row in those
    ]


def _environment(data: bytes, folder: Path) -> None:
    _put(folder / "environment.json", data)
    one = results.Evaluation(runs.Run(folder), "bl", NOISE, "noise", texts.MEASURES, NO_ANSWERS)
    _demand(isinstance(one.trained_by, str), "no command")


NOISE = config.Config(data="data", perturb=Regime.NOISE)
NO_ANSWERS = results.Answers(*(np.zeros(0) for _ in range(8)))


# --- weights -------------------------------------------------------------------------------------------

HDF5_TOKENS = (
    b"\x89HDF",
    b"TREE",
    b"SNOD",
    b"HEAP",
    b"OHDR",
    b"OCHK",
    b"GCOL",
    b"FRHP",
    b"BTHD",
    b"layer_names",
    b"weight_names",
)


def _weight_seeds() -> dict[str, bytes]:
    sound = {
        "b": weights.sound(),
        "bl": weights.sound(recurrent=True),
        "readout": weights.sound(only_readout=True),
        "latest": weights.sound(only_readout=True, libver="latest"),
    }
    return {
        **sound,
        **weights.hostile(sound["readout"]),
        **{f"b_{k}": v for k, v in weights.hostile(sound["b"]).items()},
    }


def _break_weights(largest: int) -> Breaks:
    """Half drawn edits of a sound file, half broken bytes of seeds up to a size, since HDF5 takes long for large ones."""

    def breaks(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
        if rng.random() < 0.5:
            data = weights.drawn(rng, rng.choice(seeds[:4]))
            return data if rng.random() < 0.8 else _broken_weights(rng, data, seeds)
        seed = rng.choice(seeds[:4]) if rng.random() < 0.3 else rng.choice(seeds)
        return _broken_weights(rng, seed if len(seed) <= largest else seeds[0], seeds)

    return breaks


def _broken_weights(rng: random.Random, sound: bytes, seeds: Sequence[bytes]) -> bytes:
    data = mutations.broken_bytes(rng, sound, seeds, HDF5_TOKENS)
    return weights.with_checksums(data) if rng.random() < 0.8 else data


def _inspect(data: bytes, folder: Path) -> None:
    info = inspect_weights(_put(folder / "w.h5", data))
    _demand(info.classes >= 0 and info.n_timesteps >= 1, f"{info}")
    _demand(info.sha256 == hashlib.sha256(data).hexdigest(), "another sha256")


def _loading() -> Parse:
    # The backend that is imported in no time, and that starts no threads, which a fork would lose.
    os.environ["KERAS_BACKEND"] = "numpy"
    import keras

    from convrnn_model.weights import as_array, load_weights

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, use_bias=False, name="ReadoutDense")])

    def load(data: bytes, folder: Path) -> None:
        report = load_weights(model, _put(folder / "w.h5", data))
        _demand(report.loaded == ("ReadoutDense/kernel",), f"{report}")
        kernel = as_array(model.weights[0])
        _demand(bool(np.isfinite(kernel).all()), "weights that are not finite")
        with h5py.File(folder / "w.h5") as file:
            if set(file) == {"ReadoutDense"} and set(file["ReadoutDense"]) == {"ReadoutDense"}:
                stored, *others = file["ReadoutDense/ReadoutDense"].values()
                _demand(
                    bool(others) or np.array_equal(stored[()].astype(np.float32), kernel),
                    "values that are not the file's",
                )

    return load


# --- all of them ---------------------------------------------------------------------------------------


def _target(
    name: str,
    seeds: Callable[[], dict[str, bytes]],
    breaks: Breaks,
    parse: Parse,
    *refusals: type[Exception],
) -> Target:
    return Target(name, seeds, breaks, lambda: parse, refusals or REFUSALS)


def _of_json(
    name: str,
    values: Sequence[Any],
    parse: Parse,
    finish: Callable[[bytes], bytes] = bytes,
    *refusals: type[Exception],
) -> Target:
    return _target(name, _json_seeds(values, finish), _break_json(values, finish), parse, *refusals)


def _of_table(name: str, seeds: dict[str, bytes], parse: Parse) -> Target:
    return _target(name, lambda: seeds, _break_table, parse)


TABLES = {"human": texts.predictions(2, human=True), "split": texts.predictions(1, human=False)}
TABLES |= {
    "index": TABLES["split"].replace(b"\ntest", b"\nx,test"),
    "halves": TABLES["split"].replace(b",0,0,0.5,", b",0,0.5,0.5,"),
    "twice": TABLES["split"].replace(b"block\n", b"block,labels\n").replace(b"0.04,\n", b"0.04,,3\n"),
    "huge": TABLES["split"].replace(b",0,0,0.5,", b",0," + b"9" * 400 + b",0.5,"),
}
HISTORIES = {
    "sound": texts.HISTORY,
    "others": texts.HISTORY.replace(b"epoch", b"apoch"),
    "twice": texts.HISTORY.replace(b"val_loss", b"loss"),
}

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        _target("tar", _tar_seeds, _break_tar, _walk),
        _target("imagenet", _imagenet_seeds, _break_imagenet, _imagenet),
        _target(
            "picture",
            lambda: pictures.sound() | pictures.hostile(),
            _break_picture,
            _picture,
            images.BadImage,
        ),
        _target("name", lambda: {name: name.encode() for name in NAMES}, _break_name, _name, NotOne),
        _of_json("split", texts.SPLITS, _split),
        _of_json("sealedsplit", texts.SPLITS[:1], _split, _sealed),
        _of_json("manifest", MANIFESTS, _manifest, _sealed),
        _of_json("index", INDEXES, _index, _sealed),
        _of_json("plan", PLANS, _plan, _sealed),
        Target("lists", lambda: {"sound": LISTS["bear"]}, _break_lists, _listing, REFUSALS),
        _of_json("jatos", _observers_of((3, 2)), _answers, _lines, *REFUSALS, Reported),
        _of_json("observers", _observers_of((12, 11)), _observers, _lines),
        _of_table("predictions", TABLES, _predictions),
        _of_json("config", [texts.config()], _config),
        _of_json("measures", [texts.MEASURES], _measures),
        _of_json("environment", [texts.ENVIRONMENT], _environment),
        _of_table("history", HISTORIES, _history),
        _target("inspect", _weight_seeds, _break_weights(30_000), _inspect),
        Target("load", _weight_seeds, _break_weights(30_000), _loading, REFUSALS),
    )
}
"""By name; all of them are run by `make fuzz`."""
