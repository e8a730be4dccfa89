"""Every type of an answer, and the names under which their integers are wide."""

from typing_extensions import is_typeddict

from registry_client import access_answers, answers, history_answers, webhook_answers
from registry_client.wide import wide_names

SHAPES = tuple(
    each
    for page in (answers, access_answers, history_answers, webhook_answers)
    for each in vars(page).values()
    if is_typeddict(each) and each.__module__ == page.__name__
)
WIDE_NAMES = wide_names(SHAPES)
