"""Where a cell's instructions go: counted blocks of code become functions, kinds of work, words.

counting   what a virtual board counted           mappings   which file lies at an address
functions  which function lies at an address      folding    all of it together, for one cell
sentence   what makes one cell slower than another
"""
