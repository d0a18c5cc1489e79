"""python -m buildmatrix, and where the console script starts."""

import sys


def main() -> None:
    """The command line; names for a shell's completion come without its imports."""
    if sys.argv[1:2] == ["--complete"] and sys.argv[2:3] != ["--"]:  # with --: Invoke's own
        from buildmatrix.completion import answer

        sys.stdout.write(answer(sys.argv[2:]))
        return
    from buildmatrix import cli

    cli.main()


if __name__ == "__main__":
    main()
