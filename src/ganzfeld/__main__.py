"""``python -m ganzfeld`` is the command ``ganzfeld``."""

from ganzfeld.cli import main

if __name__ == "__main__":
    main()
