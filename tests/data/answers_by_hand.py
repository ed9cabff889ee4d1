"""Synthetic answers: rows, blocks and sessions in the format of the experiments' files."""

import json

from convrnn_data.human.experiment import BEEPS

SCREENS = list(BEEPS)


def response(name, answer, duration, order=1, **more):
    """Return a response row for a stimulus; an `answer` of None is a miss."""
    *_, level, category = name.removesuffix(".JPEG").split("_")
    row = {
        "sender": "Stimulus & Response",
        "filename": name,
        "category": category,
        "mode": level,
        "order": order,
    }
    row |= {"correct": answer == category, "duration": duration, **more}
    return row if answer is None else {**row, "response": answer}


def three_rows(row):
    return [row, {"sender": "inter-stimulus", "duration": 500}, {"sender": "Trial", "duration": 900}]


def session_rows(observer, blocks, tutorial=()):
    """Return the rows of one observer; `blocks` maps a block's number to its response rows."""
    rows = [{"sender": "Welcome", "url": {"srid": observer}}, {"sender": "ScreenCategorizationTutorial"}]
    for row in tutorial:
        rows += three_rows(row)
    for block, trials in blocks.items():
        rows.append({"sender": SCREENS[block]})
        for row in trials:
            rows += three_rows(row)
    return rows


def session(observer, blocks, tutorial=()):
    """Return the session of one observer as a line of a file."""
    return json.dumps(session_rows(observer, blocks, tutorial))


def practice(order=1):
    return [response(f"{i}_blur_3_bird.JPEG", "bird", 400.0, order) for i in range(10)]


def five_blocks(trials=(), order=1):
    """Return five blocks of practice and the same trials."""
    return {block: [*practice(order), *trials] for block in range(5)}


def practice_of(stimulus):
    return [response(f"{90 + i}_{stimulus}.JPEG", stimulus.split("_")[-1], 400) for i in range(10)]


def problems(table):
    return [str(problem) for problem in table.attrs["problems"]]
