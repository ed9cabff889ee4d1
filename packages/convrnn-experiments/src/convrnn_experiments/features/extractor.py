"""Computes the pooled features of a frozen network, part by part; a part is one view of one shard."""

from contextlib import closing
from typing import Any

import numpy as np
import tensorflow as tf

from convrnn_data import PreparedSet
from convrnn_data.base.jobs import available_cores
from convrnn_data.base.random_streams import Stream
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.features.plan import Part
from convrnn_experiments.images.batches import batches, epoch_jitter, frame_of, images_of_split, unreadable
from convrnn_experiments.images.perturbations import Perturb, perturbation_of
from convrnn_experiments.runs.config import Config
from convrnn_experiments.runs.folder import written_hdf5
from convrnn_experiments.runtime.overlap import map_ahead
from convrnn_model import activations, names
from convrnn_model.backend import keras
from convrnn_model.inference import Predictor
from convrnn_model.variants import VARIANTS

BATCH = 16
"""Images per call of the network. Random draws depend on it, so it is not the batch size of the readout."""


def pooled_names(network: str, timesteps: int) -> list[str]:
    """Return the names of the layers that the readout reads, one per time step."""
    recurrent = VARIANTS[f"{network}_net"].recurrent
    return [names.global_pool(t) for t in range(timesteps)] if recurrent else [names.global_pool()]


def pooled_model(network: keras.Model, config: Config) -> tuple[keras.Model, Perturb]:
    """Build a model from uint8 images to pooled features (batch, time, channels); returns its perturbation too."""
    perturbation = perturbation_of(config)
    images = keras.Input((config.stimulus_size, config.stimulus_size, 3), dtype="uint8", name="images")
    return keras.Model(images, _pooled(network, config, perturbation(images))), perturbation


def _pooled(network: keras.Model, config: Config, images: Any) -> Any:
    layers = pooled_names(config.network, config.timesteps)
    pooled = activations(network, layers)(images)
    return keras.ops.stack([pooled[layer] for layer in layers], axis=1)


def use_one_thread_per_operation() -> None:
    """Make TensorFlow compute every operation on one thread; must be called before it computes anything.

    The number of threads that share an operation's sums decides their last bits, so features would depend on the
    machine's number of processors.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)


def parallel_batches() -> int:
    """Return how many batches Keras computes in parallel: one per core, or 1 on a GPU."""
    on_cores = keras.backend.backend() == "tensorflow" and not tf.config.list_physical_devices("GPU")
    return available_cores() if on_cores else 1


class Extractor:
    """Writes parts with a frozen network.

    Args:
        predictor: From `runs.network.feature_predictor`.
        config: Configuration from `checked`.
        data: Prepared set of the configuration.
        threads: Maximum number of batches computed in parallel by Keras; see `parallel_batches`. Other engines compute
            one batch on all threads.

    Attributes:
        plan: Plan of the inference engine.
    """

    def __init__(
        self, predictor: Predictor, config: Config, data: PreparedSet, threads: int | None = None
    ) -> None:
        images = keras.Input((config.stimulus_size, config.stimulus_size, 3), dtype="uint8")
        self._perturbation = perturbation_of(config)
        # Random draws need the batches in order.
        self._perturb = keras.Model(images, self._perturbation(images))
        self._predictor = predictor
        self.plan = predictor.plan((config.image_size, config.image_size), BATCH)
        parallel = min(threads or parallel_batches(), parallel_batches())
        self._parallel = parallel if self.plan.engine == "keras" else 1
        self._config = config
        self._images = {split: images_of_split(data, split) for split in ("train", "val")}

    def write(self, part: Part) -> None:
        """Compute a part and write its file.

        Raises:
            ConvRNNError: An image cannot be read, a feature is out of the range of the type that stores it, or the
                file cannot be written.
        """
        config, source = self._config, self._images[part.split]
        training = part.split == "train"
        stream = Stream.TRAINING_FEATURES if training else Stream.VALIDATION_FEATURES
        # Each part has its own stream, so the order of parts does not matter.
        self._perturbation.restart(stream, part.view, part.shard)
        jitter = epoch_jitter(len(source), seed=config.seed, epoch=part.view) if training else None
        shown = batches(source, frame_of(config), BATCH, rows=part.rows, jitter=jitter)
        try:
            perturbed = (self._perturb.predict_on_batch(images) for images, _, _ in shown)
            with closing(map_ahead(self._compute, perturbed, self._parallel)) as computed:
                features = list(computed)
        except tf.errors.OpError as error:
            if cause := unreadable(error, config.data):
                raise cause from error
            raise
        stored = _converted(np.concatenate(features), config.feature_dtype, part)
        with written_hdf5(part.path) as file:
            # Contiguous and uncompressed, so that a row can be read at a known offset.
            file["features"] = stored

    def _compute(self, images: np.ndarray) -> np.ndarray:
        return self._predictor.predict(images, BATCH)


def _converted(features: np.ndarray, dtype: str, part: Part) -> np.ndarray:
    """Convert the features of a part, (n, time, channels), to the type that stores them.

    Raises:
        ConvRNNError: A feature is infinite or NaN in float16.
    """
    with np.errstate(over="ignore"):
        converted = features.astype(dtype, copy=False)
    if dtype == "float16" and not np.isfinite(converted).all():
        row, step, channel = np.argwhere(~np.isfinite(converted))[0]
        raise ConvRNNError(
            f"cannot write {part.path}: a feature in float16 must be finite and at most {np.finfo(dtype).max:g}, got "
            f"{features[row, step, channel]:g} (row {part.rows[row]} of {part.split}, time step {step}, channel "
            f"{channel}). Use --feature-dtype float32"
        )
    return converted
