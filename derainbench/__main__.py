"""``python -m derainbench``."""

from derainbench.cli import main

if __name__ == "__main__":
    main()
