"""Why a call was not served, in words: what the board's scripts refuse, and what fails before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.errors import DeviceError

if TYPE_CHECKING:
    from buildmatrix.protocols import CommandResult

# Exit statuses of enter.sh, fed.sh, stored.sh and carried.sh.
ABSENT, HOMELESS, UNREACHED, DAMAGED, EATEN, NARROW = 90, 91, 92, 93, 94, 95
START_UP = "~/.bashrc, ~/.zshenv, ~/.ssh/rc"
START = (
    "look for `exit` or `exec` in what that shell reads at its start, for sessions that are not "
    f"interactive too ({START_UP})"
)
RAISE = (
    "raise it: `ulimit -n` in what that user's shell reads at its start, nofile in "
    "/etc/security/limits.conf, or the limit of what starts the SSH server"
)
OTHER = "`chsh -s /bin/sh` there as root, or log in as another user"
MUTE = (
    "its login shell may be none (/bin/false: `getent passwd` there), or a forced command may only "
    "pass files (sftp-server, in authorized_keys or sshd_config): log in as a user with a shell"
)
# Words of shells and servers that run no command, and what helps there. The second is
# nologin's of shadow and util-linux, the third OpenSSH's for ForceCommand internal-sftp.
NO_SHELL = {
    "restricted": f"its login shell is a restricted one: {OTHER}",
    "account is currently not available": f"that account has no shell (nologin): {OTHER}; or a "
    "forced command is nologin, in authorized_keys or sshd_config",
    "allows sftp connections only": "that account may only pass files: see ForceCommand "
    "internal-sftp in its sshd_config, mostly in a Match block, or log in as another user",
    "sh: not found": "look for PATH in what that shell reads at its start, and see that it names "
    "the folder of sh",
}


def refusal(result: CommandResult) -> DeviceError | None:
    """The error for a call that the scripts which begin every call ended; None: they did not."""
    said = result.stdout.decode(errors="replace").strip()
    if result.status == HOMELESS and said.startswith("/"):
        return DeviceError(
            f"the home folder {said} does not exist on the board, or is not open to that user",
            hint="make it there as root and give it to that user, or log in as another user",
        )
    if result.status == HOMELESS:
        return DeviceError(
            f"HOME on the board is '{said}', and that is no absolute path",
            hint=f"look for HOME in what that user's shell reads at its start ({START_UP}), and in "
            "SetEnv of its sshd_config",
        )
    if result.status == NARROW:
        return DeviceError(
            f"a process on the board may open {said or 'too few'} files, and 32 are needed",
            hint=RAISE,
        )
    if result.status == EATEN:
        return DeviceError(
            "what was sent to the board was read there by something else",
            details=result.stderr.decode(errors="replace").strip(),
            hint="look for `read`, `cat`, `exec <` or `ssh` in what that user's shell reads at its "
            f"start, for sessions that are not interactive too ({START_UP})",
        )
    return failure(result) if result.status == DAMAGED else None


def failure(result: CommandResult) -> DeviceError:
    """What a failed call means for the user: a full disk, a missing tool, or the board's words."""
    words = result.stderr.decode(errors="replace").strip()
    ended = "was killed" if result.status < 0 else f"failed with status {result.status}"
    hints = {
        "No space left": "free space on the board, or remove old bundles: `inv deploy --prune`",
        "Read-only file system": "remount the board's file system writable, or check its card",
        "oo many open files": RAISE,  # mksh ends where another shell goes on
        "Permission denied": "check who owns the folder on the board",
        "not found": "install the missing tool on the board: sh, tar, gzip, sha256sum, coreutils",
    }
    again = "run the command again"
    if not words:
        again += "; if it fails without a word again, see `ulimit -a` there"
    if result.status < 0 or result.status > 128:
        again += "; if it is killed again, see `ulimit -a` and the last lines of `dmesg` there"
    hint = next((text for sign, text in hints.items() if sign in words), again)
    return DeviceError(f"a command on the board {ended}", details=words, hint=hint)


def unreached(result: CommandResult) -> DeviceError:
    """Nothing of ours ran: the login shell, or a file that it reads, did something else."""
    printed = (result.stdout + b"\n" + result.stderr).decode(errors="replace").strip()
    ended = "was killed" if result.status < 0 else f"ended with status {result.status}"
    hint = (
        f"{START}, and for a forced command in authorized_keys or sshd_config; `ssh` to it with "
        "`true` must print nothing and end with 0"
    )
    if result.status < 0:  # ksh93 does not outlive a limit of 16 open files
        hint = f"see `ulimit -a` there: a limit may kill that user's shell; and {hint}"
    if result.status > 0 and not printed:
        hint = f"{MUTE}; else {START}"
    hint = next((text for sign, text in NO_SHELL.items() if sign in printed), hint)
    return DeviceError(
        f"the board's answer is not one: its login shell {ended} before it ran the command",
        details=printed[:400] or "it printed nothing",
        hint=hint,
    )
