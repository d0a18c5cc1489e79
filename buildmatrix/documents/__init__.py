"""The JSON documents that commands print: one type for each, whoever makes or draws it.

A document is JSON from the start, so there is nothing to convert at the border: who makes one and
who draws a table of it name the same type, and mypy holds both to it. `schemas` turns the types
into docs/schemas/out. Fields only grow; version 1 stays.
"""
