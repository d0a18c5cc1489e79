"""Where a board is, by `ssh -G`, against what OpenSSH's client itself prints."""

from __future__ import annotations

import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from buildmatrix.errors import DeviceError
from buildmatrix.nouns import BoardAddress
from buildmatrix.ssh import dump
from buildmatrix.ssh.config import Hop, route
from tests.boards import STATE
from tests.servers import roots

BOARD = BoardAddress("pi3", "board")
CONFIGURATIONS = 60


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config"


def hop(config: Path, text: str, board: BoardAddress = BOARD) -> Hop:
    config.write_text(text)
    return route(board, config=config, known_hosts=config.with_name("known"))[-1]


def written(config: Path, host: str) -> dict[str, str]:
    lines = subprocess.check_output(["ssh", "-G", "-F", config, host], text=True).splitlines()
    return dict(line.partition(" ")[::2] for line in lines)


def generated(draw: random.Random) -> str:
    """Blocks of Host and Match, each with a few settings, comments and quotes."""
    lines = []
    for _ in range(draw.randint(1, 5)):
        lines.append(
            draw.choice(
                [
                    "Host board",
                    "Host !other *",
                    "Host b?ard other # a comment",
                    "Host nobody",
                    "Match all",
                    "Match host board",
                    "Match originalhost other,board user root",
                    "Match !host board",
                    'Match exec "true"',
                    'Match exec "false"',
                    "Match final host 10.*",
                ]
            )
        )
        lines += draw.sample(
            [
                f"HostName 10.0.0.{draw.randint(1, 9)}",
                f"Port={draw.randint(1, 9)}022",
                'User "somebody"',
                "  Port 77 # the old one",
                "HostKeyAlias alias",
                "AddressFamily inet",
                "ConnectTimeout 7",
                "IdentitiesOnly yes",
            ],
            draw.randint(0, 4),
        )
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", range(CONFIGURATIONS))
def test_a_generated_configuration_leads_where_ssh_goes(config: Path, seed: int) -> None:
    found = hop(config, generated(random.Random(seed)))
    said = written(config, "board")
    assert (found.host, str(found.port)) == (said["hostname"], said["port"])
    assert found.alias == said.get("hostkeyalias", "")
    assert found.family == said["addressfamily"]
    assert found.identities_only == (said["identitiesonly"] == "yes")
    if found.user != "pi":
        assert found.user == said["user"]


def test_nothing_written_is_our_own_default(config: Path) -> None:
    found = hop(config, "")
    assert (found.user, found.port, found.host) == ("pi", 22, "board")
    assert [path.name for path in found.identity_files] == ["id_ed25519", "id_ecdsa", "id_rsa"]
    assert found.known_hosts[0] == config.with_name("known")
    assert hop(config, "", replace(BOARD, user="root", port=9)).user == "root"


def test_an_include_a_tag_and_a_network(config: Path) -> None:
    config.with_name("more").write_text("Host board\nHostName 10.1.1.1\nPort 5\n")
    assert hop(config, f"Include {config.with_name('more')}\nPort 6\n").address == "10.1.1.1:5"
    assert hop(config, f"Include {config.with_name('none')}\nPort 6\n").address == "board:6"
    config.write_text("Match tagged home\nHostName 10.9.9.9\n")
    asked = ["ssh", "-G", "-F", str(config), "board"]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        with pytest.raises(DeviceError, match="tagged"):  # OpenSSH before 9.4
            route(BOARD, config=config)
    else:
        assert route(BOARD, config=config)[-1].host == "board", "nobody gave that tag"


def test_a_command_of_the_configuration_is_none_of_ours(config: Path) -> None:
    """`ssh board true` is refused where the configuration has a command of its own."""
    text = "HostName 10.1.1.1\nRemoteCommand tmux\nRequestTTY yes\nSessionType none\n"
    assert hop(config, text).host == "10.1.1.1"


@pytest.mark.nightly
@pytest.mark.parametrize("suite", ["trixie", "sid"])
def test_a_board_is_sent_commands_and_a_jump_host_is_passed_through(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suite: str
) -> None:
    """As OpenSSH of today judges Match sessiontype and command; that of Debian 12 knows neither."""
    ssh = roots.program(STATE / "servers", suite, "usr/bin/ssh", tmp_path)
    monkeypatch.setattr(dump, "installed", lambda: ssh)
    config.write_text(
        "Match sessiontype exec\nUser command\nMatch sessiontype shell\nUser shell\n"
        "Match sessiontype none\nUser passing\nMatch command *\nProxyJump gate\n"
    )
    hops = route(BOARD, config=config)
    assert [(hop.host, hop.user) for hop in hops] == [("gate", "passing"), ("board", "command")]


def test_agent_keys_certificates_and_names(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", "/keys")
    found = hop(
        config,
        'IdentityFile "/my keys/%h_%p"\nIdentityFile ${KEYS}/%%x\nCertificateFile /c/%n\n'
        "IdentityAgent /run/agent # mine\nHostKeyAlias name\nUserKnownHostsFile /a /b\nPort 7\n",
    )
    assert found.identity_files == (Path("/my keys/board_7"), Path("/keys/%x"))
    assert found.certificates == (Path("/c/board"),)
    assert (found.agent, found.alias) == ("/run/agent", "name")
    assert found.known_hosts[:2] == (Path("/a"), Path("/b"))
    assert hop(config, "IdentityAgent none\n").agent == "none"
    assert hop(config, "Port 22\n").agent is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ProxyCommand nc %h %p", "write ProxyJump"),
        ("BindAddress 10.0.0.1", "bindaddress 10.0.0.1 is not used here"),
        ("RevokedHostKeys /etc/revoked", "RevokedHostKeys /etc/revoked is not read here"),
        ("KnownHostsCommand /bin/keys %H", "KnownHostsCommand /bin/keys %H is not run here"),
        ("Host board\nProxyJump a,b\nHost b\nRevokedHostKeys /x", "RevokedHostKeys /x is not"),
        ("Nonsense yes", "nonsense"),
        ("IdentityFile /x/%C", "%C in /x/%C is not known here"),
    ],
)
def test_what_is_not_honoured_is_refused_by_name(config: Path, text: str, said: str) -> None:
    with pytest.raises(DeviceError, match=said):
        hop(config, text)


@pytest.mark.parametrize(
    "text",
    [
        "Match tagged x",
        'Match host board localnetwork "10.0.0.0/8"',
        "Match sessiontype shell",
        "Match version OpenSSH_10*",
        "Match command reboot",
    ],
)
def test_without_openssh_what_our_reader_cannot_judge_is_refused(
    config: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump, "installed", lambda: None)
    with pytest.raises(DeviceError, match="where OpenSSH's client is installed"):
        hop(config, f"{text}\nHostName 10.9.9.9\n")
    assert hop(config, 'Match host "board,x" user "pi"\nPort 5\n').port == 22
