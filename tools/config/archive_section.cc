#include "tools/config/archive_section.h"

namespace walden::cli {

std::vector<Setting<ArchiveSection>> archive_setting_table() {
    using Section = ArchiveSection;
    using Policy = archive::DamagedWalPolicy;
    return {
        setting("on_damaged_wal", &Section::on_damaged_wal,
                word_value<Policy>({{"archive", Policy::archive}, {"refuse", Policy::refuse}}),
                "a segment whose records fail their checks: \"archive\" it marked as damaged, or "
                "\"refuse\" it"),
        setting("deadline", &Section::deadline, duration_value(),
                "until when a command of the archiving side tries again"),
    };
}

}  // namespace walden::cli
