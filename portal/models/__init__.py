"""What we remember. Import the models from here."""

from portal.models.admin import Admin, LoginSession, LostRight, SpaceAdmin
from portal.models.batch import Batch, BatchItem
from portal.models.history import HistoryLine, LineCalls, PersonName, PrunePermit
from portal.models.inbox import InboxEvent
from portal.models.invoice import InvoiceSync, State, StateCount, Step
from portal.models.limits import Budget, Lease
from portal.models.member import MemberSync
from portal.models.space import AccountMapping, Chart, DebtorLink, PlanList, Space
from portal.models.support import SupportLook, SupportVisit
from portal.models.task import Task, TaskItem

__all__ = [
    "AccountMapping",
    "Admin",
    "Batch",
    "BatchItem",
    "Budget",
    "Chart",
    "DebtorLink",
    "HistoryLine",
    "InboxEvent",
    "InvoiceSync",
    "Lease",
    "LineCalls",
    "LoginSession",
    "LostRight",
    "MemberSync",
    "PersonName",
    "PlanList",
    "PrunePermit",
    "Space",
    "SpaceAdmin",
    "State",
    "StateCount",
    "Step",
    "SupportLook",
    "SupportVisit",
    "Task",
    "TaskItem",
]
