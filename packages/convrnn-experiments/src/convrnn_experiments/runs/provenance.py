"""Origin of the images of a split, in words: whether a backbone or human observers have seen them."""

from convrnn_data import PreparedSet


def describe_images(data: PreparedSet, split: str) -> str:
    """Describe the origin of the images of a split.

    Returns:
        One line without a full stop.
    """
    origins = data.origins(split)
    described = []
    if seen := origins.get("training", 0):
        described.append(
            f"{seen:,} from ImageNet's training set, seen by a backbone that was trained on it, so accuracy flatters"
        )
    if unseen := origins.get("validation", 0):
        described.append(f"{unseen:,} from ILSVRC's validation set, new to the backbone, {_compared(data)}")
    return "; ".join(described)


def _compared(data: PreparedSet) -> str:
    counts = data.near_duplicates
    if counts is None:
        return "not compared with the human stimuli"
    return f"without {counts['left_out']:,} near-duplicates of the human stimuli"
