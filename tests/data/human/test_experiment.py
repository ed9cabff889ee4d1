from convrnn_data.human.experiment import BEEPS, BLOCK_FOLDERS, BLOCKS
from convrnn_data.human.stimuli import parse_name


def test_blocks_are_ordered_by_their_beeps():
    assert list(BEEPS.values()) == sorted(BEEPS.values())
    assert BLOCKS == len(BEEPS) == len(BLOCK_FOLDERS)


def test_file_names_may_give_each_block_and_no_other():
    blocks = [parse_name(f"1_blur_3_car_exit{block}.JPEG") for block in range(BLOCKS + 1)]
    assert [name.block for name in blocks[:-1]] == list(range(BLOCKS))
    assert blocks[-1] is None
