"""What decides where a board is and whose key it has: no network here."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix.boards import reach
from buildmatrix.errors import DeviceError, InputError
from buildmatrix.nouns import BoardAddress
from buildmatrix.ssh import dump, own
from buildmatrix.ssh.config import route
from buildmatrix.ssh.trust import HostKeys, read
from buildmatrix.ssh.words import wild

if TYPE_CHECKING:
    from buildmatrix.ssh.config import Hop

BOARD = BoardAddress("pi3", "board", port=0, user="")
CONFIG = """
Host board
    HostName 10.0.0.7
    User maker
    Port 2022
    IdentityFile ~/.ssh/one
    IdentityFile ~/.ssh/two
Host *
    User anybody
    IdentitiesOnly yes
    UserKnownHostsFile ~/.ssh/a ~/.ssh/b
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "me")
    monkeypatch.setattr(dump, "installed", lambda: None)  # what our own reader makes of it
    monkeypatch.setattr(own, "GLOBAL", tmp_path / "ssh_config")
    monkeypatch.setattr(own, "GLOBAL_KNOWN_HOSTS", (tmp_path / "ssh_known_hosts",))
    return tmp_path


@pytest.fixture
def config(home: Path) -> Path:
    return home / "config"


def hops(config: Path, text: str, board: BoardAddress = BOARD, **more: Any) -> tuple[Hop, ...]:
    config.write_text(text)
    return route(board, config=config, **more)


def addresses(way: tuple[Hop, ...]) -> list[str]:
    return [f"{hop.user}@{hop.address}" for hop in way]


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("", {}, "pi@board:22"),
        (CONFIG, {}, "maker@10.0.0.7:2022"),
        (CONFIG, {"user": "root", "port": 22}, "root@10.0.0.7:22"),
        (CONFIG, {"host": "other"}, "anybody@other:22"),
        (CONFIG, {"virtual": True}, "pi@board:22"),
        ("Host *.lan\nHostName %h.example", {"host": "pi.lan"}, "pi@pi.lan.example:22"),
        ("Match user root\nPort 9", {"user": "root"}, "root@board:9"),
        ("Match user root\nPort 9", {}, "pi@board:22"),
        ("HOSTNAME=10.0.0.8\nPort = 7", {}, "pi@10.0.0.8:7"),
        ("Host !board *\nPort 7", {}, "pi@board:22"),
    ],
)
def test_given_before_config_before_default(
    config: Path, text: str, given: dict[str, Any], expected: str
) -> None:
    assert addresses(hops(config, text, replace(BOARD, **given))) == [expected]


def test_no_config_is_no_fault(home: Path) -> None:
    for config in (None, home / "none"):
        assert addresses(route(BOARD, config=config)) == ["pi@board:22"]


def test_files_in_order(config: Path, home: Path) -> None:
    (hop,) = hops(config, CONFIG, known_hosts=home / "c")
    assert hop.identity_files == (home / ".ssh/one", home / ".ssh/two")
    assert hop.known_hosts == (home / ".ssh/a", home / ".ssh/b")
    assert hop.identities_only


@pytest.mark.parametrize(
    ("text", "packs"),
    [
        ("", True),
        ("Compression yes", True),
        ("Host board\nCompression NO", False),
        ("Host other\nCompression no", True),
        ("Host *\nCompression no\nCompression yes", False),
    ],
)
def test_a_deploy_is_packed_unless_the_configuration_says_no(
    config: Path, text: str, packs: bool
) -> None:
    (hop,) = hops(config, text)
    assert hop.packs is packs


def test_default_files(config: Path, home: Path) -> None:
    (hop,) = hops(config, "", known_hosts=home / "c")
    assert [path.name for path in hop.identity_files] == ["id_ed25519", "id_ecdsa", "id_rsa"]
    assert hop.known_hosts == (home / "c",)
    assert not hop.identities_only
    (hop,) = hops(config, "IdentityFile none\nUserKnownHostsFile none", known_hosts=home / "c")
    assert (hop.identity_files, hop.known_hosts) == ((), ())


def test_the_key_given_is_the_only_one(config: Path, home: Path) -> None:
    key = home / "key"
    key.touch()
    (hop,) = hops(config, CONFIG, replace(BOARD, identity_file="~/key"))
    assert (hop.identity_files, hop.identities_only) == ((key,), True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ProxyJump none", []),
        ("ProxyJump a", ["me@a:22"]),
        ("ProxyJump a,you@b:23 , ssh://[::1]:24", ["me@a:22", "you@b:23", "me@[::1]:24"]),
        ("ProxyJump dom@in@a", ["dom@in@a:22"]),
        # each is a Host of its own; the first, and only that, may have its own way
        ("ProxyJump a\nHost a\nHostName 10.0.0.1\nUser x\nPort 2", ["x@10.0.0.1:2"]),
        ("ProxyJump y@a:9\nHost a\nHostName 10.0.0.1\nUser x\nPort 2", ["y@10.0.0.1:9"]),
        ("Host board\nProxyJump b\nHost b\nProxyJump a", ["me@a:22", "me@b:22"]),
        ("Host board\nProxyJump a,b\nHost b\nProxyJump c", ["me@a:22", "me@b:22"]),
        ("Host board\nProxyJump a,b\nHost a\nProxyJump c", ["me@c:22", "me@a:22", "me@b:22"]),
        ("Host board\nProxyJump a\nHost board\nProxyCommand x", ["me@a:22"]),
        ("ProxyCommand none", []),
    ],
)
def test_jump_hosts(config: Path, text: str, expected: list[str]) -> None:
    if not text.startswith("Host"):
        text = f"Host board\n{text}"
    way = hops(config, text)
    assert addresses(way) == [*expected, "pi@board:22"]
    assert [hop.jump for hop in way] == [True] * len(expected) + [False]
    assert all(hop.where.startswith("jump host ") for hop in way[:-1])


def test_pins_go_by_address(config: Path) -> None:
    pins = {"10.0.0.1:2": "SHA256:jump", "board:22": "SHA256:board"}
    text = "Host board\nProxyJump a\nHost a\nHostName 10.0.0.1\nPort 2"
    assert [h.host_key for h in hops(config, text, pins=pins)] == ["SHA256:jump", "SHA256:board"]
    given = replace(BOARD, host_key="SHA256:given")
    assert hops(config, text, given, pins=pins)[-1].host_key == "SHA256:given"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Host boar? # mine\nPort 7 # the old one", "pi@board:7"),
        ('Host "board"\nUser "a#b" # c', "a#b@board:22"),
        ("Host !other *\nPort=7\nHost *\nPort 8", "pi@board:7"),
        ("HostName B.lan\nMatch final host b.lan\nPort 7", "pi@b.lan:7"),
        ("HostName b.lan\nMatch final\nUser x\nHost b.lan\nPort 7", "x@b.lan:7"),
        ("Match host final.lan\nPort 7\nHost board\nPort 8", "pi@board:8"),
        ("Match host=board user=nobody\nPort 7", "pi@board:22"),
        ('Match !host "b,c" localuser me # c\nPort 7', "pi@board:7"),
        ("Match host nobody version x\nPort 7", "pi@board:22"),
        ("IgnoreUnknown usek*,other\nUsekey yes\nPort 7", "pi@board:7"),
        ("ProxyJump none\nProxyCommand nc %h", "pi@board:22"),
    ],
)
def test_lines_mean_what_they_mean_for_ssh(config: Path, text: str, expected: str) -> None:
    assert addresses(hops(config, text)) == [expected]


def test_includes_and_the_file_for_everybody_are_read_in_their_places(
    config: Path, home: Path
) -> None:
    more, everybody = home / ".ssh/more", home / "ssh_config"
    more.mkdir(parents=True)
    (more / "1").write_text("Host board\nPort 7\nHost nobody\n")
    (more / "2").write_text("Port 8\nUser two\n")
    everybody.write_text("User everybody\nIdentityFile /key\n")
    assert addresses(hops(config, "Include more/*\nPort 9")) == ["two@board:7"]
    assert addresses(hops(config, "Host nobody\nInclude more/*")) == ["everybody@board:22"]
    assert hops(config, "")[0].identity_files == (Path("/key"),)
    (home / "ssh_known_hosts").touch()
    assert hops(config, "")[0].known_hosts == (home / "ssh_known_hosts",)
    (more / "deep/er").mkdir(parents=True)
    (more / "deep/er/4").write_text("Port 4\n")
    assert addresses(hops(config, "Include / **/4\nPort 9")) == ["everybody@board:9"]
    (more / "3").write_text("Include more/3\n")
    with pytest.raises(DeviceError, match="more than 16 Includes"):
        hops(config, "Include more/3")


def test_times_and_families_are_read_as_ssh_reads_them(config: Path) -> None:
    assert hops(config, "ConnectTimeout 1m30s")[0].patience == 90
    assert hops(config, "ConnectTimeout none\nConnectTimeout 7")[0].patience == 7
    assert hops(config, "IdentityFile a\\ b\nIdentityFile 'c d'")[0].identity_files == (
        Path("a b"),
        Path("c d"),
    )


MANY_KEYS = "".join(f"IdentityFile /key{number}\n" for number in [*range(100), 0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "nonsense"),
        ("Port many", "'many' is no port"),
        ("HostNam x", "config, line 1: hostnam is no keyword of ssh"),
        ("Port 1\nUser a b", "config, line 2: user takes one value, and not a b"),
        ('User "a', "a quote without its end"),
        ("Port", "nothing follows port"),
        ("Host nobody\nAddressFamily inet7", "AddressFamily inet7 is none"),
        ("ConnectTimeout soon", "'soon' is no time"),
        ("Match all host board", "all stands alone"),
        ("Match host", "what follows 'host' is missing"),
        ("Match hots board", "no criterion of ssh is called 'hots'"),
        ("Match !final host board", "before 10.6 reads all files again"),
        ("Match exec %C", "%C in %C is not known here"),
        ("User u-%h", "from 10 on expands it"),
        ('RefuseConnection "not today"', "RefuseConnection: not today"),
        ("Host nobody\nRefuseConnection not today", "refuseconnection takes one value"),
        ("Include more", "more, line 2: nothing follows port"),
        ("Include ${X}/a", "where OpenSSH's client is installed"),
        ("Port 65536", "no port"),
        (MANY_KEYS, "config, line 101: identityfile: ssh takes 100 and no more"),
        ("Host *\nProxyJump a", "leads back to a"),
        ("Host board\nProxyJump a\nHost a\nProxyJump board", "leads back to board"),
        ("ProxyJump a:b:c", "no jump host"),
        ("ProxyJump a,", "no jump host"),
        ("ProxyCommand nc %h %p", "write ProxyJump"),
        ("CanonicalizeHostname yes", "canonicaldomains"),
        ('Host "board', "board"),
    ],
)
def test_a_config_that_cannot_be_used_is_named(config: Path, text: str, said: str) -> None:
    (config.parent / ".ssh").mkdir()
    (config.parent / ".ssh/more").write_text("User a\nPort\n")
    with pytest.raises(DeviceError, match=said) as caught:
        hops(config, text)
    assert caught.value.where == str(config)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["$(touch seen)", "a;touch seen", "-oProxyCommand=x", "a b", ""])
def test_a_name_cannot_become_a_command(config: Path, home: Path, text: str) -> None:
    """matrix.yaml may be somebody else's; `Match exec` is run by a shell."""
    config.write_text(f'Match exec "echo %n %r; cd {home}"\nPort 7')
    for target in (replace(BOARD, host=text), replace(BOARD, user=text or "\n")):
        with pytest.raises(DeviceError, match="no host or user has"):
            route(target, config=config)
    assert not (home / "seen").exists()


LINES = st.tuples(
    st.sampled_from(
        [
            "Host",
            "Match",
            "HostName",
            "User",
            "Port",
            "IdentityFile",
            "IdentitiesOnly",
            "ProxyJump",
            "ProxyCommand",
            "UserKnownHostsFile",
            "Include",
            "CanonicalizeHostname",
            "Nonsense",
            "",
        ]
    ),
    st.sampled_from([" ", "=", "\t", " = "]),
    st.sampled_from(["board", "*", "all", "final", "none", "~x", '"', "a,b", "22"])
    | st.text(st.characters(blacklist_categories=["Cs"]), max_size=12),
).map("".join)


@given(
    st.lists(LINES.filter(lambda line: "exec" not in line), max_size=8)
    .map("\n".join)
    .map(str.encode)
    | st.binary(max_size=60).filter(lambda text: b"exec" not in text)
)
def test_no_config_breaks_us(text: bytes) -> None:
    """Whatever stands there: a way to the board, or our error."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config"
        config.write_bytes(text)
        with contextlib.suppress(DeviceError):
            way = route(BOARD, config=config)
            assert way[-1].name == "pi3"
            assert all(0 < hop.port < 65536 for hop in way)


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJf4ocLgZFRj1MmuXhXhlmUVHhdwG4bC1SKAfCYmHMuT"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKLfqfXb1Jgd6ZHeLPAZmp0QfUnwrtFH8FTSyTvSxOwQ"


@pytest.mark.parametrize(
    ("names", "name", "expected"),
    [
        ("pi3", "pi3", True),
        ("PI3", "Pi3", True),
        ("pi", "pi3", False),
        ("other,pi3", "pi3", True),
        ("[pi3]:2222", "[pi3]:2222", True),
        ("[pi3]:2222", "pi3", False),
        ("pi3", "[pi3]:2222", False),
        ("*.local", "pi3.local", True),
        ("pi?", "pi3", True),
        ("*.local,!pi3.local", "pi3.local", False),
        ("[*]:22??", "[pi3]:2222", True),
        ("p[i]3", "pi3", False),
    ],
)
@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
def test_known_hosts_means_what_ssh_thinks(
    tmp_path: Path, names: str, name: str, expected: bool, hashed: bool
) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"# {name} {OTHER}\n\n{names} {KEY} a comment\nelse\t{OTHER}\n")
    if hashed:
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], capture_output=True, check=True)
    find = ["ssh-keygen", "-F", name.lower(), "-f", str(file)]
    found = subprocess.run(find, check=False, capture_output=True)
    known = read(file.read_text(), name)
    assert bool(known.keys) == expected == (found.returncode == 0)


def test_a_revoked_key_is_no_key() -> None:
    known = read(f"@revoked * {KEY}\n@cert-authority * {OTHER}\npi3 {OTHER}", "pi3")
    assert len(known.revoked) == len(known.keys) == 1


def test_a_line_of_known_hosts_ends_where_ssh_says() -> None:
    assert read(f"a {KEY} of\u2028pi3 {KEY}\x0bpi3 {KEY}", "pi3").keys == ()


@given(st.text("ab*?", max_size=9), st.text("ab", max_size=9))
def test_a_pattern_means_what_a_glob_means(pattern: str, text: str) -> None:
    assert wild(pattern, text) is fnmatchcase(text, pattern)


def test_many_stars_and_many_patterns_are_judged_at_once() -> None:
    """One took longer than anybody waits; of a megabyte of others each became an expression."""
    name = "a" * 60
    assert read(f"{'*?' * 40}x {KEY}", name).keys == ()
    assert len(read(f"{'*?' * 30}* {KEY}", name).keys) == 1
    many = ",".join(f"*b{n}?" for n in range(100_000))
    assert read(f"{many} {KEY}", name).keys == ()


@given(st.text(max_size=80), st.text(max_size=10))
def test_no_known_hosts_breaks_us(text: str, name: str) -> None:
    assert isinstance(read(f"{text}\n|1|{text}|x {KEY}\n@{text}", name), HostKeys)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pi@[::1]:2222", ("pi", "::1", 2222)),
        ("pi@::1", ("pi", "::1", 0)),
        ("[fe80::1%eth0]", ("", "fe80::1%eth0", 0)),
        ("10.0.0.7:2022", ("", "10.0.0.7", 2022)),
        ("dom@in@pi", ("dom@in", "pi", 0)),
    ],
)
def test_an_address_as_ssh_and_scp_write_it(text: str, expected: tuple[str, str, int]) -> None:
    board = reach.find(text, devices={}, state=Path("none"))
    assert (board.user, board.host, board.port) == expected
    again = reach.find(reach.spoken(board), devices={}, state=Path("none"))
    assert (again.user, again.host, again.port) == expected


def test_a_hint_names_a_board_so_that_it_is_reached_again_and_its_results_are_found() -> None:
    """Told by its name alone, a board behind a port was another one: port 22 of that host."""
    pi = BoardAddress("pi", "10.0.0.7", 2022, "me", host_key="SHA256:x")
    board = reach.find("me@10.0.0.7:2023", devices={}, state=Path("none"))
    assert (reach.called(board), reach.called(pi)) == ("me@10.0.0.7:2023", "pi")
    typed = ("pi", "10.0.0.7", "me@10.0.0.8:2023", "a name of before")
    names = [reach.named(host, devices={"pi": pi}) for host in typed]
    assert names == ["pi", "pi", "10.0.0.8", "a name of before"]


@pytest.mark.parametrize("text", ["pi@", "[::1", "pi:port", "pi:0", "pi:70000", "a b", "[]:22"])
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(InputError, match="is no board"):
        reach.find(text, devices={}, state=Path("none"))
