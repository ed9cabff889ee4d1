"""Design of SATBench's human experiments: response-time blocks and the deadlines for responses."""

BEEPS = {"Screen0": 500, "Screen400": 900, "Screen600": 1100, "Screen800": 1300, "Screen1000": 1500}
"""`sender` of the row that starts a block -> the block's beep, in ms after the stimulus; fastest block first."""

BLOCKS = len(BEEPS)
"""Number of response-time blocks."""

BLOCK_FOLDERS = tuple(str(block) for block in range(BLOCKS))
"""Folders of the blocks' stimuli, fastest block first."""

GRACE = 250
"""Time after the beep, in ms, within which a response still counts; then the trial ends as missed."""
