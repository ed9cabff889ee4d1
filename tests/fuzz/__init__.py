"""Fuzzing of every parser of foreign files: Atheris drives the byte formats, Hypothesis the text formats.

An input passes if it is accepted with a correct answer or refused by the packages' own one-line error, within bounded
time and memory. `make fuzz` runs the targets for as long as is asked; the tests here run them briefly.
"""
