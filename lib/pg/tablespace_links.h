// Where the tablespaces of a data directory lie: the links below pg_tblspc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace walden::pg {

struct TablespaceLink {
    std::uint32_t oid = 0;
    std::string target;  ///< as it stands in the link; empty if the tablespace is in place
    std::string place;   ///< absolute, without links
};

/// All of them, ascending by oid; directories (allow_in_place_tablespaces) among them. Throws
/// Error(io | denied), and Error(usage) for a link that leads nowhere or in a circle.
[[nodiscard]] std::vector<TablespaceLink> read_tablespace_links(const std::string& pgdata);

/// Reads them, and throws Error(usage) if files would be met twice: a tablespace in the data
/// directory or around it, two at one place, one in the `version_directory` of another.
void require_sane_tablespaces(const std::string& pgdata, const std::string& version_directory);

}  // namespace walden::pg
