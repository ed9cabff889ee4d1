"""The frozen network's pooled features of one part: one view of one shard."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

from convrnn_data import PreparedSet
from convrnn_data.base.jobs import available_cores
from convrnn_data.base.random_streams import Stream
from convrnn_experiments.features.plan import Part
from convrnn_experiments.images.batches import batches, epoch_jitter, frame_of, pictures_of, unreadable
from convrnn_experiments.images.perturbations import Perturb, perturbation_of
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import written_hdf5
from convrnn_model import activations, names
from convrnn_model.backend import keras

BATCH = 16
"""Images that the network sees together: what is drawn depends on it, so it is not the readout's batch size."""


def pooled_names(network: str, timesteps: int) -> list[str]:
    """The layers that a readout reads, one per time step."""
    return [names.global_pool(t) for t in range(timesteps)] if network == "bl" else [names.global_pool()]


def pooled_model(network: keras.Model, config: Config) -> tuple[keras.Model, Perturb]:
    """uint8 pictures -> perturbed -> pooled features (batch, time, channels); no readout is computed."""
    perturbation = perturbation_of(config)
    images = keras.Input((config.stimulus_size, config.stimulus_size, 3), dtype="uint8", name="pictures")
    return keras.Model(images, _pooled(network, config, perturbation(images))), perturbation


def _pooled(network: keras.Model, config: Config, images: Any) -> Any:
    layers = pooled_names(config.network, config.timesteps)
    pooled = activations(network, layers)(images)
    return keras.ops.stack([pooled[layer] for layer in layers], axis=1)


def one_thread_each() -> None:
    """Let TensorFlow compute every operation on one thread; to be called before it computes anything.

    How an operation's sums are shared by threads decides their last bits, so that features would depend on the
    machine's number of processors. `Extractor` computes several batches side by side instead.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)


def side_by_side() -> int:
    """How many batches this process computes at once: one on each core, where it computes on cores."""
    on_cores = keras.backend.backend() == "tensorflow" and not tf.config.list_physical_devices("GPU")
    return available_cores() if on_cores else 1


class Extractor:
    """A frozen network that writes parts, one after another.

    Args:
        network: in inference mode whatever it is trainable for.
        config: from `checked`.
        data: the prepared set that it names.
        threads: at most so many batches are computed side by side; as `side_by_side` says where not given.
    """

    def __init__(
        self, network: keras.Model, config: Config, data: PreparedSet, threads: int | None = None
    ) -> None:
        shown, seen = config.stimulus_size, config.image_size
        pictures = keras.Input((shown, shown, 3), dtype="uint8")
        perturbed = keras.Input((seen, seen, 3), dtype="float32")
        self._perturbation = perturbation_of(config)
        # What draws is a model of its own, since its batches have to come one after another.
        self._perturb = keras.Model(pictures, self._perturbation(pictures))
        self._network = keras.Model(perturbed, _pooled(network, config, perturbed))
        self._network.make_predict_function()  # once, before threads ask for it
        self._threads = min(threads or side_by_side(), side_by_side())
        self._config = config
        self._pictures = {split: pictures_of(data, split) for split in ("train", "val")}

    def write(self, part: Part) -> None:
        """Compute a part and write its file.

        Raises:
            ConvRNNError: an image cannot be read, or the file cannot be written.
        """
        config, pictures = self._config, self._pictures[part.split]
        training = part.split == "train"
        stream = Stream.TRAINING_FEATURES if training else Stream.VALIDATION_FEATURES
        # Each part has a stream of its own, so it does not matter which were computed before it.
        self._perturbation.restart(stream, part.view, part.shard)
        jitter = epoch_jitter(len(pictures), seed=config.seed, epoch=part.view) if training else None
        shown = batches(pictures, frame_of(config), BATCH, rows=part.rows, jitter=jitter)
        try:
            perturbed = (self._perturb.predict_on_batch(images) for images, _, _ in shown)
            computed = list(_in_turn(self._network.predict_on_batch, perturbed, self._threads))
        except tf.errors.OpError as error:
            if found := unreadable(error, config.data):
                raise found from error
            raise
        with written_hdf5(part.path) as file:
            # Contiguous and uncompressed: any row is then one read at a known place.
            file["features"] = np.concatenate(computed).astype(np.float32)


def _in_turn(function: Callable[[Any], Any], batches: Iterable[Any], threads: int) -> Iterator[Any]:
    """`map`, with so many calls at once and no more batches waiting."""
    with ThreadPoolExecutor(threads) as pool:
        begun: deque[Future[Any]] = deque()
        for batch in batches:
            if len(begun) == threads:
                yield begun.popleft().result()
            begun.append(pool.submit(function, batch))
        for future in begun:
            yield future.result()
