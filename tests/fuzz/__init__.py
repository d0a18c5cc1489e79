"""Fuzzing of everything that reads what others wrote: only the tool's own errors, within bounds.

`tests/unit/test_fuzz.py` tries a few hundred small inputs, the same each time. For as long as you
like, with inputs of up to a megabyte and bounds of time and memory: `python -m tests.fuzz`.
"""
