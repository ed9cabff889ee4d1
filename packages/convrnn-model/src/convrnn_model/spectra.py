"""A kernel's spectrum: one for all time steps, kept between calls where asked for, and never a stale one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from convrnn_model.backend import ops
from convrnn_model.tiles import Plan, joined

# The attribute of a traced graph of TensorFlow's that holds the spectra of its kernels.
IN_GRAPH = "_convrnn_spectra"
# What the graphs of Keras' predict and evaluate are called. They live and die with the model, as kept spectra do;
# any other graph may be exported, and a variable that is no weight would be missing there.
KERAS_STEP = "step_on_data"


def shared_spectrum(kernels: Sequence[Any], value: Any, plan: Plan) -> Any:
    """The kernels' spectrum, computed once for all time steps of a traced graph and never kept beyond it.

    It is used again only while the graph has done nothing but read the variables: after an assignment, as
    between two steps of training in one graph, it is computed anew.

    Args:
        kernels: Variables, or tensors, whose spectrum is always computed.
        value: Their values side by side, (r, r, channels, filters), in float32.
        plan: How the image is cut.
    """
    graph, captured = _graph_and_handles(kernels)
    if graph is None:
        return plan.kernel_spectrum(value)
    spectra = _of(graph)
    key = (*(handle.name for handle in captured), plan)
    if not _only_read(captured) or key not in spectra:
        spectra[key] = plan.kernel_spectrum(value)
    return spectra[key]


class KeptSpectra:
    """Spectra of some kernels, kept in TensorFlow variables from one call of Keras' predict to the next.

    Beside each lies a copy of the kernels that it was computed from. A call compares these with the kernels as they
    are, bit for bit, which is thirty times quicker than computing the spectrum, and computes it again where they
    differ: after loading, training or any assignment.
    """

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[list[Any], Any]] = {}

    def read(self, kernels: Sequence[Any], value: Any, plan: Plan) -> Any:
        """The spectrum of what the kernels hold now; arguments as for `shared_spectrum`."""
        graph, captured = _graph_and_handles(kernels)
        if graph is None or not in_keras_step() or not _only_read(captured):
            return shared_spectrum(kernels, value, plan)
        spectra, key = _of(graph), (id(self), *(handle.name for handle in captured), plan)
        if key not in spectra:
            spectra[key] = self._read(kernels, value, plan)
        return spectra[key]

    def first_of(
        self, together: Sequence[Any], whole: Plan, kernels: Sequence[Any], value: Any, plan: Plan
    ) -> Any:
        """The spectrum of kernels that are the first of several, cut off from the one of all, which is kept anyway.

        Args:
            together: All kernels, side by side in other calls.
            whole: Their plan, which cuts the image as `plan` does.
            kernels: The first of them.
            value: Unused, as the whole's spectrum has it.
            plan: The plan of these alone.
        """
        everything = ops.cast(joined([ops.convert_to_tensor(k) for k in together], axis=2), "float32")
        return self.read(together, everything, whole)[:, : plan.channels]

    def _read(self, kernels: Sequence[Any], value: Any, plan: Plan) -> Any:
        import tensorflow as tf

        copies, spectrum = self._variables(kernels, plan)
        values = [tf.convert_to_tensor(kernel) for kernel in kernels]
        same = [tf.reduce_all(copy == now) for copy, now in zip(copies, values, strict=True)]

        def renew() -> Any:
            written = spectrum.assign(plan.kernel_spectrum(value), read_value=False)
            # Last, since they say what the spectrum is of.
            with tf.control_dependencies([written]):
                return tf.group(
                    *(copy.assign(now, read_value=False) for copy, now in zip(copies, values, strict=True))
                )

        with tf.control_dependencies([tf.cond(tf.reduce_all(same), tf.no_op, renew)]):
            return spectrum.read_value()

    def _variables(self, kernels: Sequence[Any], plan: Plan) -> tuple[list[Any], Any]:
        import tensorflow as tf

        key = (*(id(kernel) for kernel in kernels), plan)
        if key not in self._kept:
            with tf.init_scope():
                # Nothing equals NaN, so the first call computes.
                copies = [tf.Variable(np.full(kernel.shape, np.nan, "float32")) for kernel in kernels]
                self._kept[key] = (copies, tf.Variable(tf.zeros(plan.spectrum_shape)))
        return self._kept[key]


def in_keras_step() -> bool:
    """Whether a graph of Keras' predict, evaluate or fit is being traced, which is never exported, on one device."""
    import tensorflow as tf

    if tf.executing_eagerly() or tf.distribute.has_strategy():
        return False
    return KERAS_STEP in getattr(tf.compat.v1.get_default_graph(), "name", "")


def _graph_and_handles(kernels: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The graph being traced, None if there is none or a kernel no variable, and in it the kernels' resources."""
    import tensorflow as tf

    handles = [getattr(getattr(kernel, "value", None), "handle", None) for kernel in kernels]
    graph: Any = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
    if None in handles or not hasattr(graph, "capture"):
        return None, []
    return graph, [graph.capture(handle) for handle in handles]


def _only_read(captured: Sequence[Any]) -> bool:
    return all(user.type == "ReadVariableOp" for handle in captured for user in handle.consumers())


def _of(graph: Any) -> dict[Any, Any]:
    spectra: dict[Any, Any] = getattr(graph, IN_GRAPH, {})
    setattr(graph, IN_GRAPH, spectra)
    return spectra
