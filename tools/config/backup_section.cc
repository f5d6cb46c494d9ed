#include "tools/config/backup_section.h"

namespace walden::cli {

std::vector<Setting<BackupSection>> backup_setting_table() {
    using Section = BackupSection;
    return {
        setting("conninfo", &Section::conninfo, text_value(),
                "how \"walden backup\" connects to the server, as for psql; else PGHOST and the "
                "like"),
        setting("jobs", &Section::jobs, number_value<std::uint32_t>(0, 64),
                "threads that read and compress; 0: as many as processors"),
        setting("rate", &Section::rate, size_value(0, std::size_t{64} << 30),
                "bytes a second that a backup reads at most; \"0MiB\": as fast as it goes"),
        setting("sample_percent", &Section::sample_percent, number_value<std::uint32_t>(0, 100),
                "of the pages that have not changed by what WAL says, so many are read as well and "
                "compared, where the cluster has checksums"),
        setting("wal_patience", &Section::wal_patience, duration_value(),
                "how long a backup waits at its end for each segment of WAL to be archived"),
    };
}

}  // namespace walden::cli
