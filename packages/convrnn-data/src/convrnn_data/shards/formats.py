"""What every prepared set's files share: the format's version, the kinds of sets, and the form of `plan.json`."""

import collections
import re
from collections.abc import Iterable
from typing import Any

from convrnn_data.base.schema import COUNT

FORMAT = 1
"""Version of the prepared set's format; part of every plan hash."""

IMAGENET = "imagenet"
"""The kind of a set of ImageNet, as opposed to one of human stimuli."""

SHARD_NAME = re.compile(r"[a-z_]{1,40}/[0-9]{6,9}")

PLAN_FORM: dict[str, Any] = {
    "format": int,
    "kind": str,
    "plan": str,
    "settings": dict,
    "shards": {SHARD_NAME: COUNT},
    "rejected": [[str]],
}
"""What every `plan.json` holds, of ImageNet and of the human test set."""

KEY = re.compile(r"ILSVRC2012_val_(\d{8})", re.ASCII)


def differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Say how a described plan differs from the old one of a set; "" if it does not."""
    for name in ("format", "kind"):
        if old.get(name) != new[name]:
            return f"{name} must be {old.get(name)}, got {new[name]}"
    before, now = old["settings"], new["settings"]
    changed = [
        f"{name} must be {before.get(name)}, got {now.get(name)}"
        for name in {**now, **before}
        if before.get(name) != now.get(name)
    ]
    if changed or old["plan"] == new["plan"]:
        return "; ".join(changed)
    there, here = (sum(one["shards"].values()) for one in (old, new))
    return f"it must have {there:,} images, got {here:,}" if there != here else "the images have changed"


def origin(key: str) -> str:
    """Which of ILSVRC's sets an image belongs to, by its key: "validation", or "training" for all others."""
    return "validation" if KEY.fullmatch(key) else "training"


def origins(keys: Iterable[str]) -> dict[str, int]:
    """Images from each of ILSVRC's sets."""
    return dict(sorted(collections.Counter(map(origin, keys)).items()))
