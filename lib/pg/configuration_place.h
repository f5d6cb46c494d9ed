// Where the postgresql.conf of a data directory is. Debian and Ubuntu have it in
// /etc/postgresql/<version>/<cluster>/, so that a restored data directory is without one.
#pragma once

#include <optional>
#include <string>

namespace walden::pg {

struct ConfigurationPlace {
    std::string file;     ///< the path of postgresql.conf
    std::string cluster;  ///< "main", as pg_ctlcluster has it; empty if the file is in PGDATA
};

/// nullopt if there is none in `pgdata`, and none below `etc` (/etc/postgresql) whose
/// data_directory is `pgdata`, by whatever path. A file that cannot be read is none.
[[nodiscard]] std::optional<ConfigurationPlace> find_configuration(
    const std::string& pgdata, int major_version, const std::string& etc = "/etc/postgresql");

}  // namespace walden::pg
