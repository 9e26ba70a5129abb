"""`python -m frostbyte`."""

from frostbyte.cli.app import main

if __name__ == "__main__":
    main()
