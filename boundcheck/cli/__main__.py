"""`python -m boundcheck.cli`."""

from boundcheck.cli.main import main

main()
