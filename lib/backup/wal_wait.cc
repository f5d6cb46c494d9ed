#include "backup/wal_wait.h"

#include "base/error.h"
#include "base/format.h"

#include <thread>

namespace walden::backup {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds first_pause{20};
constexpr std::chrono::milliseconds longest_pause{500};

}  // namespace

std::vector<std::string> needed_segments(const NeededWal& wal) {
    std::vector<std::string> names;
    // The byte at `stop` is the first that is not needed.
    const std::uint64_t last = wal::segment_number_of({wal.stop.value - 1}, wal.segment_size);
    for (std::uint64_t number = wal::segment_number_of(wal.redo, wal.segment_size); number <= last;
         ++number)
        names.push_back(
            to_string(wal::SegmentName{.timeline = wal.timeline, .segment_number = number},
                      wal.segment_size));
    return names;
}

void wait_for_wal(const vault::ClusterVault& vault, const NeededWal& wal,
                  const std::function<void(const std::string& segment)>& watch) {
    auto deadline = Clock::now() + wal.patience;
    for (const std::string& segment : needed_segments(wal)) {
        std::chrono::milliseconds pause = first_pause;
        while (!vault.entries().find(vault.layout().segment_key(segment))) {
            if (Clock::now() >= deadline)
                throw Error(ErrorKind::missing,
                            format("segment {} does not arrive in the archive", segment))
                    .with_detail(format("The backup needs WAL from {} to {}.", to_string(wal.redo),
                                        to_string(wal.stop)))
                    .with_hint(
                        "Look for errors of archive_command in the server's log. After a "
                        "backup of a standby the primary must archive; "
                        "\"select pg_switch_wal()\" there ends its segment.");
            watch(segment);
            std::this_thread::sleep_for(pause);
            pause = std::min(pause * 2, longest_pause);
        }
        deadline = Clock::now() + wal.patience;
    }
}

}  // namespace walden::backup
