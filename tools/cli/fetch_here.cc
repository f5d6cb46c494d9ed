#include "tools/cli/fetch_here.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "pg/promotion.h"
#include "pg/recovery_state.h"
#include "recovery/fetcher.h"
#include "recovery/placement.h"
#include "tools/cli/agent_place.h"
#include "tools/cli/fetch_program.h"
#include "tools/cli/messages.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string_view>

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

/// For how long before a call a removal in the data directory counts as the beginning of a
/// promotion. PostgreSQL asks right after it, and again when that has been answered: for the last
/// segment, and for histories until there is none. Each answer but the last one takes what it
/// takes to deliver a file.
constexpr auto promotion_memory = std::chrono::minutes(5);

/// A standby asks again, so an unreachable store may be "not yet" there. That holds for histories,
/// too: a running standby probes for the next one all the time, and anything above 125 would shut
/// it down.
bool is_asked_by_standby(const Config& config, const std::string& path) {
    return config.fetch.standby_on_error != OnStandbyError::stop && is_servers_own(path) &&
           ::access("standby.signal", F_OK) == 0;
}

/// A standby that is being promoted does not ask again: "not there" is the end of WAL to it, and
/// opens the database. PostgreSQL runs us in the data directory.
pg::PromotionSign find_promotion(const Config& config) {
    if (config.fetch.standby_on_error == OnStandbyError::ignore) return pg::PromotionSign::none;
    // A call takes no longer than these, so this is as long before it began.
    const auto call_max = std::max(config.fetch.deadline, config.fetch.history_deadline);
    return pg::find_promotion(".", std::chrono::system_clock::now() - call_max - promotion_memory);
}

std::string joined(const std::string& text, std::string_view sentence) {
    return text.empty() ? std::string(sentence) : format("{} {}", text, sentence);
}

/// Adds to a failure why it is not answered "not there", as a standby otherwise is.
void explain_refusal(Error& error, pg::PromotionSign sign) {
    std::string detail = joined(
        error.detail(),
        sign == pg::PromotionSign::requested
            ? "This standby is to be promoted (the file \"promote\" is in its data directory): it "
              "would open the database without what the archive may have."
            : "This standby is being promoted, or so it seems (a file was just removed from its "
              "data directory, as PostgreSQL does with \"promote\"): it would open the database "
              "without what the archive may have.");
    std::string hint = joined(
        error.hint(),
        "Start the server again: it is a standby as before. Promote it when the archive can be "
        "read, or set fetch.standby_on_error = \"ignore\" to promote it with what it has.");
    std::move(error).with_detail(std::move(detail)).with_hint(std::move(hint));
}

/// Whether "not there" makes PostgreSQL take its own copy, or is true of every archive. At the end
/// of a recovery it asks for the history of the timeline that it leaves, to write the next one's.
/// It has removed its signal files by then (13 to 18): refused, it would be a server of the old
/// timeline when it is started again.
bool is_known_without_archive(const Arguments& arguments) {
    const std::string& name = arguments.operands[0];
    const std::string& path = arguments.operands[1];
    return name.ends_with(".history") && is_servers_own(path) && !pg::is_in_archive_recovery(".") &&
           (name == "00000001.history" ||
            ::access((parent_directory(path) + "/" + name).c_str(), R_OK) == 0);
}

/// Archive recovery that is told "no such history" takes a wrong line of descent, so it is worth
/// waiting for, and so does a promotion. A standby is not kept waiting otherwise: it asks again,
/// and may be streaming by then.
std::chrono::milliseconds patience_for(const Config& config, const Arguments& arguments) {
    const auto patience = arguments.patience.value_or(config.fetch.deadline);
    const bool waits_longer = arguments.operands[0].ends_with(".history") &&
                              config.fetch.history_deadline > config.fetch.deadline &&
                              !is_known_without_archive(arguments) &&
                              !(is_asked_by_standby(config, arguments.operands[1]) &&
                                find_promotion(config) == pg::PromotionSign::none);
    return waits_longer ? patience + (config.fetch.history_deadline - config.fetch.deadline)
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
                                           storage::StoreTable stores) {
    const std::string& file_name = arguments.operands[0];
    const auto patience = patience_for(config, arguments);
    const Session session(config, patience, stores);
    const vault::ClusterVault vault = session.open_cluster_or_only();
    const vault::ClusterIdentity identity = session.require_identity(vault);
    const recovery::Fetcher fetcher(vault, fetch_settings(config, identity));
    auto entry = fetcher.locate(file_name);
    if (!entry) return nullptr;
    // Written while it is decoded, and named when it is proven.
    auto placement = in_delivery(
        arguments, [&] { return std::make_unique<recovery::Placement>(arguments.operands[1]); });
    fetcher.show(file_name, *entry,
                 [&](std::size_t offset, ByteView part) { placement->write_at(offset, part); });
    return placement;
}

}  // namespace

int fetch_here(const Arguments& arguments, storage::StoreTable stores) {
    const Config config = read_config(arguments.config_path);
    const std::string& file_name = arguments.operands[0];
    std::unique_ptr<recovery::Placement> placement;
    try {
        placement = fetch(config, arguments, stores);
    } catch (Error& error) {
        if (is_known_without_archive(arguments)) {
            report_error(error);
            report_note("answered \"not there\": PostgreSQL knows this history");
            return fetch_exit_not_there;
        }
        if (!is_transient(error.kind()) || !is_asked_by_standby(config, arguments.operands[1]))
            throw;
        // What is requested behind this look has begun by the next call, which PostgreSQL makes
        // before it opens the database.
        if (const auto sign = find_promotion(config); sign != pg::PromotionSign::none) {
            explain_refusal(error, sign);
            throw;
        }
        report_error(error);
        report_note(config.fetch.standby_on_error == OnStandbyError::ignore
                        ? "answered \"not there\": this is a standby, and "
                          "fetch.standby_on_error = \"ignore\""
                        : "answered \"not there\": this is a standby, PostgreSQL will ask again");
        return fetch_exit_not_there;
    }
    if (!placement) {
        report_note(format("{} is not in the archive", file_name));
        return fetch_exit_not_there;
    }
    in_delivery(arguments, [&] { placement->commit(); });
    if (arguments.distrusts_agent) dismiss_agent(config);
    report_note(format("delivered {}: fetched from {}", file_name, config.store.url));
    return 0;
}

}  // namespace walden::cli
