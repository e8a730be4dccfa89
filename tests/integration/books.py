"""The pool's mirror beside the pool itself."""

from registry.domain.units import Token
from registry.stacks.contract_reads import ContractReads
from registry.store import reservations
from registry.store.session import unit_of_work
from tests.integration.driver import Driver


def assert_books_equal_the_chain(driver: Driver) -> None:
    """Compare both tokens to the last unit, each mirror accrued to the height that the contract answers at."""
    reads = ContractReads(node=driver.chain.node, contracts=driver.chain.contracts)
    height = driver.chain.node.tip().burn_height
    for token in Token:
        with unit_of_work(driver.database) as session:
            ours = reservations.book(session, token).at(height)
        theirs = reads.get_pool(token)
        assert (ours.assets, ours.locked, ours.unearned) == (theirs.assets, theirs.locked, theirs.unearned), token
