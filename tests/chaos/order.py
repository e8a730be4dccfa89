"""What is asked of a run."""

from dataclasses import dataclass

FEWEST_OWNERS, MOST_OWNERS = 6, 150
LONGER = 1.5
SHORT_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How many policies, for how many seconds faults go on, and the seed of all chance."""

    policies: int
    seconds: float
    seed: int

    @property
    def is_short(self) -> bool:
        """Whether there is little time, so that everything comes faster."""
        return self.seconds <= SHORT_SECONDS

    @property
    def most_seconds(self) -> float:
        """After which no fault begins any more, though owners still are about their business."""
        return LONGER * self.seconds

    @property
    def gap(self) -> float:
        """Seconds between two faults, about."""
        return 1.4 if self.is_short else 3.6

    @property
    def waves(self) -> int:
        """How often policies are sold, paid and outlived."""
        return 2 if self.is_short else 3

    @property
    def block_seconds(self) -> float:
        """Seconds between two blocks."""
        return 0.5 if self.is_short else 1.0

    @property
    def points(self) -> bool:
        """Whether workers also end themselves at named points: each time costs its messages some seconds."""
        return not self.is_short

    @property
    def owners(self) -> int:
        """How many hold the policies: each about one of a wave, so that none has to wait for his last one."""
        return max(FEWEST_OWNERS, min(MOST_OWNERS, self.policies // self.waves))
