// What `walden check` collects: one finding for each thing that it looked at.
#pragma once

#include "base/error.h"
#include "tools/cli/session.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace walden::commands {

enum class Level : std::uint8_t { ok, warning, problem };

[[nodiscard]] std::string_view to_string(Level level);

/// `id` is for programs and never changes its meaning: what was looked at, as "store.fencing". The
/// level says how it is. man walden lists them.
struct Finding {
    Level level = Level::ok;
    std::string id;
    std::string text;
    std::string hint;
};

class Checker {
public:
    void ok(std::string_view id, std::string text) { add(Level::ok, id, std::move(text), ""); }

    void warning(std::string_view id, std::string text, std::string hint) {
        add(Level::warning, id, std::move(text), std::move(hint));
    }

    void problem(std::string_view id, std::string text, std::string hint) {
        add(Level::problem, id, std::move(text), std::move(hint));
    }

    /// Runs one group of checks; what it throws is a problem of that id, and the others still run.
    template <class Check>
    void group(std::string_view id, const Check& check) {
        try {
            check();
        } catch (const Error& error) {
            problem(id, error.message(),
                    error.detail().empty() ? error.hint() : error.detail() + " " + error.hint());
        }
    }

    [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }

private:
    void add(Level level, std::string_view id, std::string text, std::string hint) {
        findings_.push_back({.level = level,
                             .id = std::string(id),
                             .text = std::move(text),
                             .hint = std::move(hint)});
    }

    std::vector<Finding> findings_;
};

struct CheckOptions {
    bool asks_server = true;
    std::string conninfo;  ///< libpq's; empty: PGHOST and the like
    bool archives = true;  ///< has the server end its segment, and waits until that is archived
    std::uint32_t target_timeline = 0;  ///< that recovery is to follow; 0: the latest
};

/// Who can open the archive.
void check_keys(const cli::Session& session, Checker& checker);

/// Whether the store takes objects and does not let them be overwritten; what uploads left there.
void check_store(const cli::Session& session, Checker& checker);

/// What is in the archive, and whether recovery of this data directory can follow it.
void check_archive(const cli::Session& session, const CheckOptions& options, Checker& checker);

/// Whether the server archives, and does so here.
void check_server(const cli::Session& session, const CheckOptions& options, Checker& checker);

}  // namespace walden::commands
