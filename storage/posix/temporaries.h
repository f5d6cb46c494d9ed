// The names under which PosixStorage writes before it publishes, and the removal of left-overs.
#pragma once

#include "storage/posix/directory_tree.h"

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace walden::storage {

/// ".tmp.<boot id>.<pid>.<random>.<number>", all but the pid and the number in hex. Keys have no
/// component that starts with a dot, so no object can have such a name.
struct TemporaryName {
    std::uint32_t boot = 0;  ///< the first 32 bits of the boot id; 0 if there is none
    pid_t pid = 0;
    std::uint64_t random = 0;
    std::uint64_t number = 0;
};

[[nodiscard]] std::string to_string(const TemporaryName& name);

/// nullopt unless `text` is exactly what to_string() makes.
[[nodiscard]] std::optional<TemporaryName> parse_temporary_name(std::string_view text);

/// Gives out names that no other process, boot or machine gives out. Safe from several threads.
class TemporaryNames {
public:
    TemporaryNames();

    [[nodiscard]] std::string next();

    [[nodiscard]] std::uint32_t boot() const { return start_.boot; }

private:
    TemporaryName start_;
    std::atomic<std::uint64_t> number_{0};
};

struct SweepResult {
    std::size_t removed_count = 0;
    std::size_t examined_count = 0;
    bool is_complete = false;  ///< false if the limit or an error ended the sweep early
};

/// Removes temporaries that were last written more than an hour before `now` and whose writer is
/// gone: another boot (or machine, which then had an hour), or a process that does not exist.
/// Looks at no more than `examined_count_max` names, the last in byte order first, since that is
/// where the newest WAL lies. Never throws. A writer whose file is taken away in spite of all this
/// fails cleanly, as its link(2) finds no such file.
[[nodiscard]] SweepResult sweep_temporaries(const DirectoryTree& tree, std::uint32_t own_boot,
                                            std::chrono::system_clock::time_point now,
                                            std::size_t examined_count_max) noexcept;

}  // namespace walden::storage
