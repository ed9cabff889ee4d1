"""Error that commands print as one line, shared with `convrnn_data`."""

from convrnn_data.base.errors import ConvRNNError

__all__ = ["ConvRNNError"]
