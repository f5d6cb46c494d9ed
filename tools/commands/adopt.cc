#include "archive/membership.h"
#include "base/error.h"
#include "base/format.h"
#include "storage/all_stores.h"
#include "tools/cli/json.h"
#include "tools/cli/session.h"
#include "tools/commands/all_commands.h"
#include "tools/commands/text.h"
#include "wal/file_name.h"

#include <ctime>
#include <memory>

namespace walden::commands {

namespace {

struct AdoptOptions {
    std::uint32_t timeline = 0;
};

/// Whether the store knows the timeline: its claim, its WAL or its history.
bool is_known(const vault::ClusterVault& vault, std::uint32_t timeline) {
    const std::string text = wal::timeline_part(timeline);
    bool has_wal = false;
    vault.storage().list(vault.layout().timeline_prefix(text), "", [&](const vault::ObjectInfo&) {
        has_wal = true;
        return false;
    });
    return has_wal || vault.claims().find_newest(text) ||
           vault.entries().find(vault.layout().history_key(wal::history_name(timeline)));
}

int adopt(const cli::Common& common, const AdoptOptions& options) {
    const std::uint32_t timeline = options.timeline;
    const cli::Config config = cli::read_config(common.config_path);
    const cli::Session session(config, cli::typed(config.archive.deadline), storage::all_stores());
    const vault::ClusterVault vault = session.open_cluster();
    const vault::ClusterIdentity identity = session.require_identity(vault);
    if (!is_known(vault, timeline))
        throw Error(ErrorKind::usage, format("the archive has no timeline {}", timeline))
            .with_hint("File names have it in hexadecimal, --timeline takes decimal.");
    archive::LocalState state = cli::open_local_state(session, identity.system_identifier);
    const archive::Instance instance = cli::archive_settings(config, identity).instance;
    const vault::Claim claim =
        archive::Membership(vault, state, instance).adopt(timeline, std::time(nullptr));
    if (!state.save())
        throw Error(ErrorKind::io, format("timeline {} is adopted, but \"{}\" could not be written",
                                          timeline, state.path()))
            .with_hint("Make state_dir writable and adopt again, or this host forgets it.");
    if (common.is_json())
        cli::print_json({{"timeline", timeline},
                         {"instance", to_hex(claim.instance)},
                         {"generation", claim.generation}});
    else
        print_line(format("timeline {} belongs to instance {} on host {} now (generation {})",
                          timeline, to_hex(claim.instance), claim.host, claim.generation));
    return 0;
}

}  // namespace

void add_adopt(const cli::Command& parent) {
    const auto options = std::make_shared<AdoptOptions>();
    const cli::Command command =
        parent.command("adopt", "Make this host the owner of a timeline",
                       [options](const cli::Common& common) { return adopt(common, *options); });
    command.option("--timeline", options->timeline, "Its number, in decimal")
        .required()
        .between(1U, 0xFFFFFFFFU);
}

}  // namespace walden::commands
