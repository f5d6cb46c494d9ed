"""walden for the scenarios: its programs, its configuration, and a store that can be hurt.

The programs are copied from the build directory ($WALDEN_BUILD) into the scenario's own, where the
unprivileged user may run them and a build going on meanwhile does not exchange them.
"""

import hashlib
import os
import pathlib

from scenario import check, check_equal  # first: it makes the harness known
from harness import walden as programs
from harness.toml import toml_document

__all__ = ["FETCH_REFUSALS", "Objects", "Store", "Walden", "check_push_refused", "check_refused",
           "toml_document"]

FETCH_REFUSALS = range(200, 220)


class Objects:
    """The objects of a store by what they are. Subclasses say how to reach them: objects(), read(),
    rewrite(), remove(); where an object is a "place", which is a path or a key."""

    def objects(self):
        raise NotImplementedError

    def read(self, place):
        raise NotImplementedError

    def rewrite(self, place, content):
        raise NotImplementedError

    def matching(self, kind, name):
        """Places of the objects below a folder called `kind` whose file name begins with `name`; of
        the cluster "main" if it has any, for another one may have the same names."""
        found = {key: path for key, path in self.objects().items()
                 if f"/{kind}/" in key and path.name.startswith(name)}
        main = [path for key, path in found.items() if key.startswith("clusters/main/")]
        return main or list(found.values())

    def entry(self, segment):
        """The entry of a WAL segment."""
        paths = [path for path in self.matching("wal", segment) if path.name == segment]
        check(len(paths) == 1, f"one entry for {segment}, found {paths}")
        return paths[0]

    def contents(self, segment):
        """The content objects of a segment; none when it is small and lies in the entry."""
        return self.matching("content", f"{segment}.")

    def body(self, segment):
        """The object that holds the bytes of the segment."""
        return (self.contents(segment) or [self.entry(segment)])[0]

    def segments(self):
        """Names of all segments that have an entry, ascending."""
        return sorted(path.name for key, path in self.objects().items()
                      if "/wal/" in key and len(path.name) == 24)

    def history(self, timeline):
        paths = self.matching("history", f"{timeline:08X}")
        check(len(paths) == 1, f"one history of timeline {timeline}, found {paths}")
        return paths[0]

    # ---- ways to hurt them --------------------------------------------------------------------

    def truncate(self, place, size=None):
        """Cuts an object to `size` bytes, by default to half of it."""
        content = self.read(place)
        self.rewrite(place, content[:len(content) // 2 if size is None else size])

    def flip(self, place, offset=None):
        """Flips one bit, by default in the middle."""
        content = bytearray(self.read(place))
        content[len(content) // 2 if offset is None else offset] ^= 1
        self.rewrite(place, bytes(content))

    def zero(self, place):
        self.rewrite(place, bytes(len(self.read(place))))

    def append(self, place, content=b"\0"):
        self.rewrite(place, self.read(place) + content)

    def swap(self, one, other):
        first, second = self.read(one), self.read(other)
        self.rewrite(one, second)
        self.rewrite(other, first)

    def replace(self, place, source):
        self.rewrite(place, self.read(source))


class Store(Objects):
    """A POSIX store seen from outside: its objects as files, and the ways to hurt them."""

    def __init__(self, scenario, root):
        self.scenario = scenario
        self.root = root

    def objects(self):
        """{key: path} of all objects; names with a leading dot are the implementation's own."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            key = path.relative_to(self.root)
            if path.is_file() and not any(part.startswith(".") for part in key.parts):
                found[key.as_posix()] = path
        return found

    def settings(self):
        """The table [store] of walden's configuration."""
        return {"url": f"file://{self.root}"}

    def read(self, place):
        return place.read_bytes()

    def fingerprint(self):
        """{path: (size, hash, mode, mtime)} of every file, for "nothing was written"."""
        result = {}
        for path in sorted(self.root.rglob("*")):
            info = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            result[str(path)] = (info.st_size if content else 0, content, info.st_mode,
                                 info.st_mtime_ns if content else 0)
        return result

    def contents_only(self):
        """{key: hash} of the objects."""
        return {key: hashlib.sha256(path.read_bytes()).hexdigest()
                for key, path in self.objects().items()}

    # ---- ways to hurt it ---------------------------------------------------------------------

    def rewrite(self, path, content):
        """Replaces the bytes of `path` in place, keeping owner and mode."""
        mode = path.stat().st_mode
        path.chmod(mode | 0o200)
        path.write_bytes(content)
        path.chmod(mode)

    def remove(self, path):
        path.unlink()

    def deny(self, path):
        """Takes all rights away; the programs run unprivileged, so it holds for them."""
        path.chmod(0)

    def unmount(self):
        """What an unmounted file system looks like when its directory is gone, too."""
        self.root.rename(self.aside())

    def empty(self):
        """What an unmounted file system looks like: an empty directory."""
        self.unmount()
        self.scenario.make_directory(self.root)

    def aside(self):
        return self.root.with_name(self.root.name + ".aside")

    def save(self):
        """Keeps a copy to which reset() returns."""
        saved = self.root.with_name(self.root.name + ".saved")
        self.scenario.remove_tree(saved)
        self.scenario.copy_tree(self.root, saved)

    def reset(self):
        """Brings the store back to what save() saw.

        Exchanges whole directories: a server that reads meanwhile must not see half a copy, in
        which a missing entry looks like the end of WAL.
        """
        fresh, old = (self.root.with_name(self.root.name + end) for end in (".fresh", ".old"))
        self.scenario.copy_tree(self.root.with_name(self.root.name + ".saved"), fresh)
        if self.root.exists():
            self.root.rename(old)
        fresh.rename(self.root)
        for path in (old, self.aside()):
            self.scenario.remove_tree(path)


class Walden(programs.Walden):
    """One configuration of walden: a cluster name, its PGDATA, a store, keys, a state directory.

    `settings` are laid over the generated ones, table by table; None removes a setting.
    """

    def __init__(self, scenario, cluster, name="walden", label="main", store=None, key_file=None,
                 **settings):
        self.scenario = scenario
        self.build = pathlib.Path(os.environ.get("WALDEN_BUILD", "build")).resolve()
        found = programs.find_programs(self.build)
        installed = scenario.directory / "bin"
        if not installed.exists():
            programs.install_programs(scenario, found, installed)
        self.store = store or Store(scenario, scenario.directory / "store")
        self.state = scenario.make_directory(scenario.directory / f"{name}.state")
        self.key_file = key_file or scenario.directory / f"{name}.key"
        super().__init__(scenario, installed, scenario.directory / f"{name}.toml", {
            "cluster": label, "pgdata": cluster.data, "state_dir": self.state,
            "store": self.store.settings(),
            "encryption": {"enabled": True, "key_file": self.key_file},
            # What the programs do themselves; scenarios of the agent switch it on.
            "agent": {"enabled": False},
        })
        self.configure(**settings)

    def run(self, program, *arguments, **options):
        done = super().run(program, *arguments, **options)
        check(not done.code > 125 or program == "walden-fetch", f"{program} ended with {done.code}")
        return done

    # ---- what must hold whatever happened ----------------------------------------------------

    def fetch_bytes(self, name):
        """The bytes delivered for `name`, or None when the store positively has none."""
        target = self.scenario.directory / "fetched"
        if target.exists():
            target.unlink()
        done = self.fetch(name, target)
        if done.code == 1:
            check(not target.exists(), f"exit 1 for {name} left a file (fault 36)")
            return None
        check_equal(done.code, 0, f"exit code of fetching {name}: {done.text.strip()}")
        check(target.is_file() and not target.is_symlink(), f"{name} was delivered as a file (15)")
        check_equal(target.stat().st_nlink, 1, f"links of the file delivered for {name} (15)")
        content = target.read_bytes()
        target.unlink()
        return content

    def check_archived(self, path):
        """The file `path` can be fetched, byte for byte (invariants 1, 14, 15)."""
        content = self.fetch_bytes(path.name)
        check(content is not None, f"{path.name} is in the store")
        check(content == path.read_bytes(), f"{path.name} comes back byte for byte")

    def check_after_fault(self, path, done):
        """The invariants of a push of `path` that ended as `done`, whatever fault hit it.

        Exit 0 means fetchable (1); the code is 1..125 unless a signal ended it (3); the name is
        absent or whole (6); and the next push succeeds (4, 7).
        """
        check(done.code <= 125, f"exit code {done.code} of a push is at most 125 (3)")
        before = self.fetch_bytes(path.name)
        check(before is None or before == path.read_bytes(), f"{path.name} is absent or whole (6)")
        check(done.code != 0 or before is not None, f"exit 0 means that {path.name} is stored (1)")
        again = self.push(path)
        check_equal(again.code, 0, f"the next push of {path.name} (7): {again.text.strip()}")
        self.check_archived(path)

    def check_no_debris(self, before):
        """No object is new in the store compared to `before`, an earlier contents_only()."""
        new = sorted(set(self.store.contents_only()) - set(before))
        check(not new, f"nothing is left in the store, found {new}")


def check_refused(done, codes, what, *words):
    """A fetch was refused with one of `codes`, and says why with one of `words` (if given)."""
    codes = [codes] if isinstance(codes, int) else codes
    check(done.code in codes, f"{what}: exit code {done.code}, expected {list(codes)}: {done.text}")
    check(done.err.strip() != "", f"{what}: a refusal says why")
    if words:
        check(any(word in done.text.lower() for word in words),
              f"{what}: the message names the cause ({' or '.join(words)}): {done.text.strip()}")


def check_push_refused(done, what, *words):
    """A push failed with a code that PostgreSQL retries and counts, and says why."""
    check(1 <= done.code <= 125, f"{what}: exit code {done.code}, expected 1..125: {done.text}")
    check(done.err.strip() != "", f"{what}: a refusal says why")
    if words:
        check(any(word in done.text.lower() for word in words),
              f"{what}: the message names the cause ({' or '.join(words)}): {done.text.strip()}")
