"""x"""

TASKS: tuple[object, ...] = ()
