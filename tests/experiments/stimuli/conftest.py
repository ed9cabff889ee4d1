"""Validation images shared by several modules."""

import tarfile

import pytest


@pytest.fixture(scope="module")
def validation_folder(drawn_sample, tmp_path_factory):
    """The drawn training images as ILSVRC's validation archive, with a list of labels in the same folder."""
    root = tmp_path_factory.mktemp("validation")
    labels = []
    with tarfile.open(root / "ILSVRC2012_img_val.tar", "w") as tar:
        for number, path in enumerate(sorted((drawn_sample / "imagenet/train").glob("*/*.JPEG")), start=1):
            tar.add(path, f"ILSVRC2012_val_{number:08d}.JPEG")
            labels.append(path.parent.name)
    (root / "imagenet_2012_validation_synset_labels.txt").write_text("\n".join(labels) + "\n")
    return root
