"""Predictions as CSV, in the long and the wide form: errors by line."""

import pytest

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.rows.read import read_rows

A, B = "ColorGraySplit/0/11_color_gray_c_dog.JPEG", "ColorGraySplit/1/12_color_gray_c_cat.JPEG"
SIXTEENTH = ",".join(["0.0625"] * 16)
NAMES = "airplane,bear,bicycle,bird,boat,bottle,car,cat,chair,clock,dog,elephant,keyboard,knife,oven,truck"


@pytest.fixture
def read(tmp_path):
    def read(*lines: str):
        (tmp_path / "net.csv").write_text("\n".join(lines) + "\n")
        return read_rows([tmp_path / "net.csv"]).evaluations

    return read


def test_block_and_category_come_from_folder_and_name(read):
    (row,) = read("image,time,prediction", f"{B},1,dog", f"{A},1,10")
    assert row.answers.blocks.tolist() == [1, 0]
    assert row.answers.labels.tolist() == [7, 10]
    assert row.answers.right[:, 0].tolist() == [False, True]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["image,time,prediction"], "got the header alone"),
        (["image,time,prediction", f"{A},1"], "line 2 must have 3 cells as the header has, got 2"),
        (["image,time,prediction", f"{A},one,dog"], "line 2: time must be a number, got 'one'"),
        (["image,time,prediction", f"{A},inf,dog"], "line 2: time must be a number, got 'inf'"),
        (["image,time,prediction", f"{A},1,wolf"], "line 2: prediction: a category must be one of"),
        (["image,time,prediction", f"{A},1,16"], r"or 0 to 15 in this order, got '16'\. Map other classes"),
        (["image,time,answer", f"{A},1,dog"], "must have a column prediction, got image, time, answer"),
        (["image,time,prediction,TIME", f"{A},1,dog,1"], "column names must be unique, got 'time' twice"),
        (["image,time,prediction", f"{A},1,dog", f"{A},1,dog"], "line 3: an image may have one row per time"),
        (["image,time,prediction", f"{A},1,dog", f"{B},2,dog"], "every image must have all times, got .* without"),
        (["image,time,prediction", "photo.jpg,1,dog"], "line 2: an image must be named as the stimuli"),
        (["image,time,prediction", "11_color_gray_c_dog.JPEG,1,dog"], "got no block for '11_color"),
        (["image,time,prediction,block", f"{A},1,dog,3"], "got blocks 0, 3 for"),
        (["image,time,prediction,block", f"{A},1,dog,5"], "line 2: block must be 0 to 4"),
        (["image,label,time,prediction", f"{A},cat,1,dog"], "the label must be the category in the name .* got cat"),
        (["image,label,time,prediction", f"{A},dog,1,dog", f"{A},,2,dog"], "line 3: an image must have one label"),
        ([f"image,time,{NAMES}", f"{A},1,{SIXTEENTH.replace('0.0625', '0.1')}"], "smallest 0.1 and the sum 1.6"),
        ([f"image,time,{NAMES[:-6]}", f"{A},1,{SIXTEENTH[:-7]}"], "each of the 16 categories, got no column truck"),
        (["image,time,prediction,multiply_adds", f"{A},1,dog,0"], "multiply_adds must be positive"),
        (
            ["image,time,prediction,multiply_adds", f"{A},1,dog,1", f"{B},1,dog,2"],
            "line 3: multiply_adds must be the same for all images",
        ),
        (["file_names,labels,predictions_exit0", "11_color_gray_c_dog_exit0.JPEG,3,0"], "got bird for 11_color"),
        (
            ["file_names,labels,predictions_exit0,entropy_exit0", "11_color_gray_c_dog_exit0.JPEG,10,0,-1"],
            "line 2: entropy_exit0 must be at least 0, got -1",
        ),
    ],
)  # fmt: skip
def test_a_wrong_file_is_named_by_line(read, lines, message):
    with pytest.raises(ConvRNNError, match=message):
        read(*lines)


def test_one_image_in_two_blocks_needs_the_block(read):
    name = "11_color_gray_c_dog.JPEG"
    (row,) = read("image,time,prediction,block", f"{name},1,dog,0", f"{name},1,cat,1")
    assert row.answers.blocks.tolist() == [0, 1]
    with pytest.raises(ConvRNNError, match="If the image is in several response-time blocks, give a column"):
        read("image,time,prediction", f"{name},1,dog", f"{name},1,cat")


def test_one_file_can_have_several_regimes(read):
    gray = A.replace("_c_", "_g_")
    rows = read("image,time,prediction", f"{gray},1,dog", f"{A},1,cat")
    assert [(row.regime, row.accuracy.percent) for row in rows] == [("color", [0.0]), ("grayscale", [100.0])]


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "net.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"image,time,prediction\r\n{A},1,dog\r\n".encode())
    assert read_rows([path]).evaluations[0].accuracy.percent == [100.0]
