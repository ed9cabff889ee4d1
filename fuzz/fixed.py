"""What fuzzing has found and what is mended since, in words, by parser; `make fuzz` counts them."""

FIXED: dict[str, tuple[str, ...]] = {
    "tar": (
        "a file with two names (a long name and an extended header, or two of one kind) was read under one of them",
        "a file with an empty name, or with a folder's, was read under another one, or as a file of that name",
        "a header that gives all files one name was read otherwise than by tarfile",
    ),
    "picture": (
        "the reason why bytes are no picture held an address in memory, so that two runs wrote different files",
    ),
    "manifest": ("a count of something that is no category ended the table of counts in a traceback",),
    "lists": ("image numbers that fit no 64 bits were read as other numbers",),
    "predictions": (
        "rows with one cell more than the header were read one column aside",
        "the same again, where their first cells were numbers at even steps",
        "lines of nothing, or of spaces, were passed over, so that rows were missing",
        "true was read as 1",
        "answers, labels and blocks such as 0.5 were rounded down",
        "of two columns of one name one was taken",
        "a number of hundreds of digits ended in a traceback",
    ),
    "load": (
        "data kept in pieces far larger than themselves took gigabytes of memory for a file of one megabyte",
        "a heap whose free room led back to itself filled all memory",
        "an array with a damaged index, which no list named, ended the whole process",
    ),
    "inspect": (
        "groups within groups, thousands deep, took time that grew with the square of their number",
        "names in a damaged heap of the file were read without end",
    ),
    "history": (
        "other columns than this version's ended in a traceback when training went on",
        "of two columns of one name one was taken",
    ),
}
