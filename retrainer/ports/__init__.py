"""What the pipeline needs of the world: one Protocol each.

Every method with an effect says what happens when it is called twice, since every step of a
cycle may run again after a crash. Failures are `RetrainerError`s; adapters translate their own.
"""

from retrainer.ports.actions import ActionServer
from retrainer.ports.agenda import Agenda, DataSeen, Enrolment, Pause, Request
from retrainer.ports.approvals import Answer, Approvals
from retrainer.ports.clock import Clock
from retrainer.ports.data import ArtifactStore, DataSource, Project, SnapshotStore
from retrainer.ports.memory import Journal, Lease, PendingNotification, RunStore
from retrainer.ports.people import (
    CycleListener,
    CycleReport,
    Fetch,
    Message,
    Notifier,
    Renderer,
    SummaryNotifier,
)
from retrainer.ports.platform import Platform
from retrainer.ports.rasa import (
    ModelDescription,
    Progress,
    ProgressListener,
    ProjectContents,
    Rasa,
    Versions,
)

__all__ = [
    "ActionServer",
    "Agenda",
    "Answer",
    "Approvals",
    "ArtifactStore",
    "Clock",
    "CycleListener",
    "CycleReport",
    "DataSeen",
    "DataSource",
    "Enrolment",
    "Fetch",
    "Journal",
    "Lease",
    "Message",
    "ModelDescription",
    "Notifier",
    "Pause",
    "PendingNotification",
    "Platform",
    "Progress",
    "ProgressListener",
    "Project",
    "ProjectContents",
    "Rasa",
    "Renderer",
    "Request",
    "RunStore",
    "SnapshotStore",
    "SummaryNotifier",
    "Versions",
]
