"""`python -m tests.chaos`: make a run of chaos and print what it cost."""

import argparse
import os
import random
import sys
from pathlib import Path

from tests.chaos.order import Order
from tests.chaos.run import run

POLICIES, MINUTES = 300, 3.5


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--policies", type=int, default=POLICIES, help=f"how many are asked for ({POLICIES})")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"how long faults go on ({MINUTES:g})")
    parser.add_argument("--seed", type=int, default=None, help="of all chance; $SEED, or a new one")
    parser.add_argument("--report", type=Path, default=None, help="where to write a report as JSON")
    given = parser.parse_args()
    seed = (
        given.seed if given.seed is not None else int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    )
    return run(Order(policies=given.policies, seconds=given.minutes * 60, seed=seed), report=given.report)


if __name__ == "__main__":
    sys.exit(main())
