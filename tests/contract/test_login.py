"""Logging in: which keys are tried, what a person is asked, and where the secrets do not go."""

from __future__ import annotations

import logging
import socket
import subprocess
import time
import traceback
from typing import TYPE_CHECKING

import pytest

from buildmatrix.errors import DeviceError, LinkLost
from buildmatrix.ssh import Keyring, connect
from tests.sshd import USER, PasswordServer, Servers, Sshd, fingerprint_of, make_key, servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from buildmatrix.nouns import BoardAddress

__all__ = ["servers"]

SECRET = "correct horse battery staple"
WRONG = "incorrect horse"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".ssh").mkdir()
    return tmp_path


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """An ssh-agent of this test's own; called with key files, it loads them."""
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.01)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))

    def add(*keys: Path) -> None:
        subprocess.run(["ssh-add", "-q", *keys], check=True)

    yield add
    process.terminate()
    process.wait(10)


class Person:
    """Answers prompts in turn, and remembers them."""

    def __init__(self, *answers: str, seconds: float = 0) -> None:
        self.answers = list(answers)
        self.seconds = seconds
        self.prompts: list[str] = []

    def __call__(self, prompt: str) -> str:
        self.prompts.append(prompt)
        time.sleep(self.seconds)
        return self.answers.pop(0)


@pytest.fixture
def locked(servers: Servers) -> Path:
    """A private key with a passphrase, which the servers take."""
    return make_key(servers.folder / "locked", passphrase=SECRET)


def log_in(board: BoardAddress, keyring: Keyring | None = None, **more: object) -> None:
    connect(board, timeout=20, known_hosts=None, keyring=keyring, **more).close()  # type: ignore[arg-type]


@pytest.fixture
def server(servers: Servers, locked: Path) -> Sshd:
    server = servers.start()
    servers.authorize(server, locked)
    return server


class TestKeys:
    def test_default_keys(self, home: Path, servers: Servers, server: Sshd) -> None:
        make_key(home / ".ssh" / "id_ed25519")
        servers.identity.rename(home / ".ssh" / "id_rsa")  # the name says nothing about the type
        log_in(server.target())

    @pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
    def test_other_types(self, home: Path, servers: Servers, server: Sshd, kind: str) -> None:
        key = make_key(home / "key", kind=kind)
        servers.authorize(server, key)
        log_in(server.target(key))

    def test_the_agent(self, agent: Callable[..., None], servers: Servers, server: Sshd) -> None:
        agent(servers.identity)
        log_in(server.target())

    def test_the_agent_has_the_key_that_is_named(
        self, agent: Callable[..., None], home: Path, servers: Servers, server: Sshd
    ) -> None:
        """So its passphrase is not asked for, and no other key of the agent is shown."""
        agent(*(make_key(home / f"other{i}") for i in range(8)), servers.identity)
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", SECRET, "-f", servers.identity], check=True)
        log_in(server.target(servers.identity))

    def test_only_the_key_that_is_named(
        self, agent: Callable[..., None], home: Path, servers: Servers, server: Sshd
    ) -> None:
        """Refused once, it is not tried again from its file, whose passphrase would be asked."""
        stranger = make_key(home / "stranger")
        agent(servers.identity, stranger)
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", SECRET, "-f", stranger], check=True)
        with pytest.raises(DeviceError, match="refused") as caught:
            log_in(server.target(stranger), Keyring(Person()))
        assert caught.value.details == f"agent's ssh-ed25519 {fingerprint_of(stranger)}: refused"

    def test_too_many_keys_and_identities_only(
        self, agent: Callable[..., None], home: Path, servers: Servers, server: Sshd
    ) -> None:
        agent(*(make_key(home / f"other{i}") for i in range(8)), servers.identity)
        with pytest.raises(DeviceError, match="cut off after 6 attempts") as caught:
            log_in(server.target())
        assert not isinstance(caught.value, LinkLost)
        assert "IdentitiesOnly" in caught.value.hint
        config = home / "config"
        config.write_text(f"IdentityFile {servers.identity}.pub\nIdentitiesOnly yes")
        log_in(server.target(), config=config)

    def test_two_keys_demanded(self, home: Path, servers: Servers) -> None:
        server = servers.start("AuthenticationMethods publickey,publickey")
        servers.authorize(server, make_key(home / "second"))
        config = home / "config"
        config.write_text(f"IdentityFile {servers.identity}\nIdentityFile {home / 'second'}")
        log_in(server.target(), config=config)
        with pytest.raises(DeviceError, match=r"is asked for more than .*identity: publickey"):
            log_in(server.target(servers.identity))

    def test_what_is_no_key_is_said(self, home: Path, servers: Servers, server: Sshd) -> None:
        for name, content in {
            "empty": b"",
            "binary": bytes(range(256)),
            "text": b"hello\n",
        }.items():
            (home / name).write_bytes(content)
            with pytest.raises(DeviceError, match="refused") as caught:
                log_in(server.target(home / name))
            assert f"{home / name}: no private key" in caught.value.details

    def test_an_account_that_is_not_allowed(self, servers: Servers) -> None:
        server = servers.start(f"DenyUsers {USER}")
        with pytest.raises(DeviceError, match=f"{USER} was refused") as caught:
            log_in(server.target(servers.identity))
        assert not isinstance(caught.value, LinkLost)
        assert "account may be locked" in caught.value.hint

    def test_an_agent_that_hangs(
        self, home: Path, servers: Servers, server: Sshd, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The key file is tried all the same."""
        with socket.socket(socket.AF_UNIX) as hangs:
            hangs.bind(str(home / "hangs"))
            hangs.listen()
            monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "hangs"))
            log_in(server.target(servers.identity))

    def test_an_agent_that_does_not_sign(
        self, agent: Callable[..., None], servers: Servers, server: Sshd
    ) -> None:
        """It wants a person to agree (ssh-add -c), and has no way to ask."""
        subprocess.run(["ssh-add", "-q", "-c", servers.identity], check=True)
        with pytest.raises(
            DeviceError, match=r"agent's ssh-ed25519 SHA256:.* cannot be used"
        ) as caught:
            log_in(server.target())
        assert not isinstance(caught.value, LinkLost)


class TestPassphrase:
    def test_asked_once(self, server: Sshd, locked: Path) -> None:
        person = Person(SECRET)
        keyring = Keyring(person)
        for _ in range(2):
            log_in(server.target(locked), keyring)
        assert person.prompts == [f"passphrase for {locked}: "]

    def test_a_second_try(self, server: Sshd, locked: Path) -> None:
        person = Person(WRONG, SECRET)
        log_in(server.target(locked), Keyring(person))
        assert "that is not it" in person.prompts[1]

    def test_three_wrong_ones(self, server: Sshd, locked: Path) -> None:
        person = Person(*[WRONG] * 4)
        with pytest.raises(DeviceError, match="3 wrong passphrases") as caught:
            log_in(server.target(locked), Keyring(person))
        assert caught.value.where == str(locked)
        assert len(person.prompts) == 3

    def test_nobody_to_ask(self, server: Sshd, locked: Path) -> None:
        with pytest.raises(DeviceError, match="refused") as caught:
            log_in(server.target(locked))
        assert not isinstance(caught.value, LinkLost)
        assert f"{locked}: has a passphrase" in caught.value.details
        assert "ssh-agent" in caught.value.hint

    def test_no_answer_goes_on(self, home: Path, servers: Servers, server: Sshd) -> None:
        """Keys without a passphrase come first; then Enter passes a key over, Ctrl-D too."""
        locked = make_key(home / ".ssh" / "id_ed25519", passphrase=SECRET)
        person = Person("")
        with pytest.raises(DeviceError, match="refused"):
            log_in(server.target(), Keyring(person))
        servers.identity.rename(home / ".ssh" / "id_rsa")
        log_in(server.target(), Keyring(person))
        assert person.prompts == [f"passphrase for {locked}: "]

    def test_typing_takes_its_time(self, server: Sshd, locked: Path) -> None:
        keyring = Keyring(Person(SECRET, seconds=5.5))
        connect(server.target(locked), timeout=5, known_hosts=None, keyring=keyring).close()


@pytest.fixture(params=["password", "keyboard-interactive"])
def by_password(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PasswordServer]:
    server = PasswordServer(tmp_path, SECRET, request.param)
    yield server
    server.close()


class TestPassword:
    def test_after_the_keys(self, home: Path, by_password: PasswordServer) -> None:
        make_key(home / ".ssh" / "id_ed25519")
        person = Person(WRONG, SECRET)
        log_in(by_password.target(), Keyring(person))
        assert person.prompts[0].startswith("password of pi@127.0.0.1:")

    def test_it_is_not_kept(self, by_password: PasswordServer) -> None:
        person = Person(SECRET, SECRET)
        keyring = Keyring(person)
        for _ in range(2):
            log_in(by_password.target(), keyring)
        assert len(person.prompts) == 2

    def test_three_wrong_ones(self, by_password: PasswordServer) -> None:
        person = Person(*[WRONG] * 4)
        with pytest.raises(DeviceError, match="refused") as caught:
            log_in(by_password.target(), Keyring(person))
        assert caught.value.details.count("password: refused") == len(person.prompts) == 3

    def test_nobody_to_ask(self, by_password: PasswordServer) -> None:
        with pytest.raises(DeviceError, match=f"refused; it takes {by_password.method}") as caught:
            log_in(by_password.target())
        assert "no terminal to ask" in caught.value.hint

    def test_never_when_it_is_not_offered(self, home: Path, servers: Servers) -> None:
        server = servers.start("PasswordAuthentication no", "KbdInteractiveAuthentication no")
        with pytest.raises(DeviceError, match="refused; it takes publickey"):
            log_in(server.target(make_key(home / "stranger")), Keyring(Person()))


@pytest.mark.parametrize(
    ("wanted", "more", "hint"),
    [
        ("publickey,password", "password", "at a terminal"),
        ("publickey,keyboard-interactive", "keyboard-interactive", "at a terminal"),
        ("publickey,publickey", "publickey", "name the other key too"),
    ],
)
def test_a_key_that_is_right_and_not_enough_is_not_called_refused(
    servers: Servers, wanted: str, more: str, hint: str
) -> None:
    server = servers.start(
        f"AuthenticationMethods {wanted}",
        "PasswordAuthentication yes",
        "KbdInteractiveAuthentication yes",
    )
    with pytest.raises(DeviceError) as caught:
        log_in(server.target(servers.identity))
    assert caught.value.brief == f"{USER} is asked for more than {servers.identity}: {more}"
    assert "accepted, and more is wanted" in caught.value.details
    assert hint in caught.value.hint


def test_a_wrong_password_after_a_right_key_is_not_told_to_go_to_a_terminal(
    servers: Servers,
) -> None:
    server = servers.start("AuthenticationMethods publickey,password", "PasswordAuthentication yes")
    with pytest.raises(DeviceError, match="is asked for more than") as caught:
        log_in(server.target(servers.identity), Keyring(Person(*[WRONG] * 3)))
    assert "give the right password" in caught.value.hint


def test_secrets_show_up_nowhere(
    servers: Servers,
    locked: Path,
    server: Sshd,
    by_password: PasswordServer,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Right or wrong: not in what is printed, logged, raised, or shown by repr."""
    caplog.set_level(logging.DEBUG)
    unprintable = "\udcff" + WRONG
    shown = []
    for target in (server.target(locked), by_password.target()):
        for answers in ([SECRET], [WRONG, SECRET], [WRONG] * 3, [unprintable] * 3):
            keyring = Keyring(Person(*answers))
            try:
                connection = connect(target, timeout=20, known_hosts=None, keyring=keyring)
            except DeviceError as error:
                shown += [repr(error), str(error), *traceback.format_exception(error)]
            else:
                shown += [repr(connection), str(vars(connection))]
                connection.close()
            shown += [repr(keyring), str(vars(keyring))]
    printed = capfd.readouterr()
    assert "userauth is OK" in caplog.text
    for text in (caplog.text, printed.out, printed.err, *shown):
        assert SECRET not in text
        assert WRONG not in text
