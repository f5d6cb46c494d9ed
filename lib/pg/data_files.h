// What of a data directory belongs into a backup, in the order of the paths.
//
// Left out are the things that PostgreSQL itself leaves out of a base backup (basebackup.c), and
// those that would change what a restored server does: signal files above all.
#pragma once

#include "base/file.h"
#include "pg/relation_file.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::pg {

enum class DataFileKind : std::uint8_t {
    directory,
    file,
    tablespace_link,  ///< pg_tblspc/<oid>; what lies behind it follows under this path
    other_link,       ///< leads to something that is not taken: configuration, logs
};

struct DataFile {
    std::string path;  ///< relative to the data directory, bytes as the file system has them
    DataFileKind kind = DataFileKind::file;
    std::uint32_t mode = 0;     ///< the permission bits (07777)
    std::uint64_t size = 0;     ///< of a file, when it was looked at; it may have changed since
    std::int64_t modified = 0;  ///< Unix seconds
    std::string target{};       ///< of a link, as it stands there
    std::optional<RelationFile> relation{};  ///< pages with checksums
};

/// Walks through a data directory. Ascending by the bytes of the paths, so that it can be merged
/// with the index of an earlier backup. In memory are the names of the directories that lie on the
/// way to the current file, about 20 bytes a name. One thread at a time.
class DataFileScan {
public:
    /// `version_directory`: what the server's version has in each tablespace, the rest of which is
    /// not looked at (tablespace_version_directory). Looks at the tablespaces first, so that these
    /// are errors before anything has been copied (pitfall 24): links that lead nowhere, in a
    /// circle, into the data directory or twice to one place. Throws Error(usage | io | denied).
    DataFileScan(std::string pgdata, std::string version_directory);
    DataFileScan(DataFileScan&&) noexcept;
    DataFileScan& operator=(DataFileScan&&) noexcept;
    ~DataFileScan();

    /// The next one; nullopt at the end. What vanishes meanwhile is left out: its removal is in the
    /// WAL. Throws Error(denied) for what may not be read and Error(io) for what cannot, both with
    /// the path and at once (pitfall 7); Error(usage) for a link where PostgreSQL has a directory
    /// or a file of its own, since what it leads to would be missing.
    [[nodiscard]] std::optional<DataFile> next();

private:
    struct Level;
    void enter(std::string path);
    void list(Level& level);
    [[nodiscard]] std::optional<DataFile> look_at(const Level& level, std::string_view name);

    std::string pgdata_;
    std::string version_directory_;
    std::vector<std::unique_ptr<Level>> levels_;  ///< from the data directory down
};

/// Whether a scan would leave out this path because of its name. It cannot tell the forks of
/// unlogged relations, which a server does not send.
[[nodiscard]] bool is_left_out(std::string_view path);

/// pg_tblspc/<oid>
[[nodiscard]] bool is_tablespace_path(std::string_view path);

/// Opens a file of the scan for reading; nullopt if it is gone. Throws like next(), also if the
/// path has become something else than a file.
[[nodiscard]] std::optional<FileDescriptor> open_data_file(const std::string& pgdata,
                                                           const std::string& path);

}  // namespace walden::pg
