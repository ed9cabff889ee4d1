"""Options of `prepare`, both the function and the command."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.jobs import ENGINES
from convrnn_data.base.options import Option
from convrnn_data.imagenet.plan import CHECKS, IMAGES, VALIDATION_SPLITS, Settings

DEFAULT_VAL = 0.1
"""Share of each category for validation, unless ILSVRC's validation images are used."""


class PrepareOptions(BaseModel):
    """Options of `prepare`; the help texts describe them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: Annotated[
        str, Option("Images: those on the lists, or all of the listed synsets.", type=Literal[*IMAGES])
    ] = "listed"
    image_names: Annotated[Path | None, Option("Folder of other lists, airplane.txt to truck.txt.")] = None
    val: Annotated[
        float | None, Option("Share for validation.", show_default="0.1, or 0 if --validation provides them")
    ] = None
    test: Annotated[float | None, Option("Share for testing.", show_default="0")] = None
    validation: Annotated[
        Path | None,
        Option(
            "ILSVRC's validation images as a split: ILSVRC2012_img_val.tar, a folder, or class folders.",
            metavar="PATH",
        ),
    ] = None
    validation_labels: Annotated[
        Path | None,
        Option(
            "Labels of the validation images: the devkit, LOC_val_solution.csv, or one synset per line.",
            metavar="FILE",
            show_default="searched next to the images",
        ),
    ] = None
    validation_split: Annotated[
        str, Option("Split of the validation images.", type=Literal[*VALIDATION_SPLITS])
    ] = "val"
    exclude_stimuli: Annotated[
        Path | None,
        Option("Human stimuli whose near-duplicates are left out of the validation images.", metavar="HUMAN"),
    ] = None
    seed: Annotated[int, Option("Random seed; the same seed gives the same bytes.")] = 0
    split_file: Annotated[Path | None, Option("Use this split.json instead of a random split.")] = None
    shard_size: Annotated[int, Option("Maximum number of images in a shard.")] = 1000
    resize: Annotated[
        int | None,
        Option("Shrink larger images to this shorter side, at JPEG quality 95.", metavar="PX"),
    ] = None
    check: Annotated[
        str,
        Option(
            "Detect truncated images by header and end marker, or decode every image.", type=Literal[*CHECKS]
        ),
    ] = "header"
    strict: Annotated[bool, Option("Treat a bad image as an error.", flag="--strict")] = False
    allow_missing: Annotated[
        bool, Option("Continue without missing listed images.", flag="--allow-missing")
    ] = False
    workers: Annotated[int | None, Option("Number of processes.", show_default="one per core")] = None
    engine: Annotated[str, Option("Where to run.", type=Literal[*ENGINES])] = "local"
    address: Annotated[str | None, Option("Address of a Ray or Dask cluster.")] = None
    task: Annotated[
        str | None,
        Option("Write only part I of N, from 1; `verify OUT` then completes the set.", metavar="I/N"),
    ] = None

    def require_compatible(self) -> None:
        """Refuse options without the option that they need.

        Raises:
            ConvRNNError: With the way out.
        """
        if self.validation is None and (self.validation_labels or self.exclude_stimuli):
            raise ConvRNNError(
                "--validation-labels and --exclude-stimuli need --validation. Pass --validation, or remove them"
            )

    def settings(self, split_digest: str | None) -> Settings:
        """Return the settings that determine the bytes of the set.

        Args:
            split_digest: SHA-256 of the assignments in `split_file`.

        Raises:
            ConvRNNError: An option is out of range.
        """
        replaced = self.validation is not None and self.validation_split == "val"
        default_val = 0.0 if replaced else DEFAULT_VAL
        return Settings(
            images=self.images,
            val=default_val if self.val is None else self.val,
            test=0.0 if self.test is None else self.test,
            seed=self.seed,
            split_file=split_digest,
            shard_size=self.shard_size,
            check=self.check,
            resize=self.resize,
            validation=None if self.validation is None else self.validation_split,
        )
