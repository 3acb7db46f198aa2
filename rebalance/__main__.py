"""`python -m rebalance` is the same program as `rebalance`."""

from rebalance.cli.main import main

if __name__ == "__main__":
    main()
