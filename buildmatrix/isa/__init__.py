"""ARM's instruction sets as tables: which instructions need what of the processor.

features   what a processor has, by its architecture's name or its board
patterns   how words of code are held against a table, whole sections at once
a64        the 64-bit set             a32        the 32-bit set, and Thumb derived from it
branches   where an instruction leads
"""
