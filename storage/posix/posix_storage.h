// Objects as files of one directory tree: the store that needs no server.
#pragma once

#include "base/file.h"
#include "base/guarded.h"
#include "storage/posix/directory_tree.h"
#include "storage/posix/temporaries.h"
#include "vault/object_storage.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>

namespace walden::storage {

/// What to do where fsync(2) is refused (EINVAL, ENOTSUP: CIFS and some FUSE file systems). A store
/// that cannot sync cannot acknowledge, so accepting it is the user's explicit choice.
enum class WeakSync : std::uint8_t { refuse, accept };

/// An object is a file, its key the path below the root.
///
/// Publishing: a temporary beside the final name, write, fsync, link(2), which fails if the name is
/// taken, unlink, fsync of the directory. Missing directories are made and the parent of each is
/// synced; the same is done once per process for directories that were found there, because their
/// maker may have died between the two. Directories are never removed, also not when empty.
///
/// Deviations from the port: a component of a key is at most 255 bytes, and no key may be the
/// directory of another. Symbolic links below the root, and anything under a key that is not an
/// ordinary file, are errors.
///
/// If the root is unmounted, moved or replaced after construction, every answer that would depend
/// on it is Error(not_found); make a new PosixStorage (and prove the store's identity again).
class PosixStorage final : public vault::ObjectStorage {
public:
    /// `root` must exist: nothing but create_root() ever makes it, or an unmounted store would be
    /// filled behind the back of the mounted one. Throws Error(not_found) if it does not.
    explicit PosixStorage(const std::string& root, WeakSync weak_sync = WeakSync::refuse);

    /// Makes the directory, and its parents, durably. It may exist. For `walden init`.
    static void create_root(const std::string& root);

    PutOutcome put_new(const std::string& key, ByteView body) override;
    [[nodiscard]] bool get(const std::string& key, Bytes& out) override;
    [[nodiscard]] bool get_range(const std::string& key, std::uint64_t offset, std::size_t size,
                                 Bytes& out) override;
    [[nodiscard]] std::optional<vault::ObjectInfo> stat(const std::string& key) override;
    void list(const std::string& prefix, const std::string& start_after,
              const std::function<bool(const vault::ObjectInfo&)>& visit) override;
    void remove(std::span<const std::string> keys) override;
    [[nodiscard]] std::string describe() const override;

    /// See storage::sweep_temporaries(). For commands that run for long.
    [[nodiscard]] SweepResult sweep_temporaries(std::chrono::system_clock::time_point now,
                                                std::size_t examined_count_max) const noexcept;

private:
    struct Place;
    struct OpenObject;

    /// What this process knows of directories, by their path below the root.
    struct Directories {
        std::set<std::string> durable;  ///< their names, up to the root, have been synced
        std::set<std::string> suspect;  ///< the last fsync of the directory failed
    };

    [[nodiscard]] FileDescriptor open_durable_directory(const std::string& path);
    [[nodiscard]] FileDescriptor make_durable_directory(const std::string& path);
    [[nodiscard]] bool publish(const Place& place, ByteView body);
    [[nodiscard]] bool link_unless_taken(const Place& place, const std::string& temporary) const;
    [[nodiscard]] bool sync_existing(const Place& place) const;
    void sync_names(int directory, const std::string& path);
    void sync(int fd, const std::string& path) const;
    [[nodiscard]] std::optional<OpenObject> open_object(const std::string& key, int flags) const;

    DirectoryTree tree_;
    WeakSync weak_sync_;
    TemporaryNames temporary_names_;
    Guarded<Directories> directories_;
};

}  // namespace walden::storage
