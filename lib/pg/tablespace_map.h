// tablespace_map: where the links below pg_tblspc lead (do_pg_backup_start and read_tablespace_map
// in xlog.c and xlogrecovery.c). A server that starts from a backup removes the links and makes
// them again from this file, so whoever changes a link changes the map as well (pitfall 22).
//
//   16384 /srv/space one\n          from version 14 on "\\" stands for "\", "\<newline>" for a
//   16385 /srv/two\n                newline and "\<return>" for a return; 13 does not double "\"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace walden::pg {

struct Tablespace {
    std::uint32_t oid = 0;
    std::string location;  ///< as the server has it; relative ("pg_tblspc/16384") if it is in place

    friend bool operator==(const Tablespace&, const Tablespace&) = default;
};

/// nullopt if `text` is not a map of that version, or has an oid twice.
[[nodiscard]] std::optional<std::vector<Tablespace>> parse_tablespace_map(std::string_view text,
                                                                          int major_version);

/// The inverse. Throws Error(usage) for a location that the version cannot read back: in 13 one
/// with a backslash at its end or before a line break.
[[nodiscard]] std::string to_tablespace_map(const std::vector<Tablespace>& tablespaces,
                                            int major_version);

}  // namespace walden::pg
