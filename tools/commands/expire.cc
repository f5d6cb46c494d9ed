// walden expire: removes what interrupted writers left in the store. Nothing that is archived.
#include "base/format.h"
#include "storage/open_storage.h"
#include "storage/s3/timestamps.h"
#include "storage/store_settings.h"
#include "tools/cli/json.h"
#include "tools/cli/session.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/any_store.h"
#include "tools/commands/text.h"

#include <chrono>
#include <memory>

namespace walden::commands {

namespace {

struct ExpireOptions {
    bool is_dry_run = false;
    std::uint32_t older_than_hours = 24;  ///< multipart uploads
};

struct Leftovers {
    std::size_t removed_count = 0;  ///< or would be, without --dry-run
    std::size_t kept_count = 0;     ///< too young: their writer may be at work
};

Leftovers expire_uploads(storage::s3::S3Storage& s3, const ExpireOptions& options, bool is_text) {
    const auto before =
        std::chrono::system_clock::now() - std::chrono::hours(options.older_than_hours);
    Leftovers leftovers;
    for (const storage::s3::Upload& upload : s3.list_unfinished_uploads()) {
        if (upload.started > before) {
            ++leftovers.kept_count;
            continue;
        }
        if (is_text)
            print_line(format("{} {}, begun {}",
                              options.is_dry_run ? "would abort unfinished upload of"
                                                 : "aborting unfinished upload of",
                              upload.key, storage::s3::iso_time(upload.started)));
        if (!options.is_dry_run) s3.abort_upload(upload.key, upload.upload_id);
        ++leftovers.removed_count;
    }
    return leftovers;
}

int expire(const cli::Common& common, const ExpireOptions& options) {
    const cli::Config config = cli::read_config(common.config_path);
    // Proves that the store is ours before anything in it is touched.
    const cli::Session session(config, config.archive.deadline, open_any_store);
    const bool is_text = !common.is_json();
    Leftovers leftovers;
    if (const auto s3 = open_s3_store(config))
        leftovers = expire_uploads(*s3, options, is_text);
    else if (!options.is_dry_run)
        leftovers.removed_count = storage::sweep_storage(config.store.url);
    const char* const what =
        storage::is_directory_url(config.store.url) ? "temporary file" : "unfinished upload";
    if (!is_text)
        cli::print_json({{"removed", options.is_dry_run ? 0 : leftovers.removed_count},
                         {"found", leftovers.removed_count},
                         {"kept", leftovers.kept_count}});
    else if (options.is_dry_run && storage::is_directory_url(config.store.url))
        print_line(
            "in a directory, the sweep decides file by file: there is nothing to show before");
    else
        print_line(format("{}{}; {} too young to judge",
                          options.is_dry_run ? "would remove " : "removed ",
                          count_text(leftovers.removed_count, what), leftovers.kept_count));
    return 0;
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
