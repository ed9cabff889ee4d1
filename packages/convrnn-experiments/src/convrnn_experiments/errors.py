"""The error that commands print as one line; the same type throughout the project's packages."""

from convrnn_data.base.errors import ConvRNNError

__all__ = ["ConvRNNError"]
