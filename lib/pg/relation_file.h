// The names of the files that hold relations (src/common/relpath.c), and of their temporary kin.
//
//   base/5/16384          main fork, first 131072 pages     tablespace 1663 (pg_default)
//   base/5/16384.1        the same, the next ones
//   base/5/16384_fsm      free space map; _vm visibility map; _init of an unlogged relation
//   global/1262           shared relations, without a database     tablespace 1664 (pg_global)
//   pg_tblspc/16400/PG_15_202209061/5/16401
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace walden::pg {

/// ForkNumber of common/relpath.h.
enum class Fork : std::uint8_t { main = 0, fsm = 1, vm = 2, init = 3 };

struct RelationFile {
    std::uint32_t tablespace = 0;
    std::uint32_t database = 0;  ///< 0 for shared relations
    std::uint32_t relation = 0;  ///< the relfilenode
    Fork fork = Fork::main;
    std::uint32_t segment = 0;  ///< its first page is segment x pages_per_file

    friend bool operator==(const RelationFile&, const RelationFile&) = default;
};

inline constexpr std::uint32_t default_tablespace = 1663;
inline constexpr std::uint32_t global_tablespace = 1664;

/// The relation file at `path`, relative to the data directory; nullopt for everything else. Only
/// these consist of pages with checksums (pitfall 19: SLRU segments have such names as well, and
/// are no pages).
[[nodiscard]] std::optional<RelationFile> parse_relation_path(std::string_view path);

/// The inverse; `version_directory` matters for tablespaces of users only.
[[nodiscard]] std::string to_path(const RelationFile& file, std::string_view version_directory);

/// "PG_15_202209061": the directory that a major version has in each tablespace.
[[nodiscard]] std::string tablespace_version_directory(int major_version,
                                                       std::uint32_t catalog_version);

/// The parts of the name of a file in the directory of a database: everything of RelationFile but
/// tablespace and database. nullopt for other names.
[[nodiscard]] std::optional<RelationFile> parse_relation_name(std::string_view name);

/// Whether a file in the directory of a database belongs to a temporary table: t<backend>_<name>
/// (looks_like_temp_rel_name in storage/file/fd.c).
[[nodiscard]] bool is_temporary_relation(std::string_view name);

}  // namespace walden::pg
