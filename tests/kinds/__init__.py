"""The 27 kinds of files that the audit once judged wrongly, as a list."""
