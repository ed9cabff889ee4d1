"""Fault injection: a kill, an interruption or an error before each file operation of every command that writes.

After a fault, no file may be half-written under its final name, the command must end in one clear line, and the next
start must finish with the bytes of an undisturbed run.
"""
