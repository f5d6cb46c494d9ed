#include "storage/posix/posix_storage.h"

#include "base/error.h"
#include "base/format.h"
#include "storage/posix/posix_listing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>
#include <vector>

namespace walden::storage {

using vault::ObjectInfo;

namespace {

/// The memory of durable directories is dropped at this size; it then costs some fsyncs again.
constexpr std::size_t known_directory_count_max = 4096;

/// An object's file, from wherever it was opened: O_NONBLOCK, lest a FIFO under a key hang us.
constexpr int open_object_flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;

struct SplitKey {
    std::string directory;  ///< "." for a key without a slash
    std::string name;
};

SplitKey split_key(const std::string& key) {
    const std::size_t slash = key.rfind('/');
    if (slash == std::string::npos) return {".", key};
    return {key.substr(0, slash), key.substr(slash + 1)};
}

/// True if an open for reading failed because there is positively no such file; too long a name
/// is one that cannot exist.
bool says_absent(int error_number) {
    return error_number == ENOENT || error_number == ENOTDIR || error_number == ENAMETOOLONG;
}

/// The size of an object's file. Throws Error(io) if it is something else than an object.
std::uint64_t object_size(int fd, const std::string& path) {
    struct stat status {};

    if (::fstat(fd, &status) != 0) throw_errno("stat", path, errno);
    if (!S_ISREG(status.st_mode))
        throw Error(ErrorKind::io, format("\"{}\" is not an ordinary file", path));
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > vault::ObjectStorage::object_size_max)
        throw Error(ErrorKind::io, format("\"{}\" has {} bytes, more than the {} of an object",
                                          path, size, vault::ObjectStorage::object_size_max));
    return size;
}

/// Larger bodies are sent to the device in pieces of this size while the rest is still copied. With
/// it, write and fsync of 64 MiB took 56 ms instead of 72, of 16 MiB 16 instead of 23 (medians of
/// 12, ext4 on a virtual disk); pieces of 1 MiB gained less.
constexpr std::size_t early_write_size = std::size_t{4} << 20;

/// Only a hint, which makes nothing durable; but what it learns of a broken device is a failure.
void start_writing_back(int fd, std::uint64_t offset, std::size_t size, const std::string& path) {
    if (::sync_file_range(fd, static_cast<off_t>(offset), static_cast<off_t>(size),
                          SYNC_FILE_RANGE_WRITE) == 0)
        return;
    if (errno != ENOSYS && errno != EINVAL && errno != ESPIPE && errno != EINTR)
        throw_errno("write", path, errno);
}

void write_body(int fd, ByteView body, const std::string& path) {
    for (std::size_t offset = 0; offset < body.size();) {
        const std::size_t size = std::min(body.size() - offset, early_write_size);
        const ssize_t done = ::write(fd, body.data() + offset, size);
        if (done < 0) {
            if (errno == EINTR) continue;
            throw_errno("write", path, errno);
        }
        const auto written = static_cast<std::size_t>(done);
        if (offset + written < body.size()) start_writing_back(fd, offset, written, path);
        offset += written;
    }
}

/// Fills `out` from `offset`. An object never changes, so a file that ends early is damage or
/// somebody's hand, not an answer.
void read_body(int fd, std::uint64_t offset, MutableByteView out, const std::string& path) {
    while (!out.empty()) {
        const ssize_t got = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
        if (got < 0) {
            if (errno == EINTR) continue;
            throw_errno("read", path, errno);
        }
        if (got == 0)
            throw Error(ErrorKind::io, format("\"{}\" became shorter while it was read", path));
        offset += static_cast<std::uint64_t>(got);
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

/// Takes a temporary name away when the scope ends, published or not.
class TemporaryLink {
public:
    TemporaryLink(int directory, const std::string& name) : directory_(directory), name_(name) {}

    TemporaryLink(const TemporaryLink&) = delete;
    TemporaryLink& operator=(const TemporaryLink&) = delete;

    // If this fails the name stays, harmless, until it is swept.
    ~TemporaryLink() { ::unlinkat(directory_, name_.c_str(), 0); }

private:
    int directory_;
    const std::string& name_;
};

}  // namespace

/// Where an object is to be: its directory, open, and its name there.
struct PosixStorage::Place {
    FileDescriptor directory;
    SplitKey key;
    std::string path;  ///< absolute, for messages
};

struct PosixStorage::OpenObject {
    FileDescriptor file;
    std::uint64_t size = 0;
    std::string path;  ///< absolute, for messages
};

PosixStorage::PosixStorage(const std::string& root, WeakSync weak_sync)
    : tree_(root), weak_sync_(weak_sync) {}

void PosixStorage::create_root(const std::string& root) {
    std::string path = root;
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    if (path.empty()) throw Error(ErrorKind::usage, "the directory of the store has an empty name");
    make_directories(path);
    // Also when it was there: whoever made it may have died before this.
    sync_directory(parent_directory(path));
}

vault::ObjectStorage::PutOutcome PosixStorage::put_new(const std::string& key, ByteView body) {
    vault::require_valid_key(key);
    vault::require_valid_size(body.size());
    Place place{{}, split_key(key), tree_.absolute(key)};
    place.directory = open_durable_directory(place.key.directory);

    // Asking first spares a whole write where the object is there, and works on a full disk.
    PutOutcome outcome = PutOutcome::already_present;
    if (!sync_existing(place)) {
        if (publish(place, body))
            outcome = PutOutcome::created;
        else if (!sync_existing(place))
            throw Error(ErrorKind::unavailable,
                        format("\"{}\" appeared and disappeared while it was stored", place.path));
    }
    sync_names(place.directory.get(), place.key.directory);
    // Last, so that success means: it lies below the path that the user configured.
    tree_.require_in_place();
    return outcome;
}

/// Opens a directory whose own name, and those above it, are durable.
FileDescriptor PosixStorage::open_durable_directory(const std::string& path) {
    if (directories_.with([&](const Directories& known) { return known.durable.contains(path); })) {
        FileDescriptor directory = tree_.open(path, O_RDONLY | O_DIRECTORY);
        if (directory.valid()) return directory;
        if (errno != ENOENT) throw_errno("open directory", tree_.absolute(path), errno);
        // Somebody removed it. Nothing that was known of the tree can be relied on.
        directories_.with([](Directories& known) { known.durable.clear(); });
    }
    FileDescriptor directory = make_durable_directory(path);
    directories_.with([&](Directories& known) {
        if (known.durable.size() >= known_directory_count_max) known.durable.clear();
        known.durable.insert(path);
        for (std::size_t slash = path.find('/'); slash != std::string::npos;
             slash = path.find('/', slash + 1))
            known.durable.insert(path.substr(0, slash));
    });
    return directory;
}

FileDescriptor PosixStorage::make_durable_directory(const std::string& path) {
    FileDescriptor level = tree_.open(".", O_RDONLY | O_DIRECTORY);
    if (!level.valid()) throw_errno("open directory", tree_.root(), errno);
    for (std::size_t begin = 0; path != "." && begin < path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        const std::string name = path.substr(begin, end - begin);
        const std::string here = path.substr(0, end);
        if (::mkdirat(level.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
            const int error_number = errno;
            tree_.require_in_place();
            throw_errno("create directory", tree_.absolute(here), error_number);
        }
        const bool is_durable = directories_.with(
            [&](const Directories& known) { return known.durable.contains(here); });
        if (!is_durable) sync_names(level.get(), begin == 0 ? "." : path.substr(0, begin - 1));
        FileDescriptor next(
            ::openat(level.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!next.valid()) throw_errno("open directory", tree_.absolute(here), errno);
        level = std::move(next);
        begin = end + 1;
    }
    return level;
}

/// Writes `body` and gives it its name. False if the name was taken.
bool PosixStorage::publish(const Place& place, ByteView body) {
    const std::string temporary = temporary_names_.next();
    FileDescriptor file(::openat(place.directory.get(), temporary.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.valid()) {
        const int error_number = errno;
        tree_.require_in_place();
        throw_errno("create a temporary for", place.path, error_number);
    }
    const TemporaryLink link(place.directory.get(), temporary);
    write_body(file.get(), body, place.path);
    // After a failure the kernel may have dropped the pages, and a second fsync would say that all
    // is well. The file goes away; a new attempt writes from memory again (fault 13).
    sync(file.get(), place.path);
    file.close_checked(place.path);
    return link_unless_taken(place, temporary);
}

bool PosixStorage::link_unless_taken(const Place& place, const std::string& temporary) const {
    const int directory = place.directory.get();
    if (::linkat(directory, temporary.c_str(), directory, place.key.name.c_str(), 0) == 0)
        return true;
    const int error_number = errno;
    if (error_number != EEXIST) throw_errno("link", place.path, error_number);

    // NFS answers EEXIST to a repeated request when the answer to the first, which worked, was
    // lost. Then our temporary has two names, and nobody else could have given it one (open(2)).
    struct stat status {};

    return ::fstatat(directory, temporary.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           status.st_nlink == 2;
}

/// False if there is no such file. Its writer synced the data before naming it if it was one of
/// us, but files are also copied into stores by hand.
bool PosixStorage::sync_existing(const Place& place) const {
    const FileDescriptor file(::openat(place.directory.get(), place.key.name.c_str(),
                                       open_object_flags | O_NOFOLLOW | O_CLOEXEC));
    if (!file.valid()) {
        if (errno == ENOENT) return false;
        throw_errno("open", place.path, errno);
    }
    static_cast<void>(object_size(file.get(), place.path));
    sync(file.get(), place.path);
    return true;
}

/// Makes the names in an open directory durable, `path` being its path below the root.
void PosixStorage::sync_names(int directory, const std::string& path) {
    const bool was_suspect =
        directories_.with([&](const Directories& known) { return known.suspect.contains(path); });
    if (was_suspect) {
        // The kernel reports a failure once, then takes the pages for clean: another fsync would
        // succeed without writing. A name that comes and goes makes them dirty again (fault 13).
        const std::string temporary = temporary_names_.next();
        const FileDescriptor file(::openat(directory, temporary.c_str(),
                                           O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                           0600));
        if (!file.valid()) throw_errno("create a temporary in", tree_.absolute(path), errno);
        const TemporaryLink link(directory, temporary);
    }
    try {
        sync(directory, tree_.absolute(path));
    } catch (const Error&) {
        directories_.with([&](Directories& known) { known.suspect.insert(path); });
        throw;
    }
    if (was_suspect) directories_.with([&](Directories& known) { known.suspect.erase(path); });
}

void PosixStorage::sync(int fd, const std::string& path) const {
    if (::fsync(fd) == 0) return;
    const int error_number = errno;
    if (error_number != EINVAL && error_number != ENOTSUP) throw_errno("fsync", path, error_number);
    if (weak_sync_ == WeakSync::accept) return;
    throw system_error(ErrorKind::io, format("fsync \"{}\"", path), error_number)
        .with_detail("The file system cannot make anything durable on request.")
        .with_hint(
            "Use another file system, or accept in the configuration that a power failure "
            "may take acknowledged WAL with it.");
}

/// nullopt if there is positively no such object.
std::optional<PosixStorage::OpenObject> PosixStorage::open_object(const std::string& key,
                                                                  int flags) const {
    vault::require_valid_key(key);
    OpenObject object{tree_.open(key, flags), 0, tree_.absolute(key)};
    if (!object.file.valid()) {
        const int error_number = errno;
        if (!says_absent(error_number)) throw_errno("open", object.path, error_number);
        tree_.require_in_place();
        return std::nullopt;
    }
    object.size = object_size(object.file.get(), object.path);
    return object;
}

bool PosixStorage::get(const std::string& key, Bytes& out) {
    const std::optional<OpenObject> object = open_object(key, open_object_flags);
    if (!object) return false;
    out.resize(object->size);
    read_body(object->file.get(), 0, out, object->path);
    return true;
}

bool PosixStorage::get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                             Bytes& out) {
    const std::optional<OpenObject> object = open_object(key, open_object_flags);
    if (!object) return false;
    const std::uint64_t available = object->size - std::min(object->size, offset);
    out.resize(static_cast<std::size_t>(std::min<std::uint64_t>(size, available)));
    read_body(object->file.get(), offset, out, object->path);
    return true;
}

std::optional<ObjectInfo> PosixStorage::stat(const std::string& key) {
    const std::optional<OpenObject> object = open_object(key, O_PATH | O_NOFOLLOW);
    if (!object) return std::nullopt;
    return ObjectInfo{key, object->size};
}

void PosixStorage::list(const std::string& prefix, const std::string& start_after,
                        const std::function<bool(const ObjectInfo&)>& visit) {
    vault::require_valid_prefix(prefix);
    list_objects(tree_, prefix, start_after, visit);
    // Silence must not come from a store that is not there.
    tree_.require_in_place();
}

void PosixStorage::remove(std::span<const std::string> keys) {
    std::map<std::string, std::vector<std::string>> names_by_directory;
    for (const std::string& key : keys) {
        vault::require_valid_key(key);
        SplitKey split = split_key(key);
        names_by_directory[split.directory].push_back(std::move(split.name));
    }
    for (const auto& [path, names] : names_by_directory) {
        const FileDescriptor directory = tree_.open(path, O_RDONLY | O_DIRECTORY);
        if (!directory.valid()) {
            if (says_absent(errno)) continue;
            throw_errno("open directory", tree_.absolute(path), errno);
        }
        for (const std::string& name : names) {
            if (::unlinkat(directory.get(), name.c_str(), 0) == 0 || says_absent(errno)) continue;
            throw_errno("remove", tree_.absolute(path + "/" + name), errno);
        }
        // Also if all were absent: their remover may have died before this.
        sync_names(directory.get(), path);
    }
    tree_.require_in_place();
}

std::string PosixStorage::describe() const {
    return "file://" + tree_.root();
}

SweepResult PosixStorage::sweep_temporaries(std::chrono::system_clock::time_point now,
                                            std::size_t examined_count_max) const noexcept {
    return storage::sweep_temporaries(tree_, temporary_names_.boot(), now, examined_count_max);
}

}  // namespace walden::storage
