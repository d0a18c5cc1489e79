"""Compiles on workers of Dask's: who sends them, and who makes them."""
