"""What is left of a state folder after kills, flipped bits and full disks: tried in numbers.

`tests/integration/test_crash.py` tries a few of each. As many as you like, as root with an engine:
`python -m tests.crash --kills 200 --flips 200 --sizes 20`.
"""
