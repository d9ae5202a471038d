"""`python -m commonweight`."""

from commonweight.cli import main

if __name__ == "__main__":
    main()
