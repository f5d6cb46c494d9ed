// walden expire: removes what interrupted writers left in the store. Nothing that is archived.
#include "base/format.h"
#include "storage/all_stores.h"
#include "storage/http/timestamps.h"
#include "tools/cli/json.h"
#include "tools/cli/session.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/text.h"

#include <chrono>
#include <memory>

namespace walden::commands {

namespace {

struct ExpireOptions {
    bool is_dry_run = false;
    std::uint32_t older_than_hours = 24;  ///< multipart uploads
};

std::string sweep_text(const storage::StoreKind& kind, const ExpireOptions& options,
                       const storage::SweepCount& result) {
    if (options.is_dry_run && kind.find_leftovers == nullptr)
        return "in a directory, the sweep decides file by file: there is nothing to show before";
    return format("{}{}; {} too young to judge", options.is_dry_run ? "would remove " : "removed ",
                  count_text(result.removed_count, kind.leftover_name), result.kept_count);
}

int expire(const cli::Common& common, const ExpireOptions& options) {
    const cli::Config config = cli::read_config(common.config_path);
    // Proves that the store is ours before anything in it is touched.
    const cli::Session session(config, cli::typed(config.archive.deadline), storage::all_stores());
    const storage::StoreKind& kind = session.store_kind();
    const auto observe = [&](const storage::Leftover& leftover) {
        if (common.is_json()) return;
        print_line(format("{} {} of {}, begun {}", options.is_dry_run ? "would abort" : "aborting",
                          kind.leftover_name, leftover.key, storage::iso_time(leftover.begun)));
    };
    const storage::SweepCount result =
        kind.sweep(config.store, {.older_than = std::chrono::hours(options.older_than_hours),
                                  .is_dry_run = options.is_dry_run,
                                  .observe = observe});
    if (common.is_json())
        cli::print_json({{"removed", options.is_dry_run ? 0 : result.removed_count},
                         {"found", result.removed_count},
                         {"kept", result.kept_count}});
    else
        print_line(sweep_text(kind, options, result));
    return cli::exit_good;
}

}  // namespace

void add_expire(const cli::Command& parent) {
    const auto options = std::make_shared<ExpireOptions>();
    const cli::Command command =
        parent.command("expire", "Remove what interrupted uploads left in the store",
                       [options](const cli::Common& common) { return expire(common, *options); });
    command.flag("--dry-run", options->is_dry_run, "Show what would be removed");
    command
        .option("--older-than", options->older_than_hours,
                "Hours since a multipart upload began; 24 by default")
        .between(1U, 87'600U);
}

}  // namespace walden::commands
