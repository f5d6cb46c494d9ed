#include "tools/cli/fetch_command.h"

#include "base/error.h"
#include "base/format.h"
#include "recovery/fetcher.h"
#include "recovery/placement.h"
#include "tools/cli/fetch_program.h"
#include "tools/cli/messages.h"

#include <unistd.h>

#include <chrono>
#include <memory>

namespace walden::cli {

namespace {

/// Whether the same question may be answered later, or by somebody else. A permission that lacks
/// for one object does not pass, and its neighbours may be readable: PostgreSQL would take it for
/// the end of WAL. What a primary that died never archived is what every standby asks for first
/// when it starts after the failover, though it is in its own pg_wal or its new primary's.
bool is_transient(ErrorKind kind) {
    return kind == ErrorKind::unavailable || kind == ErrorKind::not_found ||
           kind == ErrorKind::canceled || kind == ErrorKind::missing;
}

/// A standby asks again, so an unreachable store may be "not yet" there. That holds for histories,
/// too: a running standby probes for the next one all the time, and anything above 125 would shut
/// it down. A promotion that reuses a timeline number because of it is stopped at the first push by
/// the timeline's claim.
bool standby_will_ask_again(const Config& config, const std::string& path) {
    return config.on_standby_error == OnStandbyError::retry && is_servers_own(path) &&
           ::access("standby.signal", F_OK) == 0;
}

/// Archive recovery that is told "no such history" takes a wrong line of descent, so it is worth
/// waiting for. A standby is not kept waiting: it asks again, and may be streaming by then.
std::chrono::milliseconds patience_for(const Config& config, const Arguments& arguments) {
    const auto patience = arguments.patience.value_or(config.fetch_deadline);
    const bool waits_longer = arguments.operands[0].ends_with(".history") &&
                              config.fetch_history_deadline > config.fetch_deadline &&
                              !standby_will_ask_again(config, arguments.operands[1]);
    return waits_longer ? patience + (config.fetch_history_deadline - config.fetch_deadline)
                        : patience;
}

template <class Body>
decltype(auto) in_delivery(const Arguments& arguments, const Body& body) {
    return in_context(
        [&] {
            return format("deliver {} to \"{}\"", arguments.operands[0], arguments.operands[1]);
        },
        body);
}

/// Fetches the file of the first operand to beside the path of the second; none if it is not
/// there.
std::unique_ptr<recovery::Placement> fetch(const Config& config, const Arguments& arguments,
                                           const StorageOpener& open) {
    const std::string& file_name = arguments.operands[0];
    const auto patience = patience_for(config, arguments);
    const Session session(config, patience, open);
    const vault::ClusterVault vault = session.open_cluster_or_only();
    const vault::ClusterIdentity identity = session.require_identity(vault);
    const recovery::Fetcher fetcher(vault, fetch_settings(config, identity));
    auto entry = fetcher.locate(file_name);
    if (!entry) return nullptr;
    // Written while it is decoded, and named when it is proven.
    auto placement = in_delivery(
        arguments, [&] { return std::make_unique<recovery::Placement>(arguments.operands[1]); });
    static_cast<void>(fetcher.read(
        file_name, std::move(*entry),
        [&](std::size_t offset, ByteView part) { placement->write_at(offset, part); }));
    return placement;
}

}  // namespace

int fetch_here(const Arguments& arguments, const StorageOpener& open) {
    const Config config = read_config(arguments.config_path);
    const std::string& file_name = arguments.operands[0];
    std::unique_ptr<recovery::Placement> placement;
    try {
        placement = fetch(config, arguments, open);
    } catch (const Error& error) {
        if (!is_transient(error.kind()) || !standby_will_ask_again(config, arguments.operands[1]))
            throw;
        report_error(error);
        report_note("answered \"not there\": this is a standby, PostgreSQL will ask again");
        return fetch_exit_not_there;
    }
    if (!placement) {
        report_note(format("{} is not in the archive", file_name));
        return fetch_exit_not_there;
    }
    in_delivery(arguments, [&] { placement->commit(); });
    report_note(format("delivered {}: fetched from {}", file_name, config.store_url));
    return 0;
}

}  // namespace walden::cli
