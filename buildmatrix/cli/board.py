from invoke.collection import Collection

TASKS = ()
DEVICE = Collection()
