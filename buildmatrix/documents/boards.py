"""deploy, device: what is done on boards, and what they are."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from buildmatrix.nouns import DeviceInfo


class DeployedCell(TypedDict):
    id: str
    digest: str
    state: Literal["switched", "unchanged", "would switch", "rolled back"]
    bytes: NotRequired[int]


class RefusedCell(TypedDict):
    id: str
    findings: list[str]  # code and words


class Forecast(TypedDict):
    """What a deploy would send, switch and need; bytes, seconds, bytes a second, KiB."""

    objects: int
    bytes: int
    wire_bytes: int
    kept_bytes: int
    seconds: float
    round_trip_s: float
    rate: float
    switched: tuple[str, ...]
    removed: tuple[str, ...]
    used_kib: int
    adds_kib: int


class DeployedBoard(TypedDict):
    """One board; with --dry-run it has `forecast` and `busy`, after a deploy the figures."""

    device: str
    cells: list[DeployedCell]
    refused: list[RefusedCell]
    emulated: NotRequired[str]
    busy: NotRequired[str]
    forecast: NotRequired[Forecast]
    sent_objects: NotRequired[int]
    sent_bytes: NotRequired[int]
    kept_bytes: NotRequired[int]
    seconds: NotRequired[float]
    removed_bundles: NotRequired[int]


class Deploy(TypedDict):
    """`inv deploy`: every board that was meant."""

    version: Literal[1]
    boards: list[DeployedBoard]


class BufferBytes(TypedDict):
    input: int
    output: int
    scratch: int
    column: int


class FirmwareRow(TypedDict):
    """A cell on an emulated board without an operating system: `different` of `answers` are not
    bit for bit what they have to be; of the `pictures` that were held out `right` were known."""

    cell: str
    model: str
    board: str
    emulated: str
    bundle: str
    instructions: int  # of one pass
    answers: int
    different: int
    pictures: int
    right: int
    right_in_floats: int
    buffers: BufferBytes
    weights: int  # bytes, biases with them


class Firmware(TypedDict):
    """`inv firmware`: every cell that ran."""

    version: Literal[1]
    cells: list[FirmwareRow]


class Address(TypedDict):
    host: str
    port: int
    user: str
    host_key: str
    identity_file: str
    virtual: bool


class DeviceUp(Address):
    """`inv device up`: where the virtual board answers."""

    version: Literal[1]
    name: str
    kind: str
    link: str


class DeviceRow(Address):
    board: str
    name: str
    kind: str
    state: str  # idle, running, stale, stopped, done, away, off
    owner: str
    detail: str
    last_seen: str


class DeviceList(TypedDict):
    """`inv device list`: every board, and who is at work on it."""

    version: Literal[1]
    devices: list[DeviceRow]


DeviceFacts = DeviceInfo  # `inv device info`: the board's facts beside the version
