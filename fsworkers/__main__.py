"""``python -m fsworkers`` is the command ``fsworkers``."""

from fsworkers.cli import main

if __name__ == "__main__":
    main()
