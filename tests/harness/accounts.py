"""The unprivileged user who runs PostgreSQL, walden and their commands; its files and processes."""

import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

from harness.outcomes import Failed, Result, Skip, bound


class Account:
    """The user postgres where we are root, for PostgreSQL refuses root, and root ignores file modes;
    else whoever we are. Raises Skip where there is no such user."""

    umask = 0o022
    deadline = None  # seconds of run(), unless it is told another one

    def __init__(self, directory="/"):
        """Programs start in `directory` unless they are told another one."""
        self.directory = pathlib.Path(directory)
        self.variables = {}  # of the environment, for every program
        self.children = []
        self.record = None
        if os.geteuid() == 0:
            try:
                self.record = pwd.getpwnam("postgres")
            except KeyError:
                raise Skip("there is no user postgres to run the server as") from None

    # ---- files -------------------------------------------------------------------------------

    def own(self, path):
        """Gives `path` to the unprivileged user; returns it."""
        if self.record:
            os.chown(path, self.record.pw_uid, self.record.pw_gid, follow_symlinks=False)
        return path

    def make_directory(self, path, mode=0o700):
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        path.chmod(mode)
        return self.own(path)

    def write(self, path, content, mode=0o600):
        """Writes a file of the unprivileged user; returns its path."""
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return self.own(path)

    def copy_tree(self, source, target):
        """Copies with owners, modes and times."""
        self.run(["cp", "-a", source, target], as_root=True)
        return target

    def remove_tree(self, path):
        if path.exists():
            self.run(["chmod", "-R", "u+rwX", path], as_root=True)
            shutil.rmtree(path)

    # ---- processes ---------------------------------------------------------------------------

    def environment(self, extra=None):
        return {**os.environ, "LC_ALL": "C", "TZ": "UTC", **self.variables, **(extra or {})}

    def start(self, argv, cwd=None, env=None, as_root=False, **options):
        """Starts a program as the unprivileged user, in a session of its own. `env` is added to the
        environment."""
        if self.record and not as_root:
            options.update(user=self.record.pw_uid, group=self.record.pw_gid, extra_groups=[])
        options = {"stdin": subprocess.DEVNULL, "umask": self.umask, "start_new_session": True,
                   **options}
        process = subprocess.Popen([str(word) for word in argv], cwd=cwd or self.directory,
                                   env=self.environment(env), **options)
        self.children.append(process)
        return process

    def run(self, argv, cwd=None, env=None, as_root=False, ok=True, deadline=None, **options):
        """Runs a program to its end; `ok` requires exit code 0. Returns a Result."""
        deadline = deadline or self.deadline
        # Files, not pipes: a helper that kept our pipe open must not keep us waiting.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self.start(argv, cwd, env, as_root, stdout=out, stderr=err, **options)
            try:
                process.wait(deadline)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise Failed(f"{argv[0]} ran longer than {deadline} s") from None
            finally:
                self.children.remove(process)
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
        result = Result(process.returncode, *texts)
        if ok and result.code != 0:
            command = " ".join(map(str, argv))
            raise Failed(f"{command} ended with {result.code}:\n{bound(result.text)}")
        return result
