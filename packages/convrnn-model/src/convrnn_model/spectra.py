"""Kernel spectra: shared by all time steps of a graph, optionally cached between calls, never stale."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from convrnn_model.backend import ops
from convrnn_model.tiles import Plan, concatenated

# Attribute of a traced TensorFlow graph with the spectra of its kernels.
IN_GRAPH = "_convrnn_spectra"
# Part of the name of graphs of Keras' predict and evaluate, which live as long as the model and its cached spectra. Any
# other graph may be exported, and would then lack variables that are not weights.
KERAS_STEP = "step_on_data"


def shared_spectrum(kernels: Sequence[Any], value: Any, plan: Plan) -> Any:
    """Return the kernels' spectrum, computed once for all time steps of a traced graph.

    It is reused only while the graph has only read the variables. After an assignment, as between two training steps
    in one graph, it is recomputed.

    Args:
        kernels: Variables; the spectrum of tensors is always recomputed.
        value: Their values concatenated along channels, (r, r, channels, filters), in float32.
        plan: Plan of the convolution.
    """
    graph, captured = _graph_and_handles(kernels)
    if graph is None:
        return plan.kernel_spectrum(value)
    spectra = _graph_spectra(graph)
    key = (*(handle.name for handle in captured), plan)
    if not _only_read(captured) or key not in spectra:
        spectra[key] = plan.kernel_spectrum(value)
    return spectra[key]


class SpectrumCache:
    """Cache of kernel spectra in TensorFlow variables, between calls of Keras' predict.

    Each spectrum is stored with a copy of its kernels. A call compares the copy with the current kernels bit for bit,
    thirty times as fast as computing the spectrum, and recomputes the spectrum if they differ: after loading, training
    or any assignment.
    """

    def __init__(self) -> None:
        self._cached: dict[Any, tuple[list[Any], Any]] = {}

    def read(self, kernels: Sequence[Any], value: Any, plan: Plan) -> Any:
        """Return the spectrum of the kernels' current values; arguments as for `shared_spectrum`."""
        graph, captured = _graph_and_handles(kernels)
        if graph is None or not in_keras_step() or not _only_read(captured):
            return shared_spectrum(kernels, value, plan)
        spectra, key = _graph_spectra(graph), (id(self), *(handle.name for handle in captured), plan)
        if key not in spectra:
            spectra[key] = self._read(kernels, value, plan)
        return spectra[key]

    def read_first(
        self, together: Sequence[Any], whole: Plan, kernels: Sequence[Any], value: Any, plan: Plan
    ) -> Any:
        """Return the spectrum of the first of several kernels as a slice of the cached spectrum of all.

        Args:
            together: All kernels, which other calls concatenate.
            whole: Their plan, with the same tiling as `plan`.
            kernels: The first kernels; unused.
            value: Their values; unused.
            plan: The plan of the first kernels alone.
        """
        value_of_all = ops.cast(concatenated([ops.convert_to_tensor(k) for k in together], axis=2), "float32")
        return self.read(together, value_of_all, whole)[:, : plan.channels]

    def _read(self, kernels: Sequence[Any], value: Any, plan: Plan) -> Any:
        import tensorflow as tf

        copies, spectrum = self._variables(kernels, plan)
        values = [tf.convert_to_tensor(kernel) for kernel in kernels]
        unchanged = [tf.reduce_all(copy == now) for copy, now in zip(copies, values, strict=True)]

        def recompute() -> Any:
            written = spectrum.assign(plan.kernel_spectrum(value), read_value=False)
            # Copies are written last, since they mark the spectrum as valid.
            with tf.control_dependencies([written]):
                return tf.group(
                    *(copy.assign(now, read_value=False) for copy, now in zip(copies, values, strict=True))
                )

        with tf.control_dependencies([tf.cond(tf.reduce_all(unchanged), tf.no_op, recompute)]):
            return spectrum.read_value()

    def _variables(self, kernels: Sequence[Any], plan: Plan) -> tuple[list[Any], Any]:
        import tensorflow as tf

        key = (*(id(kernel) for kernel in kernels), plan)
        if key not in self._cached:
            with tf.init_scope():
                # NaN differs from any value, so the first call computes the spectrum.
                copies = [tf.Variable(np.full(kernel.shape, np.nan, "float32")) for kernel in kernels]
                self._cached[key] = (copies, tf.Variable(tf.zeros(plan.spectrum_shape)))
        return self._cached[key]


def in_keras_step() -> bool:
    """Return whether Keras' predict, evaluate or fit is being traced on one device; their graphs are never exported."""
    import tensorflow as tf

    if tf.executing_eagerly() or tf.distribute.has_strategy():
        return False
    return KERAS_STEP in getattr(tf.compat.v1.get_default_graph(), "name", "")


def _graph_and_handles(kernels: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Return the traced graph and its handles of the kernels; None without a graph or if a kernel is a tensor."""
    import tensorflow as tf

    handles = [getattr(getattr(kernel, "value", None), "handle", None) for kernel in kernels]
    graph: Any = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
    if None in handles or not hasattr(graph, "capture"):
        return None, []
    return graph, [graph.capture(handle) for handle in handles]


def _only_read(captured: Sequence[Any]) -> bool:
    return all(user.type == "ReadVariableOp" for handle in captured for user in handle.consumers())


def _graph_spectra(graph: Any) -> dict[Any, Any]:
    spectra: dict[Any, Any] = getattr(graph, IN_GRAPH, {})
    setattr(graph, IN_GRAPH, spectra)
    return spectra
