"""``python -m derainbench``."""

from derainbench.cli.main import main

if __name__ == "__main__":
    main()
