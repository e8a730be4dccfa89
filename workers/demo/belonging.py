"""Whether a chain and a database belong together: the database may be behind, and a fork may have parted them."""

from pathlib import Path

from sqlalchemy import func, inspect, select
from sqlmodel import col

from registry.domain.errors import RegistryError
from registry.domain.units import Principal, StacksHeight
from registry.stacks.node import StacksNode
from registry.store.session import Database, unit_of_work
from registry.store.tables import BlockRow
from workers.demo.kept import reset_command

FORK_BLOCKS = 192
"""So far a devnet can go back, by its option --snapshots: a block this deep is on every fork of one chain."""


class NotTogether(RegistryError):
    """Chain and database are not of one stack, or one of them is gone."""

    code = "not_together"
    sentence = "chain and database in {directory} do not belong together: {reason}"
    remedy = "put back what was taken away, or begin anew: `{reset}` removes both, and `registry up` makes new ones"

    @classmethod
    def because(cls, reason: str, *, directory: Path) -> "NotTogether":
        """Say why, and how both are removed."""
        return cls(directory=str(directory), reason=reason, reset=reset_command(directory))


def require_both(*, journal: Path, cluster: Path, has_cluster: bool, directory: Path) -> None:
    """See that neither the journal of the chain nor the database is gone.

    Raises:
        NotTogether: one of them is.
    """
    if not journal.is_file():
        raise NotTogether.because(f"the chain's journal {journal} is missing", directory=directory)
    if not has_cluster:
        raise NotTogether.because(f"the database {cluster} is missing", directory=directory)


def require_together(database: Database, node: StacksNode, *, registry: Principal, directory: Path) -> None:
    """See that the chain holds our contract, and a block that no fork can have taken from the database.

    A database without any block follows the chain from its beginning, so it belongs to every one.

    Raises:
        NotTogether: they are of two stacks.
    """
    if not inspect(database.engine).has_table(BlockRow.__tablename__):
        raise NotTogether.because("the database holds no tables", directory=directory)
    known = _deep_block(database)
    if known is not None:
        height, index_block_hash = known
        block = node.block(height)
        if block is None or block.index_block_hash != index_block_hash:
            found = "no block there" if block is None else f"block {block.index_block_hash}"
            reason = f"at height {height} the database knows block {index_block_hash}, the chain has {found}"
            raise NotTogether.because(reason, directory=directory)
    if not node.contract_exists(registry):
        raise NotTogether.because(f"there is no contract {registry} on the chain", directory=directory)


def known_height(database: Database) -> StacksHeight:
    """The height of the newest canonical block that the database knows; 0 before the first."""
    newest = select(func.max(col(BlockRow.height))).where(col(BlockRow.is_canonical))
    with unit_of_work(database) as session:
        return StacksHeight(session.execute(newest).scalar_one() or 0)


def _deep_block(database: Database) -> tuple[StacksHeight, str] | None:
    """Height and hash of the newest canonical block that every fork has, else of the oldest one."""
    height, newest = col(BlockRow.height), select(func.max(col(BlockRow.height))).where(col(BlockRow.is_canonical))
    canonical = select(height, col(BlockRow.index_block_hash)).where(col(BlockRow.is_canonical)).limit(1)
    with unit_of_work(database) as session:
        deep = canonical.where(height <= newest.scalar_subquery() - FORK_BLOCKS).order_by(height.desc())
        found = session.execute(deep).first() or session.execute(canonical.order_by(height)).first()
    return None if found is None else (StacksHeight(found[0]), found[1])
