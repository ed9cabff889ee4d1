"""ImageNet and the human stimuli of SATBench, as verified webdataset shards of the 16 categories."""

from importlib.metadata import version as _version

from convrnn_data.base.errors import ConvRNNError
from convrnn_data.categories import CATEGORIES
from convrnn_data.human.reformatting import Reformatted, reformat
from convrnn_data.human.stimuli import Stimulus, list_stimuli
from convrnn_data.imagenet.preparing import Prepared, prepare
from convrnn_data.shards.prepared_set import PreparedSet, SampleTable, open_set
from convrnn_data.shards.verifying import Verified, verify

__version__ = _version("convrnn-data")

__all__ = [
    "CATEGORIES",
    "ConvRNNError",
    "Prepared",
    "PreparedSet",
    "Reformatted",
    "SampleTable",
    "Stimulus",
    "Verified",
    "__version__",
    "list_stimuli",
    "open_set",
    "prepare",
    "reformat",
    "verify",
]
