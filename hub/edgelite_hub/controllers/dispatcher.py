"""Takes changes of the store to the controllers that they concern, each key once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from edgelite_hub.controllers.contract import Controller, Key, Notices, Work
from edgelite_hub.environment import Environment
from edgelite_hub.store.contract import Change, Transaction

Item = tuple[int, Key]  # (which controller, its key)

# In one transaction: others wait meanwhile, and 200 keys take some tens of milliseconds.
KEYS_MAX = 200


class Dispatcher:
    """Holds which keys are due. `note` and `run` are each called inside a transaction, never two at once."""

    def __init__(self, controllers: Sequence[Controller], environment: Environment) -> None:
        self._controllers = controllers
        self._environment = environment
        self._due: OrderedDict[Item, None] = OrderedDict()
        self._patient: OrderedDict[Item, None] = OrderedDict()

    @property
    def is_idle(self) -> bool:
        """Nothing is due, but for what is patient."""
        return not self._due

    @property
    def has_patient(self) -> bool:
        return bool(self._patient)

    def hurry(self) -> None:
        """What is patient is due now."""
        self._due.update(self._patient)
        self._patient.clear()

    def note_everything(self, transaction: Transaction) -> None:
        for index, controller in enumerate(self._controllers):
            self._note(index, controller, controller.keys_at_start(transaction))

    def note(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        for change in changes:
            for index, controller in enumerate(self._controllers):
                self._note(index, controller, controller.keys_for(change, transaction))

    def _note(self, index: int, controller: Controller, keys: Iterable[Key]) -> None:
        waiting = self._patient if controller.is_patient else self._due
        for key in keys:
            waiting[(index, key)] = None

    def take(self, count: int = KEYS_MAX) -> list[Item]:
        return [self._due.popitem(last=False)[0] for _ in range(min(count, len(self._due)))]

    def run(self, transaction: Transaction, items: Sequence[Item]) -> Notices:
        notices = Notices()
        work = Work(transaction, self._environment, notices)
        for index, key in items:
            self._controllers[index].reconcile(work, key)
        return notices

    def describe(self, item: Item) -> str:
        index, key = item
        return type(self._controllers[index]).__name__ + " " + "/".join(key)
