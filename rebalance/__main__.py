"""The way in: signals are answered before anything else is imported."""

from rebalance.cli.signals import Interrupted, die_of, install_handlers


def main() -> None:
    """Run the program and exit."""
    install_handlers()
    try:
        from rebalance.cli.main import main as run  # noqa: PLC0415  a Ctrl-C meanwhile is answered, too

        run()
    except Interrupted as interrupted:
        die_of(interrupted.number)


if __name__ == "__main__":
    main()
