"""What people answered to cycles that were held for them."""

import sqlalchemy as sa

from retrainer.ports import Answer
from retrainer.store.engine import reading, writing
from retrainer.store.tables import approvals


class SqlApprovals:
    """The answers, in SQLite or PostgreSQL. Every method may raise DatabaseError."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def of(self, cycle: int) -> Answer | None:
        """The answer to the cycle; None as long as there is none."""
        with reading(self._engine) as connection:
            return of_cycle(connection, cycle)

    def give(self, answer: Answer) -> Answer:
        """Write the answer down unless there is one; returns the one that stands."""
        with writing(self._engine) as connection:
            try:
                with connection.begin_nested():
                    connection.execute(
                        sa.insert(approvals).values(
                            cycle=answer.cycle,
                            approved=answer.approved,
                            actor=answer.actor,
                            reason=answer.reason,
                            at=answer.at,
                        )
                    )
            except sa.exc.IntegrityError:  # somebody was faster
                return of_cycle(connection, answer.cycle) or answer
            return answer

    def withdraw(self, answer: Answer) -> None:
        """Take this very answer back, since it could not be carried out; again: nothing."""
        with writing(self._engine) as connection:
            connection.execute(
                sa.delete(approvals).where(
                    approvals.c.cycle == answer.cycle, approvals.c.at == answer.at
                )
            )


def of_cycle(connection: sa.Connection, cycle: int) -> Answer | None:
    """The answer to the cycle; None as long as there is none."""
    query = sa.select(approvals).where(approvals.c.cycle == cycle)
    row = connection.execute(query).mappings().first()
    return Answer(**row) if row is not None else None
