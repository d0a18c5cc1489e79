"""What is left of a state folder after kills, flipped bits and full disks: tried in numbers.

As root with an engine: `python -m tests.crash --kills 200 --flips 200 --sizes 20`.
"""
