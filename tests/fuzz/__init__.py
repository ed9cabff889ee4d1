"""Fuzzing: broken and hostile input for everything that reads files of others; `make fuzz` runs it.

Every input has to give a right answer or the packages' own one-line error, in bounded time and memory.
"""
