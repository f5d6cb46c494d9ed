// Walks a data directory in the order of the index, and leaves out what no backup may hold.
#pragma once

#include "backup/work_source.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace walden::backup {

/// One thread at a time. Holds the names of the directories it is in, and nothing of the others.
class DataScan {
public:
    DataScan(std::string pgdata, std::uint32_t pages_per_file);

    /// nullopt at the end. Throws Error(io | denied).
    [[nodiscard]] std::optional<ScannedFile> next();

private:
    struct Level {
        std::string path;                ///< relative; "" for the data directory
        std::vector<std::string> names;  ///< descending: the next one is the last
    };

    void enter(const std::string& path);
    [[nodiscard]] std::optional<ScannedFile> look(const std::string& path, const std::string& name);

    std::string pgdata_;
    std::uint32_t pages_per_file_;
    std::vector<Level> levels_;
};

}  // namespace walden::backup
