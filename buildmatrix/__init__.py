"""Cross-build, audit, deploy and honestly measure ARM inference stacks from one matrix file."""

__version__ = "0.2.0"
