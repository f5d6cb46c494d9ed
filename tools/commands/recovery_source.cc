#include "tools/commands/recovery_source.h"

#include "base/error.h"
#include "base/format.h"
#include "pg/control_file.h"
#include "pg/recovery_state.h"
#include "storage/all_stores.h"
#include "tools/cli/messages.h"
#include "tools/cli/session.h"

namespace walden::commands {

namespace {

/// Whoever waits for an answer has a deadline of his own; attempts are bounded by their number.
constexpr std::chrono::hours no_deadline{24 * 365};

class SessionSource final : public recovery::Source {
public:
    SessionSource(const cli::Config& config, const std::function<void()>& on_retry)
        : session_(config, no_deadline, storage::all_stores(), on_retry),
          vault_(session_.open_cluster_or_only()),
          identity_(session_.require_identity(vault_)),
          fetcher_(vault_, cli::fetch_settings(config, identity_)) {}

    [[nodiscard]] const recovery::Fetcher& fetcher() const override { return fetcher_; }

    [[nodiscard]] const vault::ClusterVault& vault() const override { return vault_; }

    void prove_identity() const override {
        const auto descriptor = vault::Repository::read_descriptor(session_.storage());
        const std::string& url = session_.config().store.url;
        if (!descriptor)
            throw Error(ErrorKind::not_found, format("{} holds no repository any more", url))
                .with_hint("Is it mounted?");
        if (descriptor->id != session_.repository().descriptor().id)
            throw Error(ErrorKind::foreign, format("{} holds another repository than before", url));
        static_cast<void>(session_.require_identity(vault_));
    }

    [[nodiscard]] bool is_current() const override {
        try {
            const auto control = pg::read_control_file(session_.config().pgdata);
            return control && control->system_identifier == identity_.system_identifier;
        } catch (const Error&) {
            return false;
        }
    }

private:
    cli::Session session_;
    vault::ClusterVault vault_;
    vault::ClusterIdentity identity_;
    recovery::Fetcher fetcher_;
};

}  // namespace

recovery::PrefetchOptions prefetch_options(const cli::Config& config) {
    recovery::PrefetchOptions options;
    options.directory = config.pgdata + "/pg_wal";
    options.size = config.fetch.prefetch_size;
    options.memory = config.agent.memory;
    options.in_flight = config.fetch.in_flight;
    options.is_recovering = [pgdata = config.pgdata] {
        return pg::is_in_archive_recovery(pgdata) && pg::is_running(pgdata);
    };
    options.observe = [](const std::string& text) { cli::report_note(text); };
    return options;
}

std::shared_ptr<recovery::Source> open_recovery_source(const cli::Config& config,
                                                       const std::function<void()>& on_retry) {
    return std::make_shared<SessionSource>(config, on_retry);
}

}  // namespace walden::commands
