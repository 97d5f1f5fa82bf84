"""What the pipeline needs of the world: one Protocol each.

Every method with an effect says what happens when it is called twice, since every step of a
cycle may run again after a crash. Failures are `RetrainerError`s; adapters translate their own.
"""

from retrainer.ports.clock import Clock
from retrainer.ports.data import ArtifactStore, DataSource, Project, SnapshotStore
from retrainer.ports.memory import Journal, Lease, PendingNotification, RunStore
from retrainer.ports.people import CycleListener, CycleReport, Fetch, Message, Notifier, Renderer
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
    "ArtifactStore",
    "Clock",
    "CycleListener",
    "CycleReport",
    "DataSource",
    "Fetch",
    "Journal",
    "Lease",
    "Message",
    "ModelDescription",
    "Notifier",
    "PendingNotification",
    "Platform",
    "Progress",
    "ProgressListener",
    "Project",
    "ProjectContents",
    "Rasa",
    "Renderer",
    "RunStore",
    "SnapshotStore",
    "Versions",
]
