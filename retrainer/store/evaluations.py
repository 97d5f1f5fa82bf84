"""What past cycles measured."""

import sqlalchemy as sa

from retrainer.domain.evaluation import Evaluation
from retrainer.store import records
from retrainer.store.engine import reading
from retrainer.store.tables import cycles


def recently_decided(engine: sa.Engine, limit: int) -> tuple[int, ...]:
    """Numbers of the newest cycles that came to a verdict, newest first.

    Raises:
        DatabaseError: the database could not be used.
    """
    query = (
        sa.select(cycles.c.number)
        .where(cycles.c.verdict.is_not(None))
        .order_by(cycles.c.started_at.desc(), cycles.c.number.desc())
        .limit(limit)
    )
    with reading(engine) as connection:
        return tuple(connection.scalars(query))


def recent_comparisons(
    engine: sa.Engine, assistant: str, limit: int
) -> tuple[tuple[int, Evaluation], ...]:
    """The assistant's newest evaluations of two models, each with its cycle, newest first.

    Raises:
        DatabaseError: the database could not be used.
    """
    numbers = (
        sa.select(cycles.c.number)
        .where(cycles.c.assistant == assistant, cycles.c.f1_champion.is_not(None))
        .order_by(cycles.c.started_at.desc(), cycles.c.number.desc())
        .limit(limit)
    )
    with reading(engine) as connection:
        found = [
            (number, records.state_after_steps(connection, number).evaluation)
            for number in connection.scalars(numbers).all()
        ]
    return tuple((number, evaluation) for number, evaluation in found if evaluation is not None)
