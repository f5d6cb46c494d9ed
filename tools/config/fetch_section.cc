#include "tools/config/fetch_section.h"

namespace walden::cli {

std::vector<Setting<FetchSection>> fetch_setting_table() {
    using Section = FetchSection;
    using Policy = recovery::DamagedWalPolicy;
    return {
        setting("standby_on_error", &Section::standby_on_error,
                word_value<OnStandbyError>({{"retry", OnStandbyError::retry},
                                            {"stop", OnStandbyError::stop},
                                            {"ignore", OnStandbyError::ignore}}),
                "a standby whose store cannot be reached: \"retry\" (PostgreSQL asks again; stop "
                "it if it is being promoted), \"stop\" it, or \"ignore\" (retry, and promote with "
                "less)"),
        setting("on_damaged_wal", &Section::on_damaged_wal,
                word_value<Policy>({{"refuse", Policy::refuse}, {"deliver", Policy::deliver}}),
                "a segment that was damaged already when it was archived: \"refuse\" it, or "
                "\"deliver\" it to recover to a target before the damage"),
        setting("deadline", &Section::deadline, duration_value(),
                "until when walden-fetch tries again"),
        setting("history_deadline", &Section::history_deadline, duration_value(),
                "the same for timeline histories, without which recovery takes a wrong line; on a "
                "standby, which asks again, fetch.deadline holds for them, too"),
        setting("hole_patience", &Section::hole_patience, duration_value(),
                "how long a segment is waited for that is missing before a later one: an agent "
                "publishes a few at a time"),
        setting("prefetch_size", &Section::prefetch_size, size_value(0, std::size_t{64} << 30),
                "how much WAL the agent fetches ahead of a recovery at most, on the file system of "
                "pg_wal; \"0MiB\": none"),
        setting("in_flight", &Section::in_flight, number_value<std::size_t>(1, 64),
                "segments that it fetches ahead at once, 1 to 64"),
    };
}

}  // namespace walden::cli
