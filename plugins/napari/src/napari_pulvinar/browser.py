"""The dock widget: search a Pulvinar, look at what is found, open it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

from napari.layers import Layer as NapariLayer
from napari.qt.threading import thread_worker
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import (
    QFormLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

import pulvinar
from napari_pulvinar.layers import layers_of
from napari_pulvinar.marks import send_marks
from pulvinar.client import Client, RemoteAsset, RemoteDataset
from pulvinar.errors import PulvinarError

if TYPE_CHECKING:
    from napari.components import ViewerModel

PAGE = 50
_HELD = Qt.ItemDataRole.UserRole


class Browser(QWidget):
    """Datasets and assets of one Pulvinar: what is opened becomes layers of `napari_viewer`, what is drawn marks there.

    Whoever signed in by `pulvinar login` is signed in here. Everything that asks the server runs beside the window.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._client: Client | None = None
        self._searches = 0
        self._dataset_id = ""
        """The dataset of what was opened last: what is drawn over it lies on it."""
        self.address = QLineEdit("http://127.0.0.1:8765")
        self.question = QLineEdit()
        self.question.setPlaceholderText("words, or region:hippocampus species:mouse kind:skeleton")
        self.results = QTreeWidget()
        self.results.setHeaderHidden(True)
        self.results.setIconSize(QSize(48, 48))
        self.results.setAccessibleName("What was found")
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.about.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.open_button = QPushButton("Open")
        self.send_button = QPushButton("Send drawn marks")
        self.send_button.setToolTip("Put the points and shapes of the chosen layers onto the dataset opened last")
        self._lay_out()
        for line in (self.address, self.question):
            line.returnPressed.connect(self.search)
        self.results.itemExpanded.connect(self._fill)
        self.results.itemDoubleClicked.connect(lambda item, _: self._open(item))
        self.results.currentItemChanged.connect(lambda item, _: self._describe(item))
        self.open_button.clicked.connect(lambda: self._open(self.results.currentItem()))
        self.send_button.clicked.connect(self.send)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("&Server", self.address)
        form.addRow("&Find", self.question)
        button = QPushButton("Search")
        button.clicked.connect(self.search)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        for widget in (button, self.results, self.about, self.open_button, self.send_button):
            layout.addWidget(widget)

    def search(self) -> None:
        """List the newest datasets, or the assets that the question finds."""
        client = self._client = pulvinar.connect(self.address.text().strip())
        question = self.question.text().strip()
        self._searches += 1
        self.results.clear()
        if question:
            found = client.find(question)
            self._beside(lambda: list(islice(found, PAGE)), self._show_assets)
        else:
            self._beside(lambda: list(islice(client.datasets(), PAGE)), self._show_datasets)

    def _show_datasets(self, datasets: list[RemoteDataset]) -> None:
        for dataset in datasets:
            item = _item(dataset.title, dataset)
            item.setChildIndicatorPolicy(QTreeWidgetItem.ChildIndicatorPolicy.ShowIndicator)
            self.results.addTopLevelItem(item)
        self._say(f"{len(datasets)} datasets" if datasets else "Nothing here that you may see.")

    def _show_assets(self, assets: list[RemoteAsset]) -> None:
        for asset in assets:
            item = _item(f"{asset.name} ({asset.kind})\n{getattr(asset, 'title', '')}", asset)
            self.results.addTopLevelItem(item)
            self._picture(item, asset)
        self._say(f"{len(assets)} assets" if assets else "Nothing was found.")

    def _fill(self, item: QTreeWidgetItem) -> None:
        dataset = item.data(0, _HELD)
        if isinstance(dataset, RemoteDataset) and not item.childCount():
            self._beside(dataset.assets, lambda assets: self._hang(item, assets))

    def _hang(self, item: QTreeWidgetItem, assets: list[RemoteAsset]) -> None:
        for asset in assets:
            child = _item(f"{asset.name} ({asset.kind})", asset)
            item.addChild(child)
            self._picture(child, asset)

    def _picture(self, item: QTreeWidgetItem, asset: RemoteAsset) -> None:
        address, client = asset.links["thumbnail"], self._client
        if address and client:
            self._beside(lambda: client.read(address), lambda data: item.setIcon(0, _icon(data)))

    def _describe(self, item: QTreeWidgetItem | None) -> None:
        held = item.data(0, _HELD) if item else None
        if isinstance(held, RemoteDataset):
            record = held.record
            self._say("\n".join(text for text in (record["description"], f"Licence: {record['licence']}") if text))
        elif isinstance(held, RemoteAsset):
            self._say(f"{held.name}: {held.kind}, {held.size_bytes / 1e6:,.1f} MB stored")

    def _open(self, item: QTreeWidgetItem | None) -> None:
        if item is None:
            return
        held = item.data(0, _HELD)
        if isinstance(held, RemoteDataset):
            item.setExpanded(True)
        elif isinstance(held, RemoteAsset):
            self._say(f"Opening {held.name} …")
            parent = item.parent().data(0, _HELD) if item.parent() else None
            self._dataset_id = parent.id if parent else getattr(held, "dataset_id", "")
            self._beside(lambda: layers_of(held), self._add, outlives=True)

    def _add(self, layers: list[tuple[Any, dict[str, Any], str]]) -> None:
        for data, arguments, kind in layers:
            self._viewer.add_layer(NapariLayer.create(data, arguments, kind))
        self._say("")

    def send(self) -> None:
        """Put what is drawn in the chosen layers onto the dataset that was opened last, where the portal shows it."""
        client, dataset_id = self._client, self._dataset_id
        layers = [one for one in self._viewer.layers.selection if type(one).__name__ in ("Points", "Shapes")]
        if client is None or not dataset_id:
            self._say("Open something of a dataset first: the marks lie on it.")
        elif not layers:
            self._say("Choose layers of points or shapes in the list of layers.")
        else:
            self._say("Sending …")
            self._beside(
                lambda: [send_marks(client, one, dataset_id) for one in layers],
                lambda sent: self._say("Sent. In the browser: " + "\n".join(one.page for one in sent)),
                outlives=True,
            )

    def _beside(self, ask: Callable[[], Any], then: Callable[[Any], None], *, outlives: bool = False) -> None:
        """Ask the server in a thread, and give what it answers to `then` in this one.

        The next search takes the rows away that an answer was for, so only what `outlives` it is still of use.
        """
        asked = self._searches

        def attempt() -> tuple[Any, PulvinarError | None]:
            try:
                return ask(), None
            except PulvinarError as error:
                return None, error

        def take(outcome: tuple[Any, PulvinarError | None]) -> None:
            answer, error = outcome
            if error is not None:
                self._say(f"{error}\n{error.hint}" if error.hint else str(error))
            elif outlives or asked == self._searches:
                then(answer)

        # what goes wrong otherwise is a fault, which napari shows as one
        worker = thread_worker(attempt)()
        worker.returned.connect(take)
        worker.start()

    def _say(self, text: str) -> None:
        self.about.setText(text)


def _item(text: str, held: object) -> QTreeWidgetItem:
    item = QTreeWidgetItem([text])
    item.setData(0, _HELD, held)
    return item


def _icon(data: bytes) -> QIcon:
    picture = QPixmap()
    picture.loadFromData(data)
    return QIcon(picture)
