"""walden as it is installed: its programs in one directory, and one configuration of it."""

import json
import os
import shutil

from harness.outcomes import Failed, Skip
from harness.toml import toml_document

PROGRAMS = ("walden", "walden-push", "walden-fetch", "walden-worker")


def find_programs(build):
    """{name: path} of the built programs. Raises Skip when one is missing."""
    found = {}
    for name in PROGRAMS:
        places = [build / "tools" / name, build / name, *sorted((build / "tools").glob(f"*/{name}"))]
        path = next((p for p in places if p.is_file() and os.access(p, os.X_OK)), None)
        if path is None:
            raise Skip(f"{name} is not built in {build}")
        found[name] = path
    return found


def install_programs(account, programs, directory):
    """Copies {name: path} where the unprivileged user may start them and no build exchanges them
    meanwhile; returns `directory`."""
    account.make_directory(directory, 0o755)
    for name, path in programs.items():
        shutil.copy(path, directory / name)
        (directory / name).chmod(0o755)
    return directory


class Walden:
    """One configuration: the file `config` with `settings`, whose dictionaries are tables, and the
    programs that read it. A setting that is None is left out."""

    def __init__(self, account, programs, config, settings):
        self.account = account
        self.bin = programs
        self.config = config
        self.settings = settings
        self.pgdata = settings["pgdata"]  # where programs start, whatever the file says later
        self.configure()

    def configure(self, **settings):
        """Lays `settings` over the present ones, table by table, and writes the file."""
        for key, value in settings.items():
            if isinstance(value, dict):
                self.settings.setdefault(key, {}).update(value)
            else:
                self.settings[key] = value

        def present(table):
            return {key: present(value) if isinstance(value, dict) else value
                    for key, value in table.items() if value is not None}
        self.write_config(toml_document(present(self.settings)))

    def write_config(self, text):
        self.account.write(self.config, text)

    # ---- running -----------------------------------------------------------------------------

    def argv(self, program, *arguments):
        return [self.bin / program, "--config", self.config, *arguments]

    def run(self, program, *arguments, cwd=None, ok=True, **options):
        """Runs a program as the unprivileged user, in PGDATA unless `cwd` says otherwise."""
        done = self.account.run(self.argv(program, *arguments), cwd=cwd or self.pgdata, ok=False,
                                **options)
        if ok and done.code != 0:
            words = " ".join(map(str, arguments))
            raise Failed(f"{program} {words} ended with {done.code}:\n{done.text}")
        return done

    def init(self):
        """Creates the repository and its key file; returns the Result."""
        return self.run("walden", "init")

    def push(self, path, **options):
        """walden-push, not required to succeed."""
        return self.run("walden-push", path, ok=False, **options)

    def fetch(self, name, target, **options):
        """walden-fetch, not required to succeed."""
        return self.run("walden-fetch", name, target, ok=False, **options)

    def json(self, *arguments, ok=True):
        """The JSON document that `walden ... --json` prints, without its "schema"."""
        done = self.run("walden", *arguments, "--json", ok=ok)
        try:
            report = json.loads(done.out)
        except ValueError:
            raise Failed(f"walden {' '.join(arguments)} --json printed no JSON:\n{done.text}") from None
        if report.pop("schema", None) != 1:
            raise Failed(f"walden {' '.join(arguments)} --json has no schema 1: {done.out}")
        return report

    def archive_command(self):
        return f"{self.bin}/walden-push --config {self.config} %p"

    def restore_command(self):
        return f"{self.bin}/walden-fetch --config {self.config} %f %p"
