// A directory held open, and what lies beneath it, reached without following a symbolic link.
#pragma once

#include "base/error.h"
#include "base/file.h"
#include "base/file_identity.h"

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace walden::storage {

/// What a failed system call means to a caller of the port: denied for permissions, io where the
/// place cannot take it (full, read-only, a name that is something else), unavailable for all that
/// may be better a moment later.
[[nodiscard]] ErrorKind kind_of_errno(int error_number);

/// Throws Error with the kind of `error_number`: `write "/srv/store/a": No space left on device`.
[[noreturn]] void throw_errno(std::string_view action, std::string_view path, int error_number);

struct DirectoryEntry {
    enum class Kind : std::uint8_t { file, directory, other, unknown };

    std::string name;
    Kind kind = Kind::unknown;  ///< unknown where the file system does not tell: ask fstatat()
};

[[nodiscard]] DirectoryEntry::Kind kind_of_mode(mode_t mode);

/// Safe to use from several threads.
class DirectoryTree {
public:
    /// Opens `root`, which may itself be reached through symbolic links: that is the choice of
    /// whoever configured it. Throws Error(not_found) if there is no such directory; kinds as
    /// kind_of_errno otherwise.
    explicit DirectoryTree(const std::string& root);

    /// Opens `path`, which is relative to the root and has no "." or ".." component, or is ".".
    /// O_CLOEXEC is added. An invalid descriptor and errno on failure; ELOOP if any component is a
    /// symbolic link (except that O_PATH | O_NOFOLLOW opens a last component that is one).
    [[nodiscard]] FileDescriptor open(const std::string& path, int flags) const;

    /// Throws Error(not_found) unless the path that was opened still leads to the same directory.
    /// Without this question an unmounted or deleted store would look like an empty one.
    void require_in_place() const;

    /// The absolute path of the root, without a slash at the end.
    [[nodiscard]] const std::string& root() const { return root_; }

    /// For messages.
    [[nodiscard]] std::string absolute(std::string_view path) const;

private:
    [[nodiscard]] FileDescriptor open_by_component(const std::string& path, int flags) const;

    std::string root_;
    FileDescriptor fd_;
    FileIdentity identity_;
    bool has_openat2_ = false;
};

/// All names in the open directory except "." and "..", in the order of the file system.
/// `path` is for messages. Throws rather than return a part.
[[nodiscard]] std::vector<DirectoryEntry> read_directory(int directory, const std::string& path);

}  // namespace walden::storage
