"""python -m buildmatrix"""

from buildmatrix.cli import main

main()
